"""FundusPredictor: a photograph in; the optic disc, the optic cup and the vertical cup-to-disc ratio out."""

from dataclasses import dataclass

import numpy as np
from detectron2.config import CfgNode
from detectron2.engine import DefaultPredictor
from detectron2.structures import Instances

from .evaluation.disc_cup import best_disc_and_cup
from .evaluation.morphometry import vertical_cup_to_disc_ratio
from .weights import load_trained_weights


@dataclass(frozen=True)
class FundusPrediction:
    """What was found in one photograph of H x W pixels.

    Attributes:
        disc, cup: (H, W) bool, the cup within the disc; empty where nothing was found.
        score: of the detected disc, 0 to 1; nan where none was detected.
        vcdr: vertical cup-to-disc ratio; nan without a disc.
        instances: everything the model gave, on the CPU, for Detectron2's tools.
    """

    disc: np.ndarray
    cup: np.ndarray
    score: float
    vcdr: float
    instances: Instances


class FundusPredictor:
    """Runs a trained model on one photograph at a time, over Detectron2's DefaultPredictor.

    Args:
        cfg: a full config; MODEL.WEIGHTS names the trained checkpoint.

    Raises:
        FileNotFoundError, RuntimeError: as `load_trained_weights`.
    """

    def __init__(self, cfg: CfgNode):
        self._predictor = DefaultPredictor(without_weights(cfg))
        load_trained_weights(self._predictor.model, cfg.MODEL.WEIGHTS)

    def __call__(self, image: np.ndarray) -> FundusPrediction:
        """Predict for an (H, W, 3) uint8 RGB photograph of any size."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected an (H, W, 3) uint8 RGB image, found {image.shape} {image.dtype}")
        instances = self._predictor(image[:, :, ::-1])["instances"].to("cpu")
        disc, cup, score = best_disc_and_cup(instances, image.shape[:2])
        vcdr = vertical_cup_to_disc_ratio(disc, cup) if disc.any() else float("nan")
        return FundusPrediction(disc, cup, score, vcdr, instances)


def without_weights(cfg: CfgNode) -> CfgNode:
    """A copy of `cfg` that loads nothing: neither a checkpoint nor the backbone's pretrained weights."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.WEIGHTS = cfg.MODEL.TIMM.WEIGHTS = cfg.MODEL.GRADING.STAGE1_WEIGHTS = ""
    cfg.MODEL.TIMM.PRETRAINED = False
    return cfg
