"""ROIAlign for axis-aligned boxes as two matrix products, for torchvision's CPU kernel is slow, above all backward."""

from typing import NamedTuple

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torchvision.ops import roi_align as torchvision_roi_align

TILE = 32  # cells; smaller tiles mean smaller windows but more products


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


class _Tile(NamedTuple):
    """Boxes of one image that lie close together, and the window of cells that holds all they read."""

    image: int
    rows: slice
    columns: slice
    chosen: torch.Tensor  # (r,) int64


def _tiles(images: torch.Tensor, cells: torch.Tensor, height: int, width: int) -> list[_Tile]:
    """Group boxes by image and by the tile their centre is in, so that what is multiplied is a window, not the map.

    Args:
        images: (R,) index into the batch.
        cells: (R, 4) x1, y1, x2, y2 in cells, cell i centred at i.
        height, width: of the feature map.
    """
    if not len(cells):
        return []
    limit = cells.new_tensor([width - 1, height - 1])
    start = cells[:, :2].clamp(min=0).minimum(limit).floor().long()
    end = cells[:, 2:].clamp(min=0).minimum(limit).ceil().long() + 1
    centres = ((start + end) // (2 * TILE)).T
    keys = (images.long() * (height // TILE + 1) + centres[1]) * (width // TILE + 1) + centres[0]
    tiles = []
    for key in keys.unique():
        chosen = (keys == key).nonzero()[:, 0]
        (left, top), (right, bottom) = start[chosen].amin(0).tolist(), end[chosen].amax(0).tolist()
        tiles.append(_Tile(int(images[chosen[0]]), slice(top, bottom), slice(left, right), chosen))
    return tiles


class _SeparableROIAlign(torch.autograd.Function):
    """`W_y F W_x^T` for the boxes of every tile; linear in F, so only the two small matrices are kept for backward."""

    @staticmethod
    def forward(ctx, features, rows, columns, tiles):
        ctx.shape, ctx.tiles = features.shape, tiles
        ctx.save_for_backward(rows, columns)
        maps = features.permute(0, 2, 3, 1)
        result = features.new_empty(len(rows), rows.shape[1], columns.shape[1], features.shape[1])
        for tile in tiles:
            window = maps[tile.image, tile.rows, tile.columns]
            w_y, w_x = rows[tile.chosen][..., tile.rows], columns[tile.chosen][..., tile.columns]
            by_rows = w_y.flatten(0, 1) @ window.flatten(1)  # (r * height, w * C)
            by_rows = by_rows.view(-1, *window.shape[1:])
            both = w_x.repeat_interleave(w_y.shape[1], 0) @ by_rows  # (r * height, width, C)
            result[tile.chosen] = both.view(len(tile.chosen), *result.shape[1:])
        return result.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        rows, columns = ctx.saved_tensors
        count, channels, height, width = ctx.shape
        gradient = gradient.permute(0, 2, 3, 1)
        result = gradient.new_zeros(count, height, width, channels)
        for tile in ctx.tiles:
            w_y, w_x = rows[tile.chosen][..., tile.rows], columns[tile.chosen][..., tile.columns]
            by_rows = w_x.mT.repeat_interleave(w_y.shape[1], 0) @ gradient[tile.chosen].flatten(0, 1)
            window = w_y.flatten(0, 1).T @ by_rows.flatten(1)  # (h, w * C)
            result[tile.image, tile.rows, tile.columns] += window.view(w_y.shape[2], w_x.shape[2], channels)
        return result.permute(0, 3, 1, 2), None, None, None


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
    tiles = _tiles(rois[:, 0], cells, *features.shape[2:])
    rows = interpolation_matrix(cells[:, 1], cells[:, 3], height, sampling_ratio, features.shape[2])
    columns = interpolation_matrix(cells[:, 0], cells[:, 2], width, sampling_ratio, features.shape[3])
    with torch.autocast(features.device.type, enabled=False):  # the products keep the type of the features
        return _SeparableROIAlign.apply(features, rows.to(features.dtype), columns.to(features.dtype), tiles)


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
            return roi_align(features, rois, self.output_size, self.spatial_scale, self.sampling_ratio)
        # In float32: bfloat16 knows coordinates of some hundred pixels to one or two.
        where = self.output_size, self.spatial_scale, self.sampling_ratio
        return torchvision_roi_align(features.float(), rois.float(), *where, aligned=True).to(features.dtype)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, spatial_scale={self.spatial_scale}, sampling_ratio={self.sampling_ratio}"
        )
