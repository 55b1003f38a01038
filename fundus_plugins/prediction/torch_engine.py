"""RF-Net run by PyTorch and Detectron2."""

from collections.abc import Sequence

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data import transforms as T
from detectron2.modeling import GeneralizedRCNN, build_model
from detectron2.modeling.backbone import FPN
from detectron2.modeling.proposal_generator import RPN
from detectron2.modeling.roi_heads import StandardROIHeads
from detectron2.structures import Boxes, Instances, pairwise_iou
from torch import nn

from fundus_plugins.boxes import box_of
from fundus_plugins.config import without_weights
from fundus_plugins.data.structures import best_disc_and_cup
from fundus_plugins.engine.memory import keep_freed_memory
from fundus_plugins.engine.precision import prediction_precision
from fundus_plugins.modeling.backbone import TimmBackbone
from fundus_plugins.modeling.folding import fold_batch_norms
from fundus_plugins.modeling.roi_heads import RFNetROIHeads
from fundus_plugins.modeling.segmentation import DiscCupSegmentor
from fundus_plugins.photographs.resampling import crop_about, resize, warp
from fundus_plugins.prediction.looks import Finder, Found, Look, Prepared
from fundus_plugins.prediction.model_check import require_disc_and_cup, require_several_views
from fundus_plugins.prediction.settings import FLIPS
from fundus_plugins.prediction.tta import agreement_of_views, flip_boxes
from fundus_plugins.weights.loading import load_trained_weights


def load_model(cfg: CfgNode) -> nn.Module:
    """The trained model of a config: batch norms folded, channels-last, in TEST.PRECISION (`prediction_precision`).

    On a CPU the process keeps some of the memory that it frees (`keep_freed_memory`). Raises ValueError as
    `require_disc_and_cup`, FileNotFoundError or RuntimeError as `load_trained_weights`.
    """
    if cfg.MODEL.DEVICE == "cpu":
        keep_freed_memory()
    model = build_model(without_weights(cfg))
    require_disc_and_cup(model)
    load_trained_weights(model, cfg.MODEL.WEIGHTS)
    model.eval()
    precision = prediction_precision(cfg.TEST.PRECISION, cfg.MODEL.DEVICE)
    prepare_for_inference(model, precision, channels_last=cfg.MODEL.CHANNELS_LAST)
    return model


class TorchEngine:
    """Sees views in several flips and gives their mean; views of one size are one batch.

    Args:
        model: GeneralizedRCNN with RFNetROIHeads, in eval mode.
        flips: a key of FLIPS.
        channel_order: "RGB" or "BGR", how the model takes the channels (INPUT.FORMAT).

    Raises:
        ValueError: another kind of model, or no such flips.
    """

    def __init__(self, model: nn.Module, flips: str, channel_order: str):
        if flips not in FLIPS:
            raise ValueError(f"TEST.FLIPS {flips!r}: expected one of {', '.join(FLIPS)}")
        require_several_views(model)
        self.model = model
        self.flips = FLIPS[flips]
        self.channels = slice(None, None, -1 if channel_order == "BGR" else 1)

    def look(self, views: Sequence[np.ndarray]) -> list[Look | None]:
        """As `Engine.look`."""
        if len({view.shape for view in views}) > 1:
            return [look for view in views for look in self.look([view])]
        tensors = [torch.from_numpy(np.ascontiguousarray(x[..., self.channels].transpose(2, 0, 1))) for x in views]
        with torch.inference_mode():
            return detect_in_views(self.model, tensors, self.flips) if tensors else []


def detect_in_views(
    model: nn.Module, images: Sequence[torch.Tensor], flips: Sequence[tuple[int, ...]]
) -> list[Look | None]:
    """Detect the disc in every flip of each image, average its box, and every flip's masks within that box.

    The box is the mean of those that agree with the best one (IoU > 0.5), weighed by their scores; the score is the
    sum of theirs over the number of flips.

    Args:
        model: GeneralizedRCNN with RFNetROIHeads, in eval mode.
        images: (3, h, w) uint8 each, of one size.
        flips: one of FLIPS' values.

    Returns:
        what was seen in each; None if no flip shows a disc.
    """
    size = images[0].shape[1], images[0].shape[2]
    batch = model.preprocess_image([{"image": image.flip(dims)} for image in images for dims in flips])
    features = model.backbone(batch.tensor)
    proposals, _ = model.proposal_generator(batch, features)
    detected = model.roi_heads.detect(features, proposals)
    detected = [detected[i : i + len(flips)] for i in range(0, len(detected), len(flips))]
    means = [_mean_box(views, flips, size) for views in detected]
    if all(mean is None for mean in means):
        return [None] * len(images)

    given = []
    for mean in means:
        box = batch.tensor.new_zeros(0, 4) if mean is None else mean[0][None]
        given += [_both_classes(flip_boxes(box, dims, size), size) for dims in flips]
    masks = [x.pred_masks[:, 0] for x in model.roi_heads.forward_with_given_boxes(features, given)]
    looks: list[Look | None] = []
    for i, mean in enumerate(means):
        if mean is None:
            looks.append(None)
            continue
        own = masks[i * len(flips) : (i + 1) * len(flips)]
        probabilities = torch.stack([x.flip(dims) for x, dims in zip(own, flips)]).float()
        agreement = float(agreement_of_views(probabilities)) if len(flips) > 1 else float("nan")
        box = mean[0].double().cpu().numpy()
        looks.append(Look(box, mean[1], probabilities.mean(0).cpu().numpy(), agreement))
    return looks


def _mean_box(
    detected: Sequence[Instances], flips: Sequence[tuple[int, ...]], size: tuple[int, int]
) -> tuple[torch.Tensor, float] | None:
    best = [x[int(x.scores.argmax())] if len(x) else x for x in detected]
    boxes = torch.cat([flip_boxes(x.pred_boxes.tensor, dims, size) for x, dims in zip(best, flips)])
    scores = torch.cat([x.scores for x in best])
    if not len(boxes):
        return None
    agrees = pairwise_iou(Boxes(boxes[scores.argmax()][None]), Boxes(boxes))[0] > 0.5
    weights = scores * agrees
    return (weights[:, None] * boxes).sum(0) / weights.sum(), float(weights.sum()) / len(flips)


def _both_classes(boxes: torch.Tensor, size: tuple[int, int]) -> Instances:
    """A disc's row and its cup's, of one box (1, 4) or none (0, 4)."""
    classes = torch.arange(2, device=boxes.device)[: 2 * len(boxes)]
    return Instances(size, pred_boxes=Boxes(boxes.repeat(2, 1)), pred_classes=classes)


class Detections:
    """One look by a Detectron2 model as it is, any that gives a disc and a cup as instances with masks.

    Args:
        model: in eval mode.
        cfg: its config; the views' sides and the order of the channels are taken from it.
    """

    def __init__(self, model: nn.Module, cfg: CfgNode):
        self.model = model
        self._sides = T.ResizeShortestEdge([cfg.INPUT.MIN_SIZE_TEST] * 2, cfg.INPUT.MAX_SIZE_TEST)
        self._channels = slice(None, None, -1 if cfg.INPUT.FORMAT == "BGR" else 1)

    def prepare(self, photograph: np.ndarray) -> Prepared:
        """As `Looks.prepare`."""
        transform = self._sides.get_transform(photograph)
        size = photograph.shape[0], photograph.shape[1]
        if isinstance(transform, T.ResizeTransform):
            size = transform.new_h, transform.new_w
        if min(size) < 1:
            raise ValueError(
                f"expected a photograph, found {photograph.shape[1]} x {photograph.shape[0]} pixels, a line"
            )
        return Prepared(photograph, resize(photograph, size))

    def find(self, batch: Sequence[Prepared]) -> list[Found]:
        """As `Looks.find`."""
        inputs = [
            {
                "image": torch.from_numpy(np.ascontiguousarray(x.view[..., self._channels].transpose(2, 0, 1))),
                "height": x.photograph.shape[0],
                "width": x.photograph.shape[1],
            }
            for x in batch
        ]
        with torch.inference_mode():
            outputs = [x["instances"].to("cpu") for x in self.model(inputs)]
        if not all(x.has("pred_masks") for x in outputs):
            raise ValueError(f"{type(self.model).__name__} gives instances without masks: no disc, no cup")
        return [_of_instances(x, (y.photograph.shape[0], y.photograph.shape[1])) for x, y in zip(outputs, batch)]


class CroppedDetections:
    """A look by a DiscCupSegmentor at a square about the disc that another finder has found (INPUT.DISC_CROP).

    Where that finds no disc, the whole photograph is the square, as in training.

    Args:
        model: DiscCupSegmentor, in eval mode.
        cfg: its config.
        detector: what finds the disc.
    """

    def __init__(self, model: nn.Module, cfg: CfgNode, detector: Finder):
        self.model = model
        self.detector = detector
        self._diameters, self._side = cfg.INPUT.DISC_CROP.DIAMETERS, cfg.INPUT.DISC_CROP.SIDE
        self._channels = slice(None, None, -1 if cfg.INPUT.FORMAT == "BGR" else 1)

    def prepare(self, photograph: np.ndarray) -> Prepared:
        """As `Looks.prepare`."""
        return self.detector.prepare(photograph)

    def find(self, batch: Sequence[Prepared]) -> list[Found]:
        """As `Looks.find`."""
        inputs = []
        for x, disc in zip(batch, self.detector.find(batch)):
            height, width = x.photograph.shape[:2]
            box = box_of(disc.disc)
            matrix = crop_about(box, (height, width), self._diameters, self._side)
            picture = warp(x.photograph, matrix, (self._side, self._side))[..., self._channels]
            inputs.append(
                {
                    "image": torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))),
                    "height": height,
                    "width": width,
                    "from_photograph": torch.from_numpy(matrix),
                }
            )
        with torch.inference_mode():
            outputs = [x["instances"].to("cpu") for x in self.model(inputs)]
        return [_of_instances(x, (y.photograph.shape[0], y.photograph.shape[1])) for x, y in zip(outputs, batch)]


def _of_instances(instances: Instances, size: tuple[int, int]) -> Found:
    disc, cup, score = best_disc_and_cup(instances, size)
    rows = instances[instances.pred_classes == 0]
    box = np.full(4, float("nan"))
    if len(rows):
        box = rows.pred_boxes.tensor[int(rows.scores.argmax())].double().numpy()
    return Found(box, score, disc, cup, float("nan"))


def prepare_for_inference(model: nn.Module, precision: torch.dtype, *, channels_last: bool) -> None:
    """Make a model in eval mode fast, in place, and unfit for training; it computes the same.

    A DiscCupSegmentor's batch norms are folded, and its network is converted to `precision`. Of a GeneralizedRCNN batch
    norms of the backbone are folded into its convolutions. For a `precision` below float32 the backbone above
    stride 2, the pyramid and the heads are converted to it, which is faster than autocast; scores, boxes and masks come
    out of them as float32. That is so of RF-Net and of Detectron2's Mask R-CNN with a pyramid; other models, whose
    parts may be anything, compute in float32 whatever is asked for.
    """
    if isinstance(model, DiscCupSegmentor):
        side = 4 * model.network.size_divisibility
        fold_batch_norms(model.network, torch.zeros(1, 3, side, side, device=model.device))
        if channels_last:
            model.to(memory_format=torch.channels_last)
        model.compute_in(precision)
        return
    side = 2 * max(model.backbone.size_divisibility, 32)
    fold_batch_norms(model.backbone, torch.zeros(1, 3, side, side, device=model.device))
    if channels_last:
        model.to(memory_format=torch.channels_last)
    if precision == torch.float32 or not _can_be_converted(model):
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
    if not isinstance(heads, RFNetROIHeads):  # ours pool in any precision; torchvision's have no bfloat16 on a CPU
        for pooler in (heads.box_pooler, heads.mask_pooler):
            pooler.register_forward_pre_hook(lambda _, args: ([x.float() for x in args[0]], *args[1:]))
            pooler.register_forward_hook(lambda _, args, output: output.to(precision))


def _can_be_converted(model: nn.Module) -> bool:
    """Whether a model has the parts that `prepare_for_inference` knows, and no others."""
    if type(model) is not GeneralizedRCNN or not isinstance(model.backbone, FPN):
        return False
    heads = model.roi_heads
    ours = isinstance(heads, RFNetROIHeads) or type(heads) is StandardROIHeads
    return ours and type(model.proposal_generator) is RPN and heads.mask_on


def _outputs_to_float32(module, args, outputs: tuple[list[torch.Tensor], ...]):
    return tuple([x.float() for x in output] for output in outputs)


def _masks_to_float32(module, args, instances: list[Instances]):
    for x in instances:
        x.pred_masks = x.pred_masks.float()
    return instances
