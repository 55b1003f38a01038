"""Fusion Feature Pooling (RF-Net section 3.2) and the pyramid pooling it is compared with (Table 2)."""

import torch
from detectron2.modeling.poolers import ROIPooler, convert_boxes_to_pooler_format
from detectron2.structures import Boxes
from torch import nn

from fundus_plugins.modeling.roi_align import ROIAlign

POOLINGS = ("fusion", "pyramid")


def build_roi_pooler(output_size: int, scales: list[float], sampling_ratio: int) -> ROIPooler:
    """Detectron2's pooler, which takes every box from the one level that suits its size, over our `ROIAlign`."""
    pooler = ROIPooler(output_size, scales, sampling_ratio, pooler_type="ROIAlignV2")
    pooler.level_poolers = nn.ModuleList(ROIAlign(output_size, scale, sampling_ratio) for scale in scales)
    return pooler


class FusionFeaturePooler(nn.Module):
    """Pools every RoI at two sizes for the mask branch: `side` (low-level) and `side / 2` (high-level).

    "fusion": from *all* levels; the element-wise maximum of P2 and P3 at `side`, of P4 and P5 at `side / 2`.
    "pyramid": both sizes from the one level that Detectron2 assigns to the box; the rest of the branch is the same.

    Args:
        side: side of the low-level map, cells; even.
        scales: of P2, P3, P4, P5: cells per pixel of the network's input.
        sampling_ratio: of ROIAlign.
        pooling: one of POOLINGS.

    Raises:
        ValueError: an unknown pooling, an odd side, or a number of levels other than four.
    """

    def __init__(self, side: int, scales: list[float], sampling_ratio: int, pooling: str = "fusion"):
        super().__init__()
        if pooling not in POOLINGS:
            raise ValueError(f"MODEL.RFNET.POOLING {pooling!r}: expected one of {', '.join(POOLINGS)}")
        if side % 2 or len(scales) != 4:
            raise ValueError(
                f"mask side {side} must be even, and the levels must be four (P2 to P5), not {len(scales)}"
            )
        self.pooling = pooling
        if pooling == "fusion":
            self.low = nn.ModuleList(ROIAlign(side, scale, sampling_ratio) for scale in scales[:2])
            self.high = nn.ModuleList(ROIAlign(side // 2, scale, sampling_ratio) for scale in scales[2:])
        else:
            self.low = build_roi_pooler(side, scales, sampling_ratio)
            self.high = build_roi_pooler(side // 2, scales, sampling_ratio)

    def forward(self, features: list[torch.Tensor], boxes: list[Boxes]) -> tuple[torch.Tensor, torch.Tensor]:
        """Pool the boxes of each image.

        Args:
            features: P2, P3, P4, P5, each (N, C, H, W).
            boxes: N sets of boxes in pixels of the network's input, R in all.

        Returns:
            low (R, C, side, side) and high (R, C, side / 2, side / 2).
        """
        if self.pooling == "pyramid":
            return self.low(features, boxes), self.high(features, boxes)
        rois = convert_boxes_to_pooler_format(boxes)
        low = torch.maximum(*(align(level, rois) for align, level in zip(self.low, features[:2])))
        high = torch.maximum(*(align(level, rois) for align, level in zip(self.high, features[2:])))
        return low, high
