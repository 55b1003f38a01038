"""FundusPredictor: a photograph in; the optic disc, the optic cup and the vertical cup-to-disc ratio out."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from detectron2.config import CfgNode
from detectron2.data import transforms as T
from detectron2.modeling import build_model
from detectron2.structures import Instances
from PIL import Image
from torch import nn

from fundus_plugins.config import without_weights
from fundus_plugins.engine.memory import keep_freed_memory
from fundus_plugins.engine.precision import resolve_precision
from fundus_plugins.evaluation.disc_cup import best_disc_and_cup
from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio
from fundus_plugins.measures.shape import ellipse_iou, regular_disc_and_cup, towards_ellipses
from fundus_plugins.modeling.backbone import TimmBackbone
from fundus_plugins.modeling.folding import fold_batch_norms
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.prediction.tta import FLIPS, predict_in_views
from fundus_plugins.weights.loading import load_trained_weights

READ_AHEAD = 2  # photographs
AnyPath = TypeVar("AnyPath", bound=str | os.PathLike)

NO_DISC, AT_EDGE = "no disc", "cut off by the edge"
AGREEMENT, SHAPE = "views disagree", "not the shape of a disc"


@dataclass(frozen=True)
class FundusPrediction:
    """What was found in one photograph of H x W pixels.

    Attributes:
        disc, cup: (H, W) bool, the cup within the disc; empty where nothing was found. With TEST.REGULAR_SHAPE of
            the shape that `regular_disc_and_cup` gives, with TEST.ELLIPSE_WEIGHT then drawn `towards_ellipses`.
        score: of the detected disc, 0 to 1; nan where none was detected.
        vcdr: vertical cup-to-disc ratio; nan without a disc.
        vcdr_interval: TEST.VCDR_MARGIN to either side of it, within 0 to 1; nan without a disc or a margin, and for a
            disc that the picture's edge cuts off.
        agreement: of the views' masks, 0 to 1 (see `tta.Detection`), 0 if the crop does not show the
            disc again; nan without a disc or with one view.
        ellipse: how much like an ellipse the disc was before that, 0 to 1 (`ellipse_iou`); nan without a disc.
        flags: why someone should review it, of NO_DISC, AT_EDGE, AGREEMENT (below TEST.FLAG_BELOW) and SHAPE (`ellipse`
            below TEST.FLAG_ELLIPSE_BELOW: other bright things are rarely ellipses).
        instances: everything the model gave, as it gave it, on the CPU, for Detectron2's tools.
    """

    disc: np.ndarray
    cup: np.ndarray
    score: float
    vcdr: float
    vcdr_interval: tuple[float, float]
    agreement: float
    ellipse: float
    flags: tuple[str, ...]
    instances: Instances

    @property
    def flagged(self) -> bool:
        """Whether someone should review it."""
        return bool(self.flags)


class FundusPredictor:
    """Runs a trained model on photographs: batch norms folded, channels-last, in TEST.PRECISION.

    With TEST.FLIPS or TEST.CROP it sees each photograph in several views; the model is then RF-Net. On a CPU
    the process keeps some of the memory that it frees (`keep_freed_memory`).

    Args:
        cfg: a full config; MODEL.WEIGHTS names the trained checkpoint.

    Raises:
        FileNotFoundError, RuntimeError: as `load_trained_weights`.
        ValueError: an unknown TEST.FLIPS.
    """

    def __init__(self, cfg: CfgNode):
        if cfg.MODEL.DEVICE == "cpu":
            keep_freed_memory()
        self.model = build_model(without_weights(cfg))
        load_trained_weights(self.model, cfg.MODEL.WEIGHTS)
        self.model.eval()
        precision = resolve_precision(cfg.TEST.PRECISION, cfg.MODEL.DEVICE)
        self._reverse = cfg.INPUT.FORMAT == "BGR"
        self._resize = T.ResizeShortestEdge([cfg.INPUT.MIN_SIZE_TEST] * 2, cfg.INPUT.MAX_SIZE_TEST)
        prepare_for_inference(self.model, precision, channels_last=cfg.MODEL.CHANNELS_LAST)
        if cfg.TEST.FLIPS not in FLIPS:
            raise ValueError(f"TEST.FLIPS {cfg.TEST.FLIPS!r}: expected one of {', '.join(FLIPS)}")
        self._views = {
            "flips": FLIPS[cfg.TEST.FLIPS],
            "crop": cfg.TEST.CROP,
            "crop_side": cfg.TEST.CROP_SIDE,
            "box_scale": cfg.INPUT.BOX_SCALE,
            "channel_order": slice(None, None, -1 if self._reverse else 1),
        }
        self._regular_shape, self._ellipse_weight = cfg.TEST.REGULAR_SHAPE, cfg.TEST.ELLIPSE_WEIGHT
        self._flag_below, self._flag_ellipse_below = cfg.TEST.FLAG_BELOW, cfg.TEST.FLAG_ELLIPSE_BELOW
        self._vcdr_margin = cfg.TEST.VCDR_MARGIN
        self._one_view = len(self._views["flips"]) == 1 and not self._views["crop"]

    def __call__(self, image: np.ndarray) -> FundusPrediction:
        """Predict for an (H, W, 3) uint8 RGB photograph of any size."""
        return self.predict_prepared([self.prepare(image)])[0]

    def predict_files(
        self, paths: Iterable[AnyPath]
    ) -> Iterator[tuple[AnyPath, np.ndarray | None, FundusPrediction | Exception]]:
        """Predict for photographs on disk, reading the next ones while the model is at work.

        Yields, in the order of `paths`: the path, the photograph (H, W, 3) uint8 RGB, and what was found; or the path,
        None or the photograph, and the exception of a file that could not be read or predicted.
        """

        def read(path):
            try:
                image = read_photograph(path)
                return path, image, self.prepare(image)
            except Exception as error:  # one bad file must not cost the others
                return path, None, error

        def predict(path, image, prepared):
            if isinstance(prepared, Exception):
                return path, image, prepared
            try:
                return path, image, self.predict_prepared([prepared])[0]
            except Exception as error:
                return path, image, error

        with ThreadPoolExecutor(1) as reader:
            waiting: deque[Future] = deque()
            for path in paths:
                waiting.append(reader.submit(read, path))
                if len(waiting) > READ_AHEAD:
                    yield predict(*waiting.popleft().result())
            while waiting:
                yield predict(*waiting.popleft().result())

    def prepare(self, image: np.ndarray) -> dict:
        """What the model reads of an (H, W, 3) uint8 RGB photograph; may run in another thread than the model."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected an (H, W, 3) uint8 RGB image, found {image.shape} {image.dtype}")
        resize = self._resize.get_transform(image)
        if isinstance(resize, T.ResizeTransform) and min(resize.new_h, resize.new_w) < 1:
            raise ValueError(f"expected a photograph, found {image.shape[1]} x {image.shape[0]} pixels, a line")
        resized = resize_photograph(image, resize)
        if self._reverse:
            resized = resized[:, :, ::-1]
        tensor = torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)))
        return {"image": tensor, "height": image.shape[0], "width": image.shape[1], "photograph": image}

    def predict_prepared(self, inputs: list[dict]) -> list[FundusPrediction]:
        """Predict for a batch of what `prepare` gave."""
        with torch.inference_mode():
            if self._one_view:
                found = [(output["instances"], float("nan")) for output in self.model(inputs)]
            else:
                found = [predict_in_views(self.model, x["image"], x["photograph"], **self._views) for x in inputs]
        return [
            self._prediction(instances.to("cpu"), (x["height"], x["width"]), agreement)
            for x, (instances, agreement) in zip(inputs, found)
        ]

    def _prediction(self, instances: Instances, size: tuple[int, int], agreement: float) -> FundusPrediction:
        disc, cup, score = best_disc_and_cup(instances, size)
        if self._regular_shape:
            disc, cup = regular_disc_and_cup(disc, cup)
        ellipse = ellipse_iou(disc)
        if self._ellipse_weight:
            disc, cup = towards_ellipses(disc, cup, self._ellipse_weight)
        vcdr = vertical_cup_to_disc_ratio(disc, cup) if disc.any() else float("nan")
        at_edge = bool(disc[[0, -1]].any() or disc[:, [0, -1]].any())
        margin = float("nan") if at_edge else self._vcdr_margin or float("nan")
        interval = float(np.clip(vcdr - margin, 0, 1)), float(np.clip(vcdr + margin, 0, 1))
        flags = {
            NO_DISC: not disc.any(),
            AT_EDGE: at_edge,
            AGREEMENT: agreement < self._flag_below,
            SHAPE: ellipse < self._flag_ellipse_below,
        }
        found = tuple(flag for flag, there in flags.items() if there)
        return FundusPrediction(disc, cup, score, vcdr, interval, agreement, ellipse, found, instances)


def resize_photograph(image: np.ndarray, transform: T.Transform) -> np.ndarray:
    """Apply Detectron2's resize to an (H, W, 3) uint8 photograph, by PyTorch where Pillow's bilinear one is asked for.

    The same filter, six times as fast; in photographs one value in two thousand differs, by one; in noise by up to two.
    """
    if not isinstance(transform, T.ResizeTransform) or transform.interp != Image.Resampling.BILINEAR:
        return transform.apply_image(image)
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
    size = transform.new_h, transform.new_w
    return F.interpolate(pixels, size, mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()


def prepare_for_inference(model: nn.Module, precision: torch.dtype, *, channels_last: bool) -> None:
    """Make a GeneralizedRCNN in eval mode fast, in place, and unfit for training; it computes the same.

    Batch norms of the backbone are folded into its convolutions. For a `precision` below float32 the backbone above
    stride 2, the pyramid and the heads are converted to it, which is faster than autocast; scores, boxes and masks come
    out of them as float32. The model has a pyramid, Detectron2's FPN.
    """
    side = 2 * max(model.backbone.size_divisibility, 32)
    fold_batch_norms(model.backbone, torch.zeros(1, 3, side, side, device=model.device))
    if channels_last:
        model.to(memory_format=torch.channels_last)
    if precision == torch.float32:
        return
    heads = model.roi_heads
    bottom_up = model.backbone.bottom_up
    for part in model.backbone.children():
        if part is not bottom_up:
            part.to(precision)
    if isinstance(bottom_up, TimmBackbone):
        bottom_up.compute_in(precision)
    else:
        bottom_up.to(precision).register_forward_pre_hook(lambda _, args: (args[0].to(precision),))
    for part in (model.proposal_generator.rpn_head, heads.box_head, heads.mask_head):
        part.to(precision)
    model.proposal_generator.rpn_head.register_forward_hook(_outputs_to_float32)
    heads.box_predictor.register_forward_pre_hook(lambda _, args: (args[0].float(),))
    heads.mask_head.register_forward_hook(_masks_to_float32)


def _outputs_to_float32(module, args, outputs: tuple[list[torch.Tensor], ...]):
    return tuple([x.float() for x in output] for output in outputs)


def _masks_to_float32(module, args, instances: list[Instances]):
    for x in instances:
        x.pred_masks = x.pred_masks.float()
    return instances
