"""Names that configuration keys and backbones had in 0.1, still read."""

from collections.abc import Callable

from detectron2.config import CfgNode

# Names of 0.1 -> the names they have now. They are still read from files and command lines, for one release. Detic has
# a MODEL.TIMM, too, and Panoptic-DeepLab and Mask2Former have a SOLVER.OPTIMIZER.
OLD_NAMES = {
    **{f"MODEL.TIMM.{x}": f"MODEL.FUNDUS_TIMM.{x}" for x in ("NAME", "PRETRAINED", "WEIGHTS", "FREEZE_AT")},
    "SOLVER.OPTIMIZER": "SOLVER.FUNDUS_OPTIMIZER",
    "TEST.CLOSER": "TEST.CROP",
    "TEST.CLOSER_SIDE": "TEST.CROP_SIDE",
    **{f"INPUT.VIEW.{x}": f"INPUT.RANDOM_AFFINE.{x}" for x in ("SIDE", "DISC_SIZES", "ROTATION", "SHIFT", "SHEAR")},
    **{f"INPUT.CAMERA.{x}": f"INPUT.PHOTOMETRIC.{x}" for x in ("LIGHT", "TONE", "BLUR", "NOISE", "JPEG", "CUTOUT")},
}

# Old names of backbones, the same way.
OLD_BACKBONES = {
    "build_timm_backbone": "build_fundus_timm_backbone",
    "build_timm_fpn_backbone": "build_fundus_timm_fpn_backbone",
}


def merge_with_old_names(cfg: CfgNode, merge: Callable[[CfgNode], None]) -> list[str]:
    """Call `merge`, which merges something into `cfg`, and move what it set under OLD_NAMES to the names of now.

    Returns the old names that were used.
    """
    made = []
    for old in OLD_NAMES:
        node = cfg
        for part in old.split(".")[:-1]:
            if part not in node:
                node[part] = CfgNode()
                made.append((node, part))
            node = node[part]
        node[old.split(".")[-1]] = None
    merge(cfg)
    used = []
    for old, new in OLD_NAMES.items():
        section, _, key = old.rpartition(".")
        node = cfg
        for part in section.split("."):
            node = node[part]
        value = node.pop(key)
        if value is not None:
            cfg.merge_from_list([new, value])
            used.append(old)
    for node, section in made:
        del node[section]
    backbone = cfg.MODEL.BACKBONE
    if backbone.NAME in OLD_BACKBONES:
        used.append(backbone.NAME)
        backbone.NAME = OLD_BACKBONES[backbone.NAME]
    return used
