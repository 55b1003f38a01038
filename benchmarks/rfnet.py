"""RF-Net as a contender: the stock path and the fast one, with trained or random weights."""

import os
import tempfile
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data.detection_utils import read_image
from detectron2.layers import ROIAlign as StockROIAlign
from detectron2.modeling import build_model
from torch import nn

from benchmarks.contender import Contender, Masks
from benchmarks.settings import Settings
from benchmarks.timing import spans
from fundus_plugins.config import without_weights
from fundus_plugins.engine.precision import resolve_precision
from fundus_plugins.modeling.roi_align import ROIAlign
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.prediction.predictor import FundusPredictor
from fundus_plugins.weights.loading import load_trained_weights

RCNN_PARTS = {
    "trunk": "backbone.bottom_up",
    "FPN": "backbone",
    "RPN": "proposal_generator",
    "box head": "roi_heads.box",
    "mask head": "roi_heads.mask",
}


def rfnet_contenders(settings: Settings) -> dict:
    """Name to a function that builds the Contender: for each config the stock path and the fast ones."""
    builders = {}
    for name, cfg in settings.configs().items():
        builders[stock_name(f"RF-Net {name}")] = partial(build_stock, cfg, settings.boxes)
        for precision in dict.fromkeys((torch.float32, resolve_precision("auto", "cpu"))):
            builders[f"RF-Net {name}, fast, {type_name(precision)}"] = partial(
                build_fast, cfg, settings.boxes, precision
            )
    return builders


def stock_name(name: str) -> str:
    """The name of the stock path of the same config as the contender `name`."""
    return f"{name.partition(',')[0]}, stock path"


def type_name(precision: torch.dtype) -> str:
    """As TEST.PRECISION names it."""
    return str(precision).removeprefix("torch.")


def build_fast(cfg: CfgNode, boxes: int, precision: torch.dtype) -> Contender:
    """FundusPredictor as it is."""
    return _contender(_predictor(cfg, boxes, type_name(precision)), precision, read_photograph)


def build_stock(cfg: CfgNode, boxes: int) -> Contender:
    """The same model as Detectron2 alone would run it: float32, contiguous, nothing folded, torchvision's ROIAlign."""
    predictor = _predictor(cfg, boxes, "float32")
    predictor.finder.model = None  # the two models are never in memory together, so that neither counts for the other
    predictor.finder.model = build_stock_model(cfg, boxes)
    return _contender(predictor, torch.float32, partial(read_image, format="RGB"))


def _predictor(cfg: CfgNode, boxes: int, precision: str) -> FundusPredictor:
    cfg = inference_config(cfg, boxes)
    cfg.TEST.PRECISION = precision
    if cfg.MODEL.WEIGHTS:
        return FundusPredictor(cfg)
    with tempfile.TemporaryDirectory() as folder:  # FundusPredictor takes no model without a checkpoint, rightly
        cfg.MODEL.WEIGHTS = os.path.join(folder, "random.pth")
        torch.save(_seeded_model(cfg).state_dict(), cfg.MODEL.WEIGHTS)
        return FundusPredictor(cfg)


def build_stock_model(cfg: CfgNode, boxes: int) -> nn.Module:
    """RF-Net in eval mode without anything of ours that makes it fast."""
    cfg = inference_config(cfg, boxes)
    if cfg.MODEL.WEIGHTS:
        model = build_model(without_weights(cfg))
        load_trained_weights(model, cfg.MODEL.WEIGHTS)
    else:
        model = _seeded_model(cfg)
    use_stock_roi_align(model)
    return model.eval()


def inference_config(cfg: CfgNode, boxes: int) -> CfgNode:
    """A copy of `cfg`; without trained weights every photograph gives its `boxes` best boxes, whatever their score."""
    cfg = cfg.clone()
    if not cfg.MODEL.WEIGHTS:
        cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = 0.0
        cfg.TEST.DETECTIONS_PER_IMAGE = boxes
    return cfg


def _seeded_model(cfg: CfgNode) -> nn.Module:
    torch.manual_seed(0)
    return build_model(cfg)


def use_stock_roi_align(model: nn.Module) -> None:
    """Put Detectron2's ROIAlign, torchvision's kernel, in the place of ours."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, ROIAlign):
                stock = StockROIAlign(child.output_size, child.spatial_scale, child.sampling_ratio, aligned=True)
                setattr(module, name, stock)


def _contender(predictor: FundusPredictor, precision: torch.dtype, read: Callable[[str], np.ndarray]) -> Contender:
    def prepare(path: str) -> dict:
        return predictor.prepare(read(path))

    def predict(prepared: dict) -> Masks:
        prediction = predictor.predict_prepared([prepared])[0]
        return prediction.disc, prediction.cup

    return Contender(predictor.finder.model, RCNN_PARTS, precision, prepare, predict, partial(stage_seconds, predictor))


def stage_seconds(predictor: FundusPredictor, prepared: dict) -> dict[str, float]:
    """Seconds of each stage of one prediction; they add up to all of it."""
    model = predictor.finder.model
    heads = model.roi_heads
    modules = {
        "model": model,
        "trunk": model.backbone.bottom_up,
        "FPN": model.backbone,
        "RPN": model.proposal_generator,
        "heads": heads,
        "box pooling": heads.box_pooler,
        "box head": heads.box_head,
        "box predictor": heads.box_predictor,
        "mask pooling": heads.mask_pooler,
        "mask head": heads.mask_head,
    }
    with spans(modules) as found:
        start = time.perf_counter()
        predictor.predict_prepared([prepared])
        end = time.perf_counter()
    seconds = {name: sum(b - a for a, b in calls) for name, calls in found.items()}
    in_heads = ("box pooling", "box head", "box predictor", "mask pooling", "mask head")
    stages = {
        "normalising": found["FPN"][0][0] - found["model"][0][0],
        "trunk": seconds["trunk"],
        "FPN": seconds["FPN"] - seconds["trunk"],
        "RPN": seconds["RPN"],
        "box pooling": seconds["box pooling"],
        "box head": seconds["box head"] + seconds["box predictor"],
        "choice of boxes": seconds["heads"] - sum(seconds[name] for name in in_heads),
        "mask pooling": seconds["mask pooling"],
        "mask head": seconds["mask head"],
        "pasting": found["model"][0][1] - found["heads"][0][1],
    }
    return stages | {"the rest": (end - start) - sum(stages.values())}
