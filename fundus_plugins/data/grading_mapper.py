"""From a COCO record to what the grading models read: the square photograph and its grade."""

import copy

import detectron2.data.transforms as T
import numpy as np
import torch
from detectron2.config import configurable
from detectron2.data import DatasetCatalog, MetadataCatalog

from fundus_plugins.data.reading import read_record


class GradingMapper:
    """A dataset mapper for the grading files (`<set>_<split>_grading`).

    In: a dict as Detectron2's `load_coco_json` gives it. Out: the same without annotations, with `image` (3, S, S)
    uint8 in the channel order of INPUT.FORMAT, and, where the photograph is graded, `grade`: an int, its place in
    MODEL.GRADING.GRADES. The whole photograph is resized to the square (sections 3.1): nothing is cropped or padded.

    Args:
        is_train: whether to augment.
        categories: the data set's names of its contiguous category ids.
        grades: names of the grades, in order.
        augmentations: Detectron2's.
        image_format: "RGB" or "BGR".

    Raises:
        ValueError: a photograph's grade is not among `grades`; another image format.
        BadInput: of a call, whatever is wrong with the photograph.
    """

    @configurable
    def __init__(
        self, is_train: bool, *, categories: list[str], grades: list[str], augmentations: list, image_format: str
    ):
        self.categories = list(categories)
        self.grades = list(grades)
        self.augmentations = T.AugmentationList(augmentations)
        self.image_format = image_format
        if image_format not in ("RGB", "BGR"):
            raise ValueError(f"INPUT.FORMAT {image_format!r}: expected RGB or BGR")

    @classmethod
    def from_config(cls, cfg, is_train: bool = True, dataset_name: str = ""):
        """`dataset_name`: a registered set that says the categories' names; default the first of DATASETS.TRAIN.

        Raises ValueError for DATALOADER.CACHE: photographs are zoomed before they are resized, each time otherwise.
        """
        if cfg.DATALOADER.CACHE:
            raise ValueError(
                f"DATALOADER.CACHE {cfg.DATALOADER.CACHE}: cannot keep photographs for grading; leave it out"
            )
        name = dataset_name or cfg.DATASETS.TRAIN[0]
        if not MetadataCatalog.get(name).get("thing_classes"):
            DatasetCatalog.get(name)  # a set in COCO format knows its categories once it is read
        return {
            "is_train": is_train,
            "categories": MetadataCatalog.get(name).thing_classes,
            "grades": cfg.MODEL.GRADING.GRADES,
            "augmentations": build_grading_augmentations(cfg, is_train),
            "image_format": cfg.INPUT.FORMAT,
        }

    def __call__(self, dataset_dict: dict) -> dict:
        dataset_dict = copy.deepcopy(dataset_dict)
        augmented = T.AugInput(read_record(dataset_dict, self.image_format))
        self.augmentations(augmented)
        dataset_dict["image"] = torch.from_numpy(np.ascontiguousarray(augmented.image.transpose(2, 0, 1)))
        annotations = dataset_dict.pop("annotations", [])
        if annotations:
            name = self.categories[annotations[0]["category_id"]]
            if name not in self.grades:
                raise ValueError(
                    f"{dataset_dict['file_name']}: expected a grade of MODEL.GRADING.GRADES {self.grades}, found {name}"
                )
            dataset_dict["grade"] = self.grades.index(name)
        return dataset_dict


def build_grading_augmentations(cfg, is_train: bool) -> list[T.Augmentation]:
    """Resize to INPUT.SQUARE_SIZE; in training with zoom and flips (section 3.1), and right angles if asked for.

    A zoom keeps the picture's centre; zooming out leaves a black edge.
    """
    augmentations = []
    zoom = cfg.INPUT.RANDOM_ZOOM
    if is_train and zoom:
        augmentations.append(T.RandomExtent(scale_range=(1 - zoom, 1 + zoom), shift_range=(0, 0)))
    augmentations.append(T.Resize((cfg.INPUT.SQUARE_SIZE, cfg.INPUT.SQUARE_SIZE)))
    if is_train and cfg.INPUT.RANDOM_FLIP == "horizontal":
        augmentations.append(T.RandomFlip())
    if is_train and (cfg.INPUT.RANDOM_FLIP_VERTICAL or cfg.INPUT.RANDOM_FLIP == "vertical"):
        augmentations.append(T.RandomFlip(horizontal=False, vertical=True))
    if is_train and cfg.INPUT.RANDOM_ROTATE_90:
        augmentations.append(T.RandomRotation([0, 90, 180, 270], expand=True, sample_style="choice"))
    return augmentations
