"""The augmentations a config asks for, in their order."""

import detectron2.data.transforms as T
from detectron2.config import CfgNode
from detectron2.data.detection_utils import build_augmentation

from fundus_plugins.data.augmentation.affine import RandomAffine
from fundus_plugins.data.augmentation.cup_size import RandomCupSize
from fundus_plugins.data.augmentation.disc_crop import RandomDiscCrop
from fundus_plugins.data.augmentation.photometric import RandomPhotometric

UNCHANGED = {"light": 0, "tone": 0, "blur": 0, "noise": 0, "jpeg": 100, "cutout": 0}


def build_fundus_augmentations(cfg: CfgNode, is_train: bool) -> list[T.Augmentation]:
    """Resize by INPUT.MIN_SIZE_* and MAX_SIZE_*, then, in training, flips and right-angle rotations (section 4.2).

    INPUT.CROP, where it is enabled, comes before in training, as in Detectron2's own mapper. INPUT.DISC_CROP comes
    after the resizing: squares are the same before and after flips, which are quicker on a smaller picture. After all
    these come INPUT.RANDOM_AFFINE, INPUT.CUP_SIZES (quicker on it, too) and INPUT.PHOTOMETRIC, ours. Raises ValueError
    for what these cannot do.
    """
    augmentations = build_augmentation(cfg, is_train)
    crop = cfg.INPUT.DISC_CROP
    if is_train and crop.ABOUT != "none":
        augmentations.insert(1, RandomDiscCrop(crop.DIAMETERS, crop.SIDE, crop.JITTER))
    if is_train and cfg.INPUT.CROP.ENABLED:
        augmentations.insert(0, T.RandomCrop(cfg.INPUT.CROP.TYPE, cfg.INPUT.CROP.SIZE))
    if is_train and cfg.INPUT.RANDOM_FLIP_VERTICAL:
        augmentations.append(T.RandomFlip(horizontal=False, vertical=True))
    if is_train and cfg.INPUT.RANDOM_ROTATE_90:
        augmentations.append(T.RandomRotation([0, 90, 180, 270], expand=True, sample_style="choice"))
    view, camera = cfg.INPUT.RANDOM_AFFINE, {key.lower(): value for key, value in cfg.INPUT.PHOTOMETRIC.items()}
    if is_train and view.SIDE:
        ranges = view.DISC_SIZES, view.ROTATION, view.SHIFT, view.SHEAR
        augmentations.append(RandomAffine(view.SIDE, *ranges, closer=view.CLOSER, crop=cfg.TEST.CROP))
    if is_train and tuple(cfg.INPUT.CUP_SIZES) != (1, 1):
        augmentations.append(RandomCupSize(cfg.INPUT.CUP_SIZES))
    if is_train and camera != UNCHANGED:
        if cfg.INPUT.FORMAT != "RGB":
            raise ValueError(f"INPUT.PHOTOMETRIC changes RGB photographs; found INPUT.FORMAT {cfg.INPUT.FORMAT}")
        augmentations.append(RandomPhotometric(**camera))
    return augmentations
