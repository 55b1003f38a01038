"""RF-Net's inference of one view as tensors alone, for engines that know neither Detectron2 nor lists of instances."""

import torch
import torch.nn.functional as F
from detectron2.modeling import GeneralizedRCNN
from torch import nn
from torchvision.ops import nms, roi_align

from fundus_plugins.modeling.backbone import SquareFPN
from fundus_plugins.modeling.roi_heads import RFNetROIHeads


class OneLook(nn.Module):
    """The layers of a trained RF-Net, run as Detectron2 runs them, up to the best detection and its masks.

    All sizes but the picture's are fixed: what a view lacks in proposals is filled up with boxes of no area, which can
    neither suppress others nor be detected.

    Args:
        model: GeneralizedRCNN with RFNetROIHeads, in eval mode; its layers are shared.
        channel_order: "RGB" or "BGR", how the model takes the channels (INPUT.FORMAT).

    Raises:
        ValueError: another kind of model, or one without a mask branch.
    """

    def __init__(self, model: nn.Module, channel_order: str = "RGB"):
        super().__init__()
        if not isinstance(model, GeneralizedRCNN) or not isinstance(model.roi_heads, RFNetROIHeads):
            raise ValueError("only RF-Net can be exported: MODEL.ROI_HEADS.NAME RFNetROIHeads")
        if not isinstance(model.backbone, SquareFPN) or model.backbone.top_block is not None:
            raise ValueError("only our pyramid can be exported: MODEL.BACKBONE.NAME build_fundus_timm_fpn_backbone")
        if model.roi_heads.num_structures != 2:
            raise ValueError("only disc and cup can be exported: MODEL.RFNET.CLASSES disc, cup")
        if not model.roi_heads.mask_on:
            raise ValueError("a model without a mask branch (MODEL.MASK_ON False) outlines nothing")
        assert not model.training, "OneLook: the model is in training mode"
        rpn, heads = model.proposal_generator, model.roi_heads
        self.backbone = model.backbone
        self.rpn_head = rpn.rpn_head
        self.box_head, self.box_predictor, self.mask_head = heads.box_head, heads.box_predictor, heads.mask_head
        self.box_pooler, self.mask_pooler = heads.box_pooler, heads.mask_pooler
        self.register_buffer("pixel_mean", model.pixel_mean[None])
        self.register_buffer("pixel_std", model.pixel_std[None])
        for level, cells in enumerate(rpn.anchor_generator.cell_anchors):
            self.register_buffer(f"anchors{level}", cells)
        self.anchor_strides, self.anchor_offset = rpn.anchor_generator.strides, rpn.anchor_generator.offset
        self.rpn_levels, self.levels = rpn.in_features, heads.in_features
        self.before_nms, self.after_nms = rpn.pre_nms_topk[False], rpn.post_nms_topk[False]
        self.nms_threshold, self.min_box_size = rpn.nms_thresh, rpn.min_box_size
        self.rpn_weights, self.rpn_clamp = rpn.box2box_transform.weights, rpn.box2box_transform.scale_clamp
        transform = heads.box_predictor.box2box_transform
        self.box_weights, self.box_clamp = transform.weights, transform.scale_clamp
        self.score_threshold = heads.box_predictor.test_score_thresh
        self.square_pad = model.backbone._square_pad
        self.reverse = channel_order == "BGR"

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Find the disc of one view and outline it and its cup.

        Args:
            image: (1, 3, H, W) uint8 RGB.

        Returns:
            box (1, 4) float32 XYXY, pixels of the view; score (1,) float32; masks (1, 2, S, S) float32, the
            probabilities of disc and cup within the box. All zero where nothing is found.
        """
        features = self.features(image)
        box, score = self.detect(features, (image.shape[-2], image.shape[-1]))
        return box, score, self.masks(features, box) * (score > 0)[:, None, None, None]

    def detect(self, features: dict[str, torch.Tensor], size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """The best box (1, 4) of one view of height and width `size`, and its score (1,); zero where there is none."""
        box, score = self.best(features, *self.proposals(features, size), size)
        return box * (score > 0)[:, None], score

    def features(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """The pyramid's maps, (N, C, H / stride, W / stride) each, of pictures padded as Detectron2 pads them."""
        pixels = image.flip(1) if self.reverse else image
        x = (pixels.float() - self.pixel_mean) / self.pixel_std
        height, width = image.shape[-2:]
        stride = max(self.backbone.size_divisibility, 1)
        x = F.pad(x, (0, -width % stride, 0, -height % stride))
        square = self.square_pad
        if square and max(height, width) <= square:
            x = F.pad(x, (0, square - x.shape[-1], 0, square - x.shape[-2]))
        return self._pyramid(x)

    def _pyramid(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        fpn = self.backbone
        maps = fpn.bottom_up(x)
        found: list[torch.Tensor] = []
        merged = None
        for name, lateral, output in zip(reversed(fpn.in_features), fpn.lateral_convs, fpn.output_convs):
            finer = lateral(maps[name])
            if merged is not None:
                # To its very size, where Detectron2 doubles: an exporter cannot know that both are the same.
                finer = finer + F.interpolate(merged, finer.shape[-2:], mode="nearest")
                finer = finer / 2 if fpn._fuse_type == "avg" else finer
            merged = finer
            found.insert(0, output(merged))
        return dict(zip(fpn._out_features, found))

    def proposals(self, features: dict[str, torch.Tensor], size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """The best proposals (R, 4) of all levels, clipped to the view, and (R,) bool, which are any."""
        logits, deltas = self.rpn_head([features[name] for name in self.rpn_levels])
        boxes, scores = [], []
        for level, (logit, delta) in enumerate(zip(logits, deltas)):
            anchors = self._anchors(level, logit.shape[-2], logit.shape[-1])
            logit = logit.permute(0, 2, 3, 1).reshape(-1)
            delta = delta[0].unflatten(0, (-1, 4)).permute(2, 3, 0, 1).reshape(-1, 4)
            # So that there are as many as are taken, however small the map.
            logit = torch.cat([logit, logit.new_full((self.before_nms,), -torch.inf)])
            chosen_logit, chosen = logit.topk(self.before_nms)
            decoded = _apply_deltas(delta, anchors, self.rpn_weights, self.rpn_clamp)
            decoded = torch.cat([decoded, decoded.new_zeros(self.before_nms, 4)])[chosen]
            decoded = _clip(decoded, size)
            kept = torch.zeros_like(chosen_logit).index_fill(0, nms(decoded, chosen_logit, self.nms_threshold), 1)
            there = (kept > 0) & ((decoded[:, 2:] - decoded[:, :2]) > self.min_box_size).all(1)
            boxes.append(decoded)
            scores.append(chosen_logit.masked_fill(~there, -torch.inf))
        score, chosen = torch.cat(scores).topk(min(self.after_nms, self.before_nms * len(scores)))
        return torch.cat(boxes)[chosen], score > -torch.inf

    def best(
        self, features: dict[str, torch.Tensor], proposals: torch.Tensor, there: torch.Tensor, size: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The detection (1, 4) with the highest score (1,), which suppression always keeps; 0: none is left."""
        pooled = _pool_own_level(self.box_pooler, [features[name] for name in self.levels], proposals)
        logits, deltas = self.box_predictor(self.box_head(pooled))
        scores = logits.sigmoid() if self.box_predictor.use_sigmoid_ce else logits.softmax(1)
        scores = scores[:, 0] * there
        scores = torch.where(scores > self.score_threshold, scores, 0.0)
        boxes = _clip(_apply_deltas(deltas, proposals, self.box_weights, self.box_clamp), size)
        score, chosen = scores.topk(1)
        return boxes[chosen], score

    def masks(self, features: dict[str, torch.Tensor], boxes: torch.Tensor) -> torch.Tensor:
        """Probabilities (R, 2, S, S) of disc and cup within boxes (R, 4), which may be any."""
        pooler, maps = self.mask_pooler, [features[name] for name in self.levels]
        if pooler.pooling == "fusion":
            low = torch.maximum(*(_align(x, boxes, align) for x, align in zip(maps[:2], pooler.low)))
            high = torch.maximum(*(_align(x, boxes, align) for x, align in zip(maps[2:], pooler.high)))
        else:
            low, high = (_pool_own_level(part, maps, boxes) for part in (pooler.low, pooler.high))
        return self.mask_head.probabilities((low, high))

    def _anchors(self, level: int, height: int, width: int) -> torch.Tensor:
        cells, stride = getattr(self, f"anchors{level}"), self.anchor_strides[level]
        x = (torch.arange(width, device=cells.device) + self.anchor_offset) * stride
        y = (torch.arange(height, device=cells.device) + self.anchor_offset) * stride
        x, y = x[None, :].expand(height, width), y[:, None].expand(height, width)
        return (torch.stack([x, y, x, y], dim=-1)[:, :, None] + cells).reshape(-1, 4)


def _apply_deltas(deltas: torch.Tensor, boxes: torch.Tensor, weights: tuple[float, ...], clamp: float) -> torch.Tensor:
    """Faster R-CNN's parametrisation: shifts of the middle in widths and heights, logarithms of their factors."""
    extent = boxes[:, 2:] - boxes[:, :2]
    shift, factor = deltas[:, :2] / deltas.new_tensor(weights[:2]), deltas[:, 2:] / deltas.new_tensor(weights[2:])
    middle = boxes[:, :2] + 0.5 * extent + shift * extent
    half = 0.5 * factor.clamp(max=clamp).exp() * extent
    return torch.cat([middle - half, middle + half], dim=1)


def _clip(boxes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    height, width = size
    x, y = boxes[:, 0::2].clamp(0, width), boxes[:, 1::2].clamp(0, height)
    return torch.stack([x, y], dim=2).reshape(-1, 4)


def _align(features: torch.Tensor, boxes: torch.Tensor, align: nn.Module) -> torch.Tensor:
    rois = torch.cat([boxes.new_zeros(boxes.shape[0], 1), boxes], dim=1)
    return roi_align(features, rois, align.output_size, align.spatial_scale, align.sampling_ratio, aligned=True)


def _pool_own_level(pooler: nn.Module, maps: list[torch.Tensor], boxes: torch.Tensor) -> torch.Tensor:
    """Pool each box from the level that suits its size, as Detectron2's ROIPooler does; (R, C, side, side)."""
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    level = torch.floor(pooler.canonical_level + torch.log2(area.sqrt() / pooler.canonical_box_size + 1e-8))
    level = (level.clamp(pooler.min_level, pooler.max_level) - pooler.min_level)[:, None, None, None]
    result = _align(maps[0], boxes, pooler.level_poolers[0])
    for i, (features, align) in enumerate(zip(maps[1:], list(pooler.level_poolers)[1:]), 1):
        # Elsewhere boxes of no area, whose samples are all in one place.
        result = torch.where(level == i, _align(features, boxes, align), result)
    return result
