"""From a COCO record to what a model reads: the resized photograph and its targets."""

import copy
from collections.abc import Callable

import detectron2.data.transforms as T
import numpy as np
import pycocotools.mask as mask_util
import torch
from detectron2.config import CfgNode, configurable
from detectron2.data import DatasetMapper, detection_utils
from detectron2.structures import BitMasks, Instances

from fundus_plugins.structures import DiscCupMasks

from .augmentation import build_fundus_augmentations

DISC, CUP = 0, 1  # contiguous class ids of the segmentation files


def build_fundus_mapper(cfg: CfgNode, is_train: bool) -> Callable[[dict], dict]:
    """The dataset mapper that INPUT.TARGETS names: `disc_cup` (DiscCupMapper) or `instances` (Detectron2's own).

    The latter, for Mask R-CNN, gives the disc and the cup as two instances with boxes tight around the augmented
    masks, under the same augmentations; empty cups give none, nor do unknown ones, which it thus takes for empty.
    Raises ValueError for another name.
    """
    if cfg.INPUT.TARGETS == "disc_cup":
        return DiscCupMapper(cfg, is_train=is_train)
    if cfg.INPUT.TARGETS == "instances":
        augmentations = build_fundus_augmentations(cfg, is_train)
        return DatasetMapper(cfg, is_train, augmentations=augmentations, recompute_boxes=is_train)
    raise ValueError(f"INPUT.TARGETS {cfg.INPUT.TARGETS!r}: expected disc_cup or instances")


class DiscCupMapper:
    """A dataset mapper that turns the disc's and the cup's annotations into one target, the disc with both masks.

    In: a dict as Detectron2's `load_coco_json` gives it. Out: the same with `image` (3, H, W) uint8, in the channel
    order of INPUT.FORMAT, and in training `instances`: at most one row, with `gt_boxes` (XYXY, pixels of the resized
    image, tight around the augmented mask), `gt_classes` 0 and `gt_disc_cup` (DiscCupMasks). An image with no disc
    gives no row; one whose cup is not annotated says so in `gt_disc_cup.known`.
    """

    @configurable
    def __init__(self, is_train: bool, *, augmentations: list, image_format: str):
        self.is_train = is_train
        self.augmentations = T.AugmentationList(augmentations)
        self.image_format = image_format

    @classmethod
    def from_config(cls, cfg, is_train: bool = True):
        return {
            "is_train": is_train,
            "augmentations": build_fundus_augmentations(cfg, is_train),
            "image_format": cfg.INPUT.FORMAT,
        }

    def __call__(self, dataset_dict: dict) -> dict:
        dataset_dict = copy.deepcopy(dataset_dict)
        image = detection_utils.read_image(dataset_dict["file_name"], format=self.image_format)
        detection_utils.check_image_size(dataset_dict, image)
        augmented = T.AugInput(image)
        transforms = self.augmentations(augmented)
        dataset_dict["image"] = torch.from_numpy(np.ascontiguousarray(augmented.image.transpose(2, 0, 1)))
        annotations = dataset_dict.pop("annotations", [])
        if self.is_train:
            dataset_dict["instances"] = _targets(annotations, transforms, image.shape[:2])
        return dataset_dict


def _targets(annotations: list[dict], transforms: T.Transform, original_size: tuple[int, int]) -> Instances:
    masks, known = [], []
    for wanted in (DISC, CUP):
        found = [x for x in annotations if x["category_id"] == wanted]
        original = _decode(found[0]["segmentation"], original_size) if found else np.zeros(original_size, np.uint8)
        masks.append(transforms.apply_segmentation(original))
        known.append(bool(found))
    masks = torch.from_numpy(np.stack(masks))[None]
    instances = Instances(tuple(masks.shape[-2:]))
    instances.gt_boxes = BitMasks(masks[:, DISC].bool()).get_bounding_boxes()
    instances.gt_classes = torch.full((1,), DISC)
    instances.gt_disc_cup = DiscCupMasks(masks, torch.tensor([known]))
    return instances[masks[:, DISC].bool().flatten(1).any(1)]


def _decode(segmentation: dict | list, size: tuple[int, int]) -> np.ndarray:
    """RLE (what our converters write) or polygons (what other tools may write) to an (H, W) uint8 mask of 0 and 1."""
    if isinstance(segmentation, list):
        segmentation = mask_util.merge(mask_util.frPyObjects(segmentation, *size))
    return mask_util.decode(segmentation)
