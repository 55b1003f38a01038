"""Squares cut out of a photograph about its disc."""

from collections.abc import Sequence

import numpy as np
from PIL import Image


def disc_square(box: Sequence[float], diameters: float) -> tuple[float, float, float, float]:
    """The square, XYXY, about the middle of a disc's box whose side is so many diameters of the disc.

    The diameter is the box's longer side. Pixels of the photograph, which the square may reach beyond.

    >>> disc_square((10, 20, 30, 40), 2)
    (0.0, 10.0, 40.0, 50.0)
    """
    x0, y0, x1, y1 = box
    half = max(x1 - x0, y1 - y0) * diameters / 2
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return x - half, y - half, x + half, y + half


def crop_square(image: np.ndarray, square: Sequence[float]) -> np.ndarray:
    """The (N, N, 3) whole pixels of an (H, W, 3) uint8 photograph within a square; black beyond the photograph."""
    left, top, side = round(square[0]), round(square[1]), max(1, round(square[2] - square[0]))
    return np.asarray(Image.fromarray(image).crop((left, top, left + side, top + side)))
