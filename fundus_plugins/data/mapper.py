"""From a COCO record to what a model reads: the resized photograph and its targets."""

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import detectron2.data.transforms as T
import numpy as np
import torch
from detectron2.config import CfgNode, configurable
from detectron2.data import DatasetCatalog
from detectron2.structures import BitMasks, Boxes, Instances

from fundus_plugins.boxes import box_of
from fundus_plugins.config import parse_readers
from fundus_plugins.data.annotations import CUP, DISC, disc_and_cup, parse_categories
from fundus_plugins.data.augmentation import build_fundus_augmentations
from fundus_plugins.data.augmentation.cup_size import mark
from fundus_plugins.data.cache import ArrayCache, file_state
from fundus_plugins.data.detected_discs import DetectedDisc, check_detected, check_disc_crop, detected_discs
from fundus_plugins.data.reading import read_record
from fundus_plugins.data.registration import disc_cup_structures
from fundus_plugins.data.structures import DiscCupMasks
from fundus_plugins.photographs.resampling import crop_about, warp


def build_fundus_mapper(cfg: CfgNode, is_train: bool, **settings) -> Callable[[dict], dict]:
    """The dataset mapper that INPUT.TARGETS names: `disc_cup` (DiscCupMapper) or `instances` (DiscAndCupMapper).

    With INPUT.DISC_CROP it is DiscCropMapper. `settings` are arguments of theirs, which go before the config. Raises
    ValueError for another name, for an augmentation of the first that the second has not, or as `check_disc_crop`.
    """
    check_disc_crop(cfg)
    if cfg.INPUT.DISC_CROP.ABOUT != "none":
        return DiscCropMapper(cfg, is_train=is_train, **settings)
    if cfg.INPUT.TARGETS == "disc_cup":
        return DiscCupMapper(cfg, is_train=is_train, **settings)
    if cfg.INPUT.TARGETS == "instances":
        if cfg.INPUT.RANDOM_AFFINE.SIDE or cfg.INPUT.BOX_SCALE != 1 or tuple(cfg.INPUT.CUP_SIZES) != (1, 1):
            raise ValueError("INPUT.RANDOM_AFFINE.SIDE, CUP_SIZES, BOX_SCALE need TARGETS disc_cup, found instances")
        return DiscAndCupMapper(cfg, is_train=is_train, **settings)
    raise ValueError(f"INPUT.TARGETS {cfg.INPUT.TARGETS!r}: expected disc_cup or instances")


class DiscCupMapper:
    """A dataset mapper that turns the disc's and the cup's annotations into one target, the disc with both masks.

    In: a dict as Detectron2's `load_coco_json` gives it. Out: the same with `image` (3, H, W) uint8, in the channel
    order of INPUT.FORMAT, and in training `instances`: at most one row, with `gt_boxes` (XYXY, pixels of the resized
    image, tight around the augmented mask), `gt_classes` 0 and `gt_disc_cup` (DiscCupMasks). An image with no disc
    gives no row; one whose cup is not annotated says so in `gt_disc_cup.known`.

    Args:
        is_train: whether to make targets.
        augmentations: in their order.
        image_format: "RGB" or "BGR".
        cache: a folder that keeps what the first augmentation, the resize, gives; "" to decode and resize every time.
        box_scale: the boxes are the tight ones times this, about their middles, within the image.
        structures: DISC, CUP or None (neither) of every `category_id`.
        readers: the data sets whose readers' styles are learned; `gt_reader` of the targets is the place of the
            record's `source` among them, from 1, and 0 for any other.
        classes: what the targets' masks are of, ("disc", "cup") or ("disc",).

    Raises:
        ValueError: a cache, and a first augmentation that differs from call to call; another image format; other
            classes.
        BadInput: no category of the data set is called a disc; of a call, whatever is wrong with the photograph.
    """

    @configurable
    def __init__(
        self,
        is_train: bool,
        *,
        augmentations: list,
        image_format: str,
        cache: str = "",
        box_scale: float = 1,
        structures: Sequence[int | None] = (DISC, CUP),
        readers: Sequence[str] = (),
        classes: Sequence[str] = ("disc", "cup"),
    ):
        self.is_train = is_train
        self.classes = list(classes)
        if is_train and self.classes not in (["disc"], ["disc", "cup"]):
            found = ", ".join(self.classes)
            raise ValueError(
                f"MODEL.RFNET.CLASSES {found}: our mapper knows disc and cup, or disc alone; write your own"
            )
        self.fixed = T.AugmentationList(augmentations[:1] if cache else [])
        self.augmentations = T.AugmentationList(augmentations[1:] if cache else augmentations)
        self.image_format = image_format
        self.cache = ArrayCache(cache)
        self.box_scale = box_scale
        self.structures = list(structures)
        self.readers = {source: number for number, source in enumerate(readers, start=1)}
        if image_format not in ("RGB", "BGR"):
            raise ValueError(f"INPUT.FORMAT {image_format!r}: expected RGB or BGR")
        if cache and not _is_fixed_resize(augmentations):
            raise ValueError(
                f"DATALOADER.CACHE needs one fixed size to keep, INPUT.MIN_SIZE_TRAIN (n,); found {augmentations[:1]}"
            )

    @classmethod
    def from_config(cls, cfg, is_train: bool = True):
        """The first of DATASETS.TRAIN, if it is registered, tells its categories' names."""
        structures: Sequence[int | None] = (DISC, CUP)
        if is_train and cfg.DATASETS.TRAIN and cfg.DATASETS.TRAIN[0] in DatasetCatalog.list():
            structures = disc_cup_structures(cfg.DATASETS.TRAIN[0], parse_categories(cfg.DATASETS.CATEGORIES))
        return {
            "structures": structures,
            "is_train": is_train,
            "augmentations": build_fundus_augmentations(cfg, is_train),
            "image_format": cfg.INPUT.FORMAT,
            "cache": cfg.DATALOADER.CACHE,
            "box_scale": cfg.INPUT.BOX_SCALE,
            "readers": list(parse_readers(cfg.MODEL.RFNET.READERS).values()),
            "classes": cfg.MODEL.RFNET.CLASSES,
        }

    def __call__(self, dataset_dict: dict) -> dict:
        dataset_dict = copy.deepcopy(dataset_dict)
        annotations = dataset_dict.pop("annotations", []) if self.is_train else dataset_dict.pop("annotations", None)
        size = [dataset_dict.get("height"), dataset_dict.get("width")]
        key = [
            file_state(dataset_dict["file_name"]),
            size,
            self.image_format,
            repr(self.fixed),
            self.structures,
            annotations,
        ]
        kept = self.cache.get(key, lambda: self._read_and_resize(dataset_dict, annotations or []))

        marks = mark(*kept["masks"]) if self.is_train else None  # for the augmentations that must know where it is
        augmented = T.AugInput(kept["image"], sem_seg=marks)
        transforms = self.augmentations(augmented)
        dataset_dict["image"] = torch.from_numpy(np.ascontiguousarray(augmented.image.transpose(2, 0, 1)))
        if self.is_train:
            masks = torch.from_numpy(np.stack([transforms.apply_segmentation(mask) for mask in kept["masks"]]))
            targets = self.targets(masks, torch.from_numpy(kept["known"]))
            if self.readers:
                targets.gt_reader = torch.full((len(targets),), self.readers.get(dataset_dict.get("source", ""), 0))
            dataset_dict["instances"] = targets
        return dataset_dict

    def targets(self, masks: torch.Tensor, known: torch.Tensor) -> Instances:
        """(2, H, W) uint8 masks of 0 and 1, and whether each, (2,), is annotated, to one row; none without a disc."""
        instances = Instances(tuple(masks.shape[-2:]))
        instances.gt_boxes = scale_boxes(BitMasks(masks[None, DISC].bool()).get_bounding_boxes(), self.box_scale)
        instances.gt_boxes.clip(instances.image_size)
        instances.gt_classes = torch.full((1,), DISC)
        wanted = len(self.classes)
        instances.gt_disc_cup = DiscCupMasks(masks[None, :wanted], known[None, :wanted])
        return instances[masks[None, DISC].bool().flatten(1).any(1)]

    def _read_and_resize(self, dataset_dict: dict, annotations: list[dict]) -> dict[str, np.ndarray]:
        image = read_record(dataset_dict, self.image_format)
        size = image.shape[:2]
        augmented = T.AugInput(image)
        transforms = self.fixed(augmented)
        if not self.is_train:
            return {"image": augmented.image}
        found = disc_and_cup(annotations, self.structures, size, dataset_dict["file_name"])
        masks = [transforms.apply_segmentation(found.get(x, np.zeros(size, np.uint8))) for x in (DISC, CUP)]
        known = np.array([x in found for x in (DISC, CUP)])
        return {"image": augmented.image, "masks": np.stack(masks), "known": known}


class DiscAndCupMapper(DiscCupMapper):
    """The same for Mask R-CNN: disc and cup are two instances, with boxes tight around the augmented masks.

    The targets are Detectron2's: `gt_boxes`, `gt_classes` (0 disc, 1 cup) and `gt_masks` (BitMasks). Empty cups give
    none, nor do unknown ones, which it thus takes for empty.
    """

    def targets(self, masks: torch.Tensor, known: torch.Tensor) -> Instances:
        instances = Instances(tuple(masks.shape[-2:]))
        instances.gt_masks = BitMasks(masks.bool())
        instances.gt_boxes = instances.gt_masks.get_bounding_boxes()
        instances.gt_classes = torch.tensor([DISC, CUP])
        return instances[masks.bool().flatten(1).any(1)]


class DiscCropMapper(DiscCupMapper):
    """DiscCupMapper whose pictures are squares about the disc (INPUT.DISC_CROP).

    In training about the true disc (`RandomDiscCrop` is among the augmentations). At inference it cuts the photograph
    itself, about the true or a detected disc, and adds `from_photograph`, (2, 3) float64, from pixels of the photograph
    to pixels of the picture, by which the model pastes back. Where no disc is known it is the whole photograph; where
    none was looked for, BadInput is raised (`check_detected`).

    Args:
        diameters, side: as of RandomDiscCrop.
        discs: detected discs by file names, as `detected_discs` gives them; None: the true discs.
        settings: as of DiscCupMapper; `structures` are those of the data set at inference, too.
    """

    @configurable
    def __init__(
        self,
        is_train: bool,
        *,
        diameters: float,
        side: int,
        discs: Mapping[str, DetectedDisc] | None = None,
        **settings,
    ):
        super().__init__(is_train, **settings)
        self.diameters, self.side, self.discs = diameters, side, discs

    @classmethod
    def from_config(cls, cfg, is_train: bool = True):
        node = cfg.INPUT.DISC_CROP
        discs = detected_discs(node.DISCS) if node.ABOUT == "detected" and not is_train else None
        return super().from_config(cfg, is_train) | {"diameters": node.DIAMETERS, "side": node.SIDE, "discs": discs}

    def __call__(self, dataset_dict: dict) -> dict:
        if self.is_train:
            return super().__call__(dataset_dict)
        dataset_dict = copy.deepcopy(dataset_dict)
        annotations = dataset_dict.pop("annotations", None) or []
        image = read_record(dataset_dict, self.image_format)
        size = image.shape[0], image.shape[1]
        if self.discs is not None:
            check_detected(self.discs, [dataset_dict | {"height": size[0], "width": size[1]}])
            box: Sequence[float] | np.ndarray | None = self.discs[Path(dataset_dict["file_name"]).name].box
        else:
            found = disc_and_cup(annotations, self.structures, size, dataset_dict["file_name"])
            box = box_of(found[DISC]) if DISC in found else None
        matrix = crop_about(box, size, self.diameters, self.side)
        picture = warp(np.ascontiguousarray(image), matrix, (self.side, self.side))
        dataset_dict["image"] = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
        dataset_dict["from_photograph"] = torch.from_numpy(matrix)
        return dataset_dict


def _is_fixed_resize(augmentations: list) -> bool:
    first = augmentations[0] if augmentations else None
    return isinstance(first, T.ResizeShortestEdge) and len(set(first.short_edge_length)) == 1


def scale_boxes(boxes: Boxes, factor: float) -> Boxes:
    """Boxes `factor` times as wide and high, about their middles."""
    middle, reach = boxes.get_centers(), factor / 2 * (boxes.tensor[:, 2:] - boxes.tensor[:, :2])
    return Boxes(torch.cat([middle - reach, middle + reach], dim=1))
