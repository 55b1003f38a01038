"""ROIAlign for axis-aligned boxes as two matrix products, for torchvision's CPU kernel is slow, above all backward."""

import torch
from torch import nn
from torchvision.ops import roi_align as torchvision_roi_align


def interpolation_matrix(start: torch.Tensor, end: torch.Tensor, bins: int, samples: int, length: int) -> torch.Tensor:
    """Weights with which each bin of an interval averages the cells of one axis, as ROIAlign samples them.

    Args:
        start, end: (R,) float, the intervals in cells, cell i centred at i (so already shifted by -0.5).
        bins: number of equal bins of an interval.
        samples: sampling points in a bin.
        length: number of cells of the axis.

    Returns:
        (R, bins, length). Points more than one cell outside count as zero, the others are clamped to the axis.
    """
    steps = (torch.arange(bins * samples, device=start.device, dtype=start.dtype) + 0.5) / (bins * samples)
    points = start[:, None] + (end - start)[:, None] * steps
    inside = (points >= -1) & (points <= length)
    cells = torch.arange(length, device=start.device, dtype=start.dtype)
    weights = (1 - (points.clamp(0, length - 1)[..., None] - cells).abs()).clamp(min=0) * inside[..., None]
    return weights.unflatten(1, (bins, samples)).mean(2)


def roi_align(
    features: torch.Tensor, rois: torch.Tensor, output_size: tuple[int, int], spatial_scale: float, sampling_ratio: int
) -> torch.Tensor:
    """`torchvision.ops.roi_align(..., aligned=True)` for a fixed sampling ratio, as `W_y F W_x^T` for every box.

    Args:
        features: (N, C, H, W).
        rois: (R, 5): index into the batch, then x1, y1, x2, y2 in pixels of the network's input.
        output_size: (height, width) of the result.
        spatial_scale: cells of `features` per pixel.
        sampling_ratio: sampling points per bin and axis, > 0.

    Returns:
        (R, C, height, width), of the type of `features`, in channels-last memory. No gradient reaches `rois`.
    """
    height, width = output_size
    # Coordinates stay in float32 at least: bf16 cannot tell neighbouring pixels of a 512-pixel image apart.
    cells = rois[:, 1:].detach().to(torch.promote_types(features.dtype, torch.float32)) * spatial_scale - 0.5
    rows = interpolation_matrix(cells[:, 1], cells[:, 3], height, sampling_ratio, features.shape[2]).to(features.dtype)
    columns = interpolation_matrix(cells[:, 0], cells[:, 2], width, sampling_ratio, features.shape[3]).to(
        features.dtype
    )
    order, pooled = [], []
    for index, image in enumerate(features.permute(0, 2, 3, 1)):  # (H, W, C)
        chosen = (rois[:, 0] == index).nonzero()[:, 0]
        if not len(chosen):
            continue
        by_rows = rows[chosen].flatten(0, 1) @ image.flatten(1)  # (r * height, W * C)
        by_rows = by_rows.view(len(chosen) * height, image.shape[1], image.shape[2])
        both = columns[chosen].repeat_interleave(height, 0) @ by_rows  # (r * height, width, C)
        pooled.append(both.view(len(chosen), height, width, -1))
        order.append(chosen)
    if not pooled:
        return features.new_zeros(0, features.shape[1], height, width) + 0 * features.sum()
    result = torch.cat(pooled)[torch.cat(order).argsort()]
    return result.permute(0, 3, 1, 2)


class ROIAlign(nn.Module):
    """A drop-in for Detectron2's `ROIAlign(..., aligned=True)`: matrix products on the CPU, torchvision elsewhere."""

    def __init__(self, output_size: int, spatial_scale: float, sampling_ratio: int):
        super().__init__()
        self.output_size = (output_size, output_size)
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio

    def forward(self, features: torch.Tensor, rois: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) features and (R, 5) rois, as for `roi_align`, to (R, C, output, output)."""
        if features.is_cpu and self.sampling_ratio > 0:
            # Under autocast a product may come out in another type than the features.
            pooled = roi_align(features, rois, self.output_size, self.spatial_scale, self.sampling_ratio)
            return pooled.to(features.dtype)
        return torchvision_roi_align(
            features, rois.to(features.dtype), self.output_size, self.spatial_scale, self.sampling_ratio, aligned=True
        )

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, spatial_scale={self.spatial_scale}, sampling_ratio={self.sampling_ratio}"
        )
