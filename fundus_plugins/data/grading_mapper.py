"""From a COCO record to what the grading models read: the square photograph and its grade."""

import copy
from collections.abc import Sequence
from pathlib import Path

import detectron2.data.transforms as T
import numpy as np
import torch
from detectron2.config import configurable

from fundus_plugins.data.cache import ArrayCache, file_state
from fundus_plugins.data.reading import read_record
from fundus_plugins.data.registration import read_grading_set
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.squares import crop_square, disc_square


class GradingMapper:
    """A dataset mapper for the grading files (`<set>_<split>_grading`).

    In: a dict as `grading_records` or Detectron2's `load_coco_json` give it. Out: the same without annotations, with
    `image` (3, S, S) uint8 in the channel order of INPUT.FORMAT, and, where the photograph is graded, `grade`: an int,
    its place in MODEL.GRADING.GRADES. The whole photograph is resized to the square (section 3.1): nothing is cropped
    or padded. With `crop_diameters` it is the square about the disc instead. A disc that is known stays as `disc_box`,
    (4,) float32 XYXY in pixels of the square.

    Args:
        is_train: whether to augment.
        categories: the data set's names of its contiguous category ids.
        grades: names of the grades, in order.
        augmentations: Detectron2's, of the square.
        side: of the square, pixels.
        image_format: "RGB" or "BGR".
        crop_diameters: side of the square about the disc, in diameters of the disc; 0: the whole photograph.
        cache: a folder that keeps the squares; "" to decode and resize every time.

    Raises:
        ValueError: a photograph's grade is not among `grades`; another image format.
        BadInput: of a call, whatever is wrong with the photograph; no disc is known where a crop wants it.
    """

    @configurable
    def __init__(
        self,
        is_train: bool,
        *,
        categories: list[str],
        grades: list[str],
        augmentations: list,
        side: int,
        image_format: str,
        crop_diameters: float = 0.0,
        cache: str = "",
    ):
        self.categories = list(categories)
        self.grades = list(grades)
        self.augmentations = T.AugmentationList(augmentations)
        self.image_format = image_format
        self.side = side
        self.crop_diameters = crop_diameters
        self.cache = ArrayCache(cache)
        if image_format not in ("RGB", "BGR"):
            raise ValueError(f"INPUT.FORMAT {image_format!r}: expected RGB or BGR")

    @classmethod
    def from_config(cls, cfg, is_train: bool = True, dataset_name: str = ""):
        """`dataset_name`: a registered set that says the categories' names; default the first of DATASETS.TRAIN."""
        _, categories = read_grading_set(dataset_name or cfg.DATASETS.TRAIN[0])
        return {
            "is_train": is_train,
            "categories": categories,
            "grades": cfg.MODEL.GRADING.GRADES,
            "augmentations": build_grading_augmentations(cfg) if is_train else [],
            "side": cfg.INPUT.SQUARE_SIZE,
            "image_format": cfg.INPUT.FORMAT,
            "crop_diameters": cfg.MODEL.GRADING.DISC_DIAMETERS if cfg.MODEL.GRADING.MASK == "crop" else 0.0,
            "cache": cfg.DATALOADER.CACHE,
        }

    def __call__(self, dataset_dict: dict) -> dict:
        dataset_dict = copy.deepcopy(dataset_dict)
        box = dataset_dict.pop("disc_box", None)
        key = [file_state(dataset_dict["file_name"]), box, self.crop_diameters, self.side] if self.cache.folder else []
        kept = self.cache.get(key, lambda: self._square(dataset_dict, box))
        image = kept["image"] if self.image_format == "RGB" else kept["image"][:, :, ::-1]
        augmented = T.AugInput(image, boxes=None if box is None else kept["box"][None].astype(float))
        self.augmentations(augmented)
        dataset_dict["image"] = torch.from_numpy(np.ascontiguousarray(augmented.image.transpose(2, 0, 1)))
        if box is not None:
            dataset_dict["disc_box"] = torch.as_tensor(augmented.boxes[0], dtype=torch.float32)
        annotations = dataset_dict.pop("annotations", [])
        if annotations:
            name = self.categories[annotations[0]["category_id"]]
            if name not in self.grades:
                raise ValueError(
                    f"{dataset_dict['file_name']}: expected a grade of MODEL.GRADING.GRADES {self.grades}, found {name}"
                )
            dataset_dict["grade"] = self.grades.index(name)
        return dataset_dict

    def _square(self, record: dict, box: Sequence[float] | None) -> dict[str, np.ndarray]:
        """The whole photograph or the square about its disc, RGB, resized to the square, and the disc's box in that."""
        image = read_record(record, "RGB")
        if self.crop_diameters:
            image, box = _about_the_disc(image, box, self.crop_diameters, record["file_name"])
        resized = T.AugInput(image, boxes=None if box is None else np.array([box], float))
        T.Resize((self.side, self.side))(resized)
        return {"image": resized.image} | ({} if box is None else {"box": resized.boxes[0]})


def _about_the_disc(
    image: np.ndarray, box: Sequence[float] | None, diameters: float, name: str
) -> tuple[np.ndarray, list[float]]:
    """The square about a disc, and the disc's box in it."""
    if box is None:
        expected = "a disc_box, which fundus find-discs writes (MODEL.GRADING.MASK crop)"
        raise BadInput("no disc known", Path(name), expected, "none")
    square = disc_square(box, diameters)
    left, top = round(square[0]), round(square[1])
    return crop_square(image, square), [box[0] - left, box[1] - top, box[2] - left, box[3] - top]


def build_grading_augmentations(cfg) -> list[T.Augmentation]:
    """Of the square, in training: zoom and flips (section 3.1), and right angles if asked for.

    A zoom keeps the picture's centre; zooming out leaves a black edge. Raises ValueError for INPUT.CROP.
    """
    if cfg.INPUT.CROP.ENABLED:
        raise ValueError("INPUT.CROP.ENABLED: a grade is of the whole photograph, which is not cropped at random")
    augmentations = []
    zoom = cfg.INPUT.RANDOM_ZOOM
    if zoom:
        augmentations.append(T.RandomExtent(scale_range=(1 - zoom, 1 + zoom), shift_range=(0, 0)))
        augmentations.append(T.Resize((cfg.INPUT.SQUARE_SIZE, cfg.INPUT.SQUARE_SIZE)))
    if cfg.INPUT.RANDOM_FLIP == "horizontal":
        augmentations.append(T.RandomFlip())
    if cfg.INPUT.RANDOM_FLIP_VERTICAL or cfg.INPUT.RANDOM_FLIP == "vertical":
        augmentations.append(T.RandomFlip(horizontal=False, vertical=True))
    if cfg.INPUT.RANDOM_ROTATE_90:
        augmentations.append(T.RandomRotation([0, 90, 180, 270], expand=True, sample_style="choice"))
    return augmentations
