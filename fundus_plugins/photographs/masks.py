"""Masks of disc and cup in files: their values, and REFUGE's coding of both in one mask."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from .photograph import PILLOW_ERRORS
from .problems import BadInput, reason

CUP, RIM, BACKGROUND = 0, 128, 255  # REFUGE's: every pixel of the cup is one of the disc


def read_mask(path: Path, shape: tuple[int, int] | None) -> np.ndarray:
    """Grey values or codes of a mask, uint8 of `shape` (height, width; None: any): grey, equal channels, or a palette.

    Of a palette of greys the greys are taken, of a coloured one the indices. Raises BadInput for a file that cannot
    be read, has another size, colours, or more than 8 bits.
    """
    try:
        with Image.open(path) as image:
            if image.mode == "1" or image.mode == "P" and _has_grey_palette(image):
                image = image.convert("L")
            mask = np.asarray(image)
    except PILLOW_ERRORS as error:
        raise BadInput("unreadable mask", path, "an image file", reason(error)) from None
    if shape is not None and mask.shape[:2] != tuple(shape):
        expected, found = (f"{size[1]} x {size[0]} pixels" for size in (shape, mask.shape))
        raise BadInput("size mismatch", path, f"the photograph's {expected}", found)
    if mask.ndim == 3:
        colours = mask[..., : 3 if mask.shape[2] > 2 else 1]  # the rest is an alpha channel
        if not (colours == colours[..., :1]).all():
            raise BadInput("unknown mask values", path, "grey values", "colours")
        mask = mask[..., 0]
    if mask.dtype != np.uint8:
        raise BadInput("unknown mask values", path, "8 bits per pixel", f"pixels of type {mask.dtype}")
    return mask


def mask_values(mask: np.ndarray) -> np.ndarray:
    """The values that occur in an 8-bit mask, ascending."""
    return np.flatnonzero(np.bincount(mask.ravel(), minlength=256))


def listed(values: np.ndarray | Sequence, limit: int = 6) -> str:
    """Values for an error text."""
    return ", ".join(map(str, values[:limit])) + (", ..." if len(values) > limit else "")


def encode_refuge_mask(disc: np.ndarray, cup: np.ndarray) -> np.ndarray:
    """Disc and cup, (H, W) bool, as an (H, W) uint8 mask; a cup outside the disc becomes part of the disc."""
    return np.where(cup, CUP, np.where(disc, RIM, BACKGROUND)).astype(np.uint8)


def decode_refuge_mask(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Disc (value < 255) and cup (value 0) of an (H, W) uint8 mask, as the challenge reads it."""
    return mask < BACKGROUND, mask == CUP


def _has_grey_palette(image: Image.Image) -> bool:
    palette = np.asarray(image.getpalette("RGB")).reshape(-1, 3)
    used = palette[mask_values(np.asarray(image)).clip(max=len(palette) - 1)]
    return bool((used == used[:, :1]).all())
