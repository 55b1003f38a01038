"""FundusPredictor: a photograph in; the optic disc, the optic cup and the vertical cup-to-disc ratio out."""

import os
from dataclasses import dataclass

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.engine import DefaultPredictor
from detectron2.structures import Instances
from torch import nn

from .evaluation.disc_cup import best_disc_and_cup
from .evaluation.morphometry import vertical_cup_to_disc_ratio


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
    cfg.MODEL.WEIGHTS = cfg.MODEL.TIMM.WEIGHTS = ""
    cfg.MODEL.TIMM.PRETRAINED = False
    return cfg


def load_trained_weights(model: nn.Module, path: str) -> None:
    """Load a checkpoint of a training run, all of it or nothing, and without running any code it may hold.

    Detectron2's checkpointer goes on with random weights where a file or a tensor is missing; no patient should meet
    those.

    Raises:
        FileNotFoundError: no such file, or no path.
        RuntimeError: the checkpoint does not fit the model, or is no checkpoint.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"MODEL.WEIGHTS: no file {path!r}; it must name a trained checkpoint")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(state.get("model", state))
    except Exception as error:
        raise RuntimeError(f"MODEL.WEIGHTS: {path} does not fit the model of this config: {error}") from error
