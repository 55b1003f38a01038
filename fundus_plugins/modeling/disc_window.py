"""Soft windows about the optic disc, in the place of a class activation map's mask filter."""

import torch

_EDGE = 0.25  # standard deviation of the fall beyond the window, parts of its radius


def disc_windows(boxes: torch.Tensor, diameters: float, side: int) -> torch.Tensor:
    """Mask filters that are 1 about the discs and fall to 0 beyond them.

    A window is an ellipse of the box's shape, so many times as large as the disc: 1 within, beyond it a Gaussian of
    the distance, whose standard deviation is a quarter of the window's radius.

    Args:
        boxes: (N, 4) XYXY of the discs, pixels of the model's input, a square of `side`.
        diameters: of the disc, across the window.

    Returns:
        (N, 1, side, side) float32, 0 to 1.
    """
    places = torch.arange(side, device=boxes.device, dtype=torch.float32) + 0.5
    middles, halves = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2 * diameters
    x, y = ((places - middles[:, i, None]) / halves[:, i, None].clamp(min=0.5) for i in (0, 1))
    distance = (x[:, None, :].square() + y[:, :, None].square()).sqrt()  # 1: the window's edge
    return torch.exp(-0.5 * ((distance - 1).clamp(min=0) / _EDGE).square())[:, None]
