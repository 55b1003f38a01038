"""Masks of disc and cup in files: what their values mean is recognised, and checked against what a mask can be.

One structure in a file: two values, of which the border of the picture has the one outside; either may be 0.

Disc and cup in one file: REFUGE's 0 cup, 128 rim, 255 background; or 0 background and 1 and 2 for rim and cup, in
either order, for public loaders disagree; or three colours, in a palette or not. There the border tells the
background, and the rim is what surrounds the other.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from .anatomy import border_share, is_within, sides_touched
from .picture import decode_picture, open_picture, orientation, upright
from .problems import BadInput

CUP, RIM, BACKGROUND = 0, 128, 255  # REFUGE's: every pixel of the cup is one of the disc
CODINGS = "0 cup, 128 rim, 255 background; or 0, 1, 2"

# A part of a structure's pixels that may have other values: borders that a resampling blurred. More is another coding.
MAX_BLURRED = 0.05
_JPEG = b"\xff\xd8"
_BLUR = 7  # pixels; edges that are blurred wider are no edges
_NEAR = 16  # grey values this far from a value of the coding are not blurred

KIND, VALUES = "unreadable mask", "unknown mask values"


def read_mask(path: Path, shape: tuple[int, int] | None) -> np.ndarray:
    """Grey values of a mask, turned upright, uint8 of `shape` (height, width; None: any); colours become 0, 1, 2, ...

    Colours, of a palette or not, are numbered; a palette of greys, and equal channels, are greys. Alpha is dropped.
    Raises BadInput for a file that cannot be read, has another size, more than 8 bits, or more than 8 colours.
    """
    path = Path(path)
    data, image = open_picture(path, KIND)
    image = decode_picture(data, image, path, KIND)
    turned, coloured = orientation(image), False
    if image.mode == "1" or image.mode == "P" and _has_grey_palette(image):
        image = image.convert("L")
    elif image.mode in ("P", "PA"):
        coloured = True  # the indices of a palette may be in any order
        image = image.convert("P") if image.mode == "PA" else image
    mask = upright(np.asarray(image), turned)
    if shape is not None and mask.shape[:2] != tuple(shape):
        expected, found = (f"{size[1]} x {size[0]} pixels" for size in (shape, mask.shape))
        turned_away = (
            " (that of the photograph before its EXIF data turn it?)" if mask.shape[1::-1] == tuple(shape) else ""
        )
        raise BadInput("size mismatch", path, f"the photograph's {expected}", found + turned_away)
    if mask.ndim == 3:
        if _says_nothing_but_by_alpha(mask):
            raise BadInput(VALUES, path, "values in the colours", "one colour, and a mask in the alpha channel")
        mask = mask[..., : 3 if mask.shape[2] > 2 else 1]  # the rest is an alpha channel
        coloured = not (mask == mask[..., :1]).all()
        mask = mask if coloured else mask[..., 0]
    if mask.dtype != np.uint8:
        raise BadInput(VALUES, path, "8 bits per pixel", f"pixels of type {mask.dtype}")
    return _numbered(mask, path) if coloured else mask


def read_structure(path: Path, shape: tuple[int, int] | None) -> np.ndarray:
    """The disc or the cup alone, (H, W) bool, from a file of two values; nothing, where all of it is 0.

    Raises BadInput as `read_mask`, and for more than two values but for blurred borders.
    """
    mask = read_mask(path, shape)
    values = mask_values(mask)
    if len(values) == 1:
        if values[0]:
            raise BadInput(VALUES, path, "0 outside, and one other value", f"{values[0]} everywhere")
        return np.zeros(mask.shape, bool)
    low, high = int(values[0]), int(values[-1])
    inside = mask > (low + high) // 2
    if border_share(inside) > 0.5:
        inside = ~inside
        if sides_touched(inside) > 2:
            found = "a structure on three sides or more: is it that, or what is about a disc beyond the picture?"
            raise BadInput(VALUES, path, "0 outside, and one other value", found)
    between = values[(values > low + _NEAR) & (values < high - _NEAR) | (high - low <= 2 * _NEAR)]
    between = between[(between != low) & (between != high)]
    if between.size:
        middle = np.isin(mask, between)
        # A blurred edge is narrow; a region of a value of its own is another structure.
        if np.count_nonzero(middle) > MAX_BLURRED * np.count_nonzero(inside) or _is_wide(middle):
            raise BadInput(VALUES, path, "0 and one other value", listed(values))
    return inside


def read_disc_and_cup(path: Path, shape: tuple[int, int] | None) -> tuple[np.ndarray, np.ndarray]:
    """Disc and cup, (H, W) bool, from one file in one of the module's codings; REFUGE's 255 everywhere is neither.

    Raises BadInput as `read_mask`, for another coding, and for a cup that surrounds the rim.
    """
    mask = read_mask(path, shape)
    if mask.max(initial=0) <= 2 and Path(path).read_bytes()[:2] == _JPEG:
        raise BadInput(VALUES, path, f"{CODINGS} (in a JPEG, which loses small differences, 0, 128, 255)", "0, 1, 2")
    return decode_codes(mask, path)


def decode_codes(mask: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The same of (H, W) uint8 values that were read from `path`."""
    values = mask_values(mask)
    if len(values) <= 3 and mask.max() <= 2:
        return _by_place(mask, values, path)
    cup, disc = mask <= 100, mask <= 150
    away = values[np.abs(values[:, None] - [CUP, RIM, BACKGROUND]).min(axis=1) > _NEAR]
    outside = border_share(disc)
    if outside > 0.5 or _pixels(mask, away) > MAX_BLURRED * disc.sum() or disc.any() and (disc == cup).all():
        where = " (most of the border would be disc)" if outside > 0.5 else ""
        raise BadInput(VALUES, path, CODINGS, listed(values) + where)
    if cup.any() and is_within(disc & ~cup, cup):
        raise BadInput(VALUES, path, f"{CODINGS}, the rim around the cup", "a cup around the rim")
    return disc, cup


def mask_values(mask: np.ndarray) -> np.ndarray:
    """The values that occur in an 8-bit mask, ascending."""
    return np.flatnonzero(cv2.calcHist([mask], [0], None, [256], [0, 256]))


def listed(values: np.ndarray | Sequence, limit: int = 6) -> str:
    """Values for an error text."""
    return ", ".join(map(str, values[:limit])) + (", ..." if len(values) > limit else "")


def encode_refuge_mask(disc: np.ndarray, cup: np.ndarray) -> np.ndarray:
    """Disc and cup, (H, W) bool, as an (H, W) uint8 mask; a cup outside the disc becomes part of the disc."""
    return np.where(cup, CUP, np.where(disc, RIM, BACKGROUND)).astype(np.uint8)


def decode_refuge_mask(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Disc (value < 255) and cup (value 0) of an (H, W) uint8 mask, as the challenge reads it."""
    return mask < BACKGROUND, mask == CUP


def _by_place(mask: np.ndarray, values: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Disc and cup of labels 0, 1, 2 by where they lie: the background on the border, the cup within the rim."""
    outside = [value for value in values if border_share(mask == value) > 0.5]
    others = [value for value in values if value not in outside]
    if len(values) < 3 or not outside:
        found = listed(values) + (" everywhere" if len(values) == 1 else "")
        raise BadInput(VALUES, path, f"{CODINGS} (background, rim and cup, the background on the border)", found)
    parts = [mask == value for value in others]
    if is_within(*parts):
        cup = parts[0]
    elif is_within(*parts[::-1]):
        cup = parts[1]
    else:
        found = f"values {listed(others)} of which neither surrounds the other"
        raise BadInput(VALUES, path, "a rim around a cup", found)
    return parts[0] | parts[1], cup


def _says_nothing_but_by_alpha(mask: np.ndarray) -> bool:
    """Whether (H, W, 2 or 4) pixels have one colour and several alpha values."""
    if mask.shape[2] not in (2, 4):
        return False
    colours, alpha = mask[..., :-1], mask[..., -1]
    return bool((colours == colours[:1, :1]).all() and (alpha != alpha[0, 0]).any())


def _is_wide(mask: np.ndarray) -> bool:
    return bool(cv2.erode(mask.astype(np.uint8), np.ones((_BLUR, _BLUR), np.uint8)).any())


def _pixels(mask: np.ndarray, values: np.ndarray) -> int:
    return int(np.count_nonzero(np.isin(mask, values))) if values.size else 0


def _numbered(mask: np.ndarray, path: Path, limit: int = 8) -> np.ndarray:
    """Colours (H, W, 3), or indices of a palette (H, W), as 0, 1, 2, ... in their order."""
    if mask.ndim == 2:
        values, codes = mask_values(mask), mask
    else:
        codes = mask.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        values = np.unique(codes)
    if len(values) == 1 and mask.any():
        raise BadInput(VALUES, path, "several values", "one colour everywhere")
    if len(values) > limit:
        raise BadInput(VALUES, path, f"grey values, or at most {limit} colours", f"{len(values)} colours")
    return np.searchsorted(values, codes).astype(np.uint8)


def _has_grey_palette(image: Image.Image) -> bool:
    palette = np.asarray(image.getpalette("RGB")).reshape(-1, 3)
    used = palette[mask_values(np.asarray(image)).clip(max=len(palette) - 1)]
    return bool((used == used[:, :1]).all())
