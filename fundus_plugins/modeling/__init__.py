"""The models' parts; importing this package registers them with Detectron2."""

from .backbone import TimmBackbone, build_timm_backbone, build_timm_fpn_backbone
from .mask_head import RFNetMaskHead
from .poolers import FusionFeaturePooler
from .roi_heads import RFNetROIHeads

__all__ = [
    "FusionFeaturePooler",
    "RFNetMaskHead",
    "RFNetROIHeads",
    "TimmBackbone",
    "build_timm_backbone",
    "build_timm_fpn_backbone",
]
