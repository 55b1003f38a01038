"""The models' parts; importing this package registers them with Detectron2."""

from fundus_plugins.requirements import require_detectron2

require_detectron2()

from fundus_plugins.modeling.backbone import (
    TimmBackbone,
    build_fundus_timm_backbone,
    build_fundus_timm_fpn_backbone,
    build_fundus_timm_fpn_p6_backbone,
    build_fundus_timm_fpn_p6p7_backbone,
)
from fundus_plugins.modeling.grade_classifier import GradeClassifier
from fundus_plugins.modeling.losses import build_mask_loss
from fundus_plugins.modeling.mask_head import RFNetMaskHead
from fundus_plugins.modeling.poolers import FusionFeaturePooler
from fundus_plugins.modeling.ranking_cnn import RankingCNN, SoftmaxCNN
from fundus_plugins.modeling.roi_heads import RFNetROIHeads
from fundus_plugins.modeling.segmentation import DISC_CUP_NETWORK_REGISTRY, DiscCupSegmentor, Maps
from fundus_plugins.modeling.two_stage import TwoStageRankingCNN, TwoStageSoftmaxCNN

__all__ = [
    "DISC_CUP_NETWORK_REGISTRY",
    "DiscCupSegmentor",
    "FusionFeaturePooler",
    "GradeClassifier",
    "Maps",
    "RFNetMaskHead",
    "RFNetROIHeads",
    "RankingCNN",
    "SoftmaxCNN",
    "TimmBackbone",
    "TwoStageRankingCNN",
    "TwoStageSoftmaxCNN",
    "build_fundus_timm_backbone",
    "build_fundus_timm_fpn_backbone",
    "build_fundus_timm_fpn_p6_backbone",
    "build_fundus_timm_fpn_p6p7_backbone",
    "build_mask_loss",
]
