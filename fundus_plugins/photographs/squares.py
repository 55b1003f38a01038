"""Squares cut out of a photograph about its disc."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

KEPT_DIAMETERS, KEPT_SIDE, KEPT_QUALITY = 2.6, 320, 90


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


@dataclass(frozen=True)
class KeptSquare:
    """A part of a photograph, as the packaged grader's training photographs were kept.

    Attributes:
        jpeg: the file.
        box: of the disc, XYXY in its pixels.
        left, top: where it begins, in pixels of the photograph.
        scale: its pixels for one of the photograph, at most 1.
    """

    jpeg: bytes
    box: tuple[float, float, float, float]
    left: int
    top: int
    scale: float

    @property
    def pixels(self) -> np.ndarray:
        """(N, N, 3) uint8 RGB."""
        return np.asarray(Image.open(io.BytesIO(self.jpeg)))


def keep_square(photograph: np.ndarray, box: Sequence[float]) -> KeptSquare:
    """The square of KEPT_DIAMETERS about a disc's box, XYXY, of at most KEPT_SIDE pixels, as JPEG of KEPT_QUALITY."""
    square = disc_square(box, KEPT_DIAMETERS)
    image = Image.fromarray(crop_square(photograph, square))
    side = min(KEPT_SIDE, image.width)
    scale = side / image.width
    if scale < 1:
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    left, top = round(square[0]), round(square[1])  # as crop_square does
    x0, y0, x1, y1 = box
    inside = (x0 - left) * scale, (y0 - top) * scale, (x1 - left) * scale, (y1 - top) * scale
    file = io.BytesIO()
    image.save(file, "JPEG", quality=KEPT_QUALITY)
    return KeptSquare(file.getvalue(), inside, left, top, scale)
