"""The polar transformation about the picture's middle (M-Net, section III), and back."""

import math

import torch
import torch.nn.functional as F


def to_polar(x: torch.Tensor, mode: str = "bilinear") -> torch.Tensor:
    """Square pictures or maps, (N, C, S, S) float, in polar coordinates about their middles, of the same shape.

    Row r is the circle of radius (r + 0.5) / 2 pixels, S / 2 at most; column t the angle 2 pi (t + 0.5) / S, from the
    right downwards. What the circle does not reach, the corners, is lost.

    Args:
        mode: of `grid_sample`: "bilinear", or "nearest" for masks.
    """
    side = _side(x)
    places = (torch.arange(side, device=x.device, dtype=torch.float32) + 0.5) / side
    radius, angle = places[:, None], 2 * math.pi * places[None]
    grid = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1)  # -1 to 1, the picture's edges
    return F.grid_sample(x.float(), grid.expand(len(x), -1, -1, -1), mode, "zeros", align_corners=False).to(x.dtype)


def from_polar(x: torch.Tensor) -> torch.Tensor:
    """What `to_polar` gave, (N, C, S, S) float, as a picture again, bilinear; 0 beyond the circle.

    The last angle is beside the first one, and the middle is as the smallest circle.
    """
    side = _side(x)
    places = (torch.arange(side, device=x.device, dtype=torch.float32) + 0.5) / side * 2 - 1
    across, down = places[None].expand(side, side), places[:, None].expand(side, side)
    radius = (across.square() + down.square()).sqrt()
    turn = torch.remainder(torch.atan2(down, across) / (2 * math.pi), 1)
    wrapped = F.pad(x.float(), (1, 1, 0, 0), mode="circular")
    column = 2 * (turn * side + 1) / (side + 2) - 1
    grid = torch.stack([column, 2 * radius - 1], dim=-1)
    picture = F.grid_sample(wrapped, grid.expand(len(x), -1, -1, -1), "bilinear", "border", align_corners=False)
    return (picture * (radius <= 1)).to(x.dtype)


def _side(x: torch.Tensor) -> int:
    if x.shape[-1] != x.shape[-2]:
        raise ValueError(f"the polar transformation takes squares, found {x.shape[-1]} x {x.shape[-2]} pixels")
    return x.shape[-1]
