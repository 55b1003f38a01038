"""The augmentations a config asks for, all of them Detectron2's own."""

import detectron2.data.transforms as T
from detectron2.config import CfgNode
from detectron2.data.detection_utils import build_augmentation


def build_fundus_augmentations(cfg: CfgNode, is_train: bool) -> list[T.Augmentation]:
    """Resize by INPUT.MIN_SIZE_* and MAX_SIZE_*, then, in training, flips and right-angle rotations (section 4.2)."""
    augmentations = build_augmentation(cfg, is_train)
    if is_train and cfg.INPUT.RANDOM_FLIP_VERTICAL:
        augmentations.append(T.RandomFlip(horizontal=False, vertical=True))
    if is_train and cfg.INPUT.RANDOM_ROTATE_90:
        augmentations.append(T.RandomRotation([0, 90, 180, 270], expand=True, sample_style="choice"))
    return augmentations
