"""The models' parts; importing this package registers them with Detectron2."""

from .backbone import TimmBackbone, build_timm_backbone, build_timm_fpn_backbone
from .grade_classifier import GradeClassifier
from .mask_head import RFNetMaskHead
from .poolers import FusionFeaturePooler
from .ranking_cnn import RankingCNN, SoftmaxCNN
from .roi_heads import RFNetROIHeads
from .two_stage import TwoStageRankingCNN, TwoStageSoftmaxCNN

__all__ = [
    "FusionFeaturePooler",
    "GradeClassifier",
    "RFNetMaskHead",
    "RFNetROIHeads",
    "RankingCNN",
    "SoftmaxCNN",
    "TimmBackbone",
    "TwoStageRankingCNN",
    "TwoStageSoftmaxCNN",
    "build_timm_backbone",
    "build_timm_fpn_backbone",
]
