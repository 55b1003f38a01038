"""Detectron2 plugins for the optic disc, the optic cup and glaucoma; importing this package registers its parts.

What is public is loaded when it is first asked for. Without Detectron2 the package can be imported, and what needs it
raises ImportError.
"""

import importlib
from typing import TYPE_CHECKING

from .registration import register_with_detectron2
from .requirements import MISSING

if TYPE_CHECKING:
    from .config import add_fundus_config, get_fundus_cfg
    from .data.grading_mapper import GradingMapper
    from .data.mapper import DiscAndCupMapper, DiscCupMapper, build_fundus_mapper
    from .data.registration import register_fundus_datasets
    from .data.structures import DiscCupMasks
    from .engine.train import train
    from .engine.trainer import FundusTrainer
    from .evaluation import DiscCupEvaluator, GradingEvaluator, RefugeMaskWriter
    from .modeling import (
        DISC_CUP_NETWORK_REGISTRY,
        DiscCupSegmentor,
        FusionFeaturePooler,
        GradeClassifier,
        Maps,
        RankingCNN,
        RFNetMaskHead,
        RFNetROIHeads,
        SoftmaxCNN,
        TimmBackbone,
        TwoStageRankingCNN,
        TwoStageSoftmaxCNN,
        build_fundus_timm_backbone,
        build_fundus_timm_fpn_backbone,
        build_fundus_timm_fpn_p6_backbone,
        build_fundus_timm_fpn_p6p7_backbone,
        build_mask_loss,
    )
    from .modeling.cam import class_activation_maps
    from .prediction.predictor import FundusPredictor
    from .prediction.release import release_cfg
    from .prediction.result import FundusPrediction

__version__ = "0.2.0"

_MODULES = {
    "config": ("add_fundus_config", "get_fundus_cfg"),
    "data.grading_mapper": ("GradingMapper",),
    "data.mapper": ("DiscAndCupMapper", "DiscCupMapper", "build_fundus_mapper"),
    "data.registration": ("register_fundus_datasets",),
    "data.structures": ("DiscCupMasks",),
    "engine.train": ("train",),
    "engine.trainer": ("FundusTrainer",),
    "evaluation": ("DiscCupEvaluator", "GradingEvaluator", "RefugeMaskWriter"),
    "modeling": (
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
    ),
    "modeling.cam": ("class_activation_maps",),
    "prediction.predictor": ("FundusPredictor",),
    "prediction.release": ("release_cfg",),
    "prediction.result": ("FundusPrediction",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "detectron2":
            raise
        raise ImportError(MISSING) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})


register_with_detectron2()
