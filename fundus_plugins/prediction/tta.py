"""Flips of a view, and how alike what they show is."""

import torch


def flip_boxes(boxes: torch.Tensor, dims: tuple[int, ...], size: tuple[int, int]) -> torch.Tensor:
    """Boxes (N, 4) XYXY of an image of height and width `size`, flipped along `dims` (of `settings.FLIPS`)."""
    height, width = size
    x1, y1, x2, y2 = boxes.unbind(1)
    if -1 in dims:
        x1, x2 = width - x2, width - x1
    if -2 in dims:
        y1, y2 = height - y2, height - y1
    return torch.stack([x1, y1, x2, y2], dim=1)


def agreement_of_views(probabilities: torch.Tensor) -> torch.Tensor:
    """How alike the views' masks are, of (V, 2, S, S) float flipped back, as a scalar.

    The Dice of each with that of the mean, the lower of the means of disc and cup; 1 where all are the same.
    """
    masks, mean = probabilities > 0.5, probabilities.mean(0) > 0.5
    common, total = (masks & mean).sum((2, 3)), masks.sum((2, 3)) + mean.sum((1, 2))
    dice = torch.where(total > 0, 2 * common / total.clamp(min=1), 1.0)
    return dice.mean(0).min()
