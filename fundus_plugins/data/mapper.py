"""From a COCO record to what a model reads: the resized photograph and its targets."""

import copy
from collections.abc import Callable

import detectron2.data.transforms as T
import numpy as np
import pycocotools.mask as mask_util
import torch
from detectron2.config import CfgNode, configurable
from detectron2.data import DatasetMapper, detection_utils
from detectron2.structures import BitMasks, Boxes, Instances

from fundus_plugins.data.augmentation import build_fundus_augmentations
from fundus_plugins.data.cache import ArrayCache, file_state
from fundus_plugins.data.structures import CUP, DISC, DiscCupMasks


def build_fundus_mapper(cfg: CfgNode, is_train: bool) -> Callable[[dict], dict]:
    """The dataset mapper that INPUT.TARGETS names: `disc_cup` (DiscCupMapper) or `instances` (Detectron2's own).

    The latter, for Mask R-CNN, gives the disc and the cup as two instances with boxes tight around the augmented
    masks, under the same augmentations but those that must know where the disc is; empty cups give none, nor do
    unknown ones, which it thus takes for empty. Raises ValueError for another name, or for such an augmentation.
    """
    if cfg.INPUT.TARGETS == "disc_cup":
        return DiscCupMapper(cfg, is_train=is_train)
    if cfg.INPUT.TARGETS == "instances":
        if cfg.INPUT.RANDOM_AFFINE.SIDE or cfg.INPUT.BOX_SCALE != 1:
            raise ValueError("INPUT.RANDOM_AFFINE.SIDE and BOX_SCALE need INPUT.TARGETS disc_cup, found instances")
        augmentations = build_fundus_augmentations(cfg, is_train)
        return DatasetMapper(cfg, is_train, augmentations=augmentations, recompute_boxes=is_train)
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
        image_format: of Detectron2's `read_image`.
        cache: a folder that keeps what the first augmentation, the resize, gives; "" to decode and resize every time.
        box_scale: the boxes are the tight ones times this, about their middles, within the image.

    Raises:
        ValueError: a cache, and a first augmentation that differs from call to call.
    """

    @configurable
    def __init__(
        self, is_train: bool, *, augmentations: list, image_format: str, cache: str = "", box_scale: float = 1
    ):
        self.is_train = is_train
        self.fixed = T.AugmentationList(augmentations[:1] if cache else [])
        self.augmentations = T.AugmentationList(augmentations[1:] if cache else augmentations)
        self.image_format = image_format
        self.cache = ArrayCache(cache)
        self.box_scale = box_scale
        if cache and not _is_fixed_resize(augmentations):
            raise ValueError(
                f"DATALOADER.CACHE needs one fixed size to keep, INPUT.MIN_SIZE_TRAIN (n,); found {augmentations[:1]}"
            )

    @classmethod
    def from_config(cls, cfg, is_train: bool = True):
        return {
            "is_train": is_train,
            "augmentations": build_fundus_augmentations(cfg, is_train),
            "image_format": cfg.INPUT.FORMAT,
            "cache": cfg.DATALOADER.CACHE,
            "box_scale": cfg.INPUT.BOX_SCALE,
        }

    def __call__(self, dataset_dict: dict) -> dict:
        dataset_dict = copy.deepcopy(dataset_dict)
        annotations = dataset_dict.pop("annotations", [])
        segmentations = {x["category_id"]: x["segmentation"] for x in reversed(annotations)} if self.is_train else {}
        size = [dataset_dict.get("height"), dataset_dict.get("width")]
        key = [file_state(dataset_dict["file_name"]), size, self.image_format, repr(self.fixed), segmentations]
        kept = self.cache.get(key, lambda: self._read_and_resize(dataset_dict, segmentations))

        disc = kept["masks"][DISC] if self.is_train else None  # for the augmentations that must know where it is
        augmented = T.AugInput(kept["image"], sem_seg=disc)
        transforms = self.augmentations(augmented)
        dataset_dict["image"] = torch.from_numpy(np.ascontiguousarray(augmented.image.transpose(2, 0, 1)))
        if self.is_train:
            masks = np.stack([transforms.apply_segmentation(mask) for mask in kept["masks"]])
            known = [name in segmentations for name in (DISC, CUP)]
            dataset_dict["instances"] = _targets(torch.from_numpy(masks), torch.tensor([known]), self.box_scale)
        return dataset_dict

    def _read_and_resize(self, dataset_dict: dict, segmentations: dict) -> dict[str, np.ndarray]:
        image = detection_utils.read_image(dataset_dict["file_name"], format=self.image_format)
        detection_utils.check_image_size(dataset_dict, image)
        original_size = image.shape[:2]
        augmented = T.AugInput(image)
        transforms = self.fixed(augmented)
        if not self.is_train:
            return {"image": augmented.image}
        masks = [
            decode_segmentation(segmentations[name], original_size)
            if name in segmentations
            else np.zeros(original_size, np.uint8)
            for name in (DISC, CUP)
        ]
        return {"image": augmented.image, "masks": np.stack([transforms.apply_segmentation(mask) for mask in masks])}


def _is_fixed_resize(augmentations: list) -> bool:
    first = augmentations[0] if augmentations else None
    return isinstance(first, T.ResizeShortestEdge) and len(set(first.short_edge_length)) == 1


def _targets(masks: torch.Tensor, known: torch.Tensor, box_scale: float = 1) -> Instances:
    """(2, H, W) uint8 masks of 0 and 1 and whether each, (1, 2), is annotated, to one row, or none without a disc."""
    instances = Instances(tuple(masks.shape[-2:]))
    instances.gt_boxes = scale_boxes(BitMasks(masks[None, DISC].bool()).get_bounding_boxes(), box_scale)
    instances.gt_boxes.clip(instances.image_size)
    instances.gt_classes = torch.full((1,), DISC)
    instances.gt_disc_cup = DiscCupMasks(masks[None], known)
    return instances[masks[None, DISC].bool().flatten(1).any(1)]


def scale_boxes(boxes: Boxes, factor: float) -> Boxes:
    """Boxes `factor` times as wide and high, about their middles."""
    middle, reach = boxes.get_centers(), factor / 2 * (boxes.tensor[:, 2:] - boxes.tensor[:, :2])
    return Boxes(torch.cat([middle - reach, middle + reach], dim=1))


def decode_segmentation(segmentation: dict | list, size: tuple[int, int]) -> np.ndarray:
    """RLE (what our converters write) or polygons (what other tools may write) to an (H, W) uint8 mask of 0 and 1."""
    if isinstance(segmentation, list):
        segmentation = mask_util.merge(mask_util.frPyObjects(segmentation, *size))
    return mask_util.decode(segmentation)
