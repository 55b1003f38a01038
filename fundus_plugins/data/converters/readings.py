"""What opens a mask of a public data set: (mask, photograph, shape) -> (H, W) bool, or disc and cup of one file."""

import re
from pathlib import Path

import cv2
import numpy as np

from fundus_plugins.data.annotations import IGNORED, refuse_beyond
from fundus_plugins.data.converters.readers import Masks
from fundus_plugins.data.labelme import read_labelme
from fundus_plugins.data.polygons import fill_polygons
from fundus_plugins.photographs.anatomy import border_share, is_within
from fundus_plugins.photographs.masks import (
    MAX_BLURRED,
    VALUES,
    decode_codes,
    listed,
    mask_values,
    read_disc_and_cup,
    read_mask,
    read_structure,
)
from fundus_plugins.photographs.problems import BadInput, reason

MAX_CONTOUR_BYTES = 1 << 20
MIN_SOLIDITY = 0.8  # of a disc's or cup's convex hull; an outline with less has a slip
# Of a dense outline's length, for one edge; and how often it may be as long as the others.
MAX_EDGE, _MAX_GAP, _DENSE = 0.1, 8, 20
_MAX_OFF = 40  # grey values from one of the coding; JPEG leaves some


def structure(mask: Path, photograph: Path, shape: tuple[int, int]) -> np.ndarray:
    """One structure, two values. Raises BadInput as `read_structure`."""
    return read_structure(mask, shape)


def disc_and_cup(mask: Path, photograph: Path, shape: tuple[int, int]) -> Masks:
    """Disc and cup in one of the codings of `read_disc_and_cup`. Raises BadInput."""
    return read_disc_and_cup(mask, shape)


def soft_structure(mask: Path, photograph: Path, shape: tuple[int, int]) -> np.ndarray:
    """One structure: two values, or a soft map from 0 to 255, of which half and more is inside. Raises BadInput."""
    values = read_mask(mask, shape)
    there = mask_values(values)
    if len(there) <= 2:
        return read_structure(mask, shape)
    if there[0] > 8 or there[-1] < 247:
        raise BadInput(VALUES, mask, "two values, or a soft map from 0 to 255", listed(there))
    return values > 127


def rim_127_cup_255(mask: Path, photograph: Path, shape: tuple[int, int]) -> Masks:
    """Disc and cup of about 0 outside, 127 rim, 255 cup. Raises BadInput for others, and for a cup about the rim."""
    values = read_mask(mask, shape)
    there = mask_values(values)
    disc, cup = values > 63, values > 191
    away = there[np.abs(there[:, None].astype(int) - [0, 127, 255]).min(axis=1) > _MAX_OFF]
    strange = int(np.isin(values, away).sum()) if away.size else 0
    expected = "0 outside, 127 rim, 255 cup"
    if not disc.any() or not cup.any() or (disc == cup).all() or strange > 2 * MAX_BLURRED * disc.sum():
        raise BadInput(VALUES, mask, expected, listed(there))
    if border_share(disc) > 0.5 or is_within(disc & ~cup, cup):
        raise BadInput(VALUES, mask, f"{expected}, the cup within the rim", "a cup about the rim, or on the border")
    return disc, cup


def contour(mask: Path, photograph: Path, shape: tuple[int, int]) -> np.ndarray:
    """What lies within an outline of `x y` in each line (blanks, commas, semicolons or tabs between), in pixels.

    Raises BadInput for other lines, fewer than three points, points beyond the picture, and outlines with slips.
    """
    try:
        if mask.stat().st_size > MAX_CONTOUR_BYTES:
            raise ValueError(f"{mask.stat().st_size} bytes")
        lines = mask.read_bytes().decode("utf-8-sig").splitlines()
        rows = [re.split(r"[\s,;]+", line.strip()) for line in lines if line.strip()]
        points = np.array([[float(cell) for cell in row] for row in rows if len(row) == 2])
        if not rows or len(points) < len(rows) or not np.isfinite(points).all():
            raise ValueError("rows of other than two numbers")
        if len(np.unique(points, axis=0)) < 3:
            raise ValueError(f"{len(np.unique(points, axis=0))} different points")
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else reason(error)
        raise BadInput("unreadable outline", mask, "x and y in each line, three or more", what[:80]) from None
    refuse_beyond([points.ravel()], shape, mask)
    found = fill_polygons([points], shape)
    refuse_slips(points, mask)
    return found


def refuse_slips(points: np.ndarray, path: Path) -> None:
    """Raise BadInput for an outline, (N, 2), with a gap, as where lines were lost, or with points out of order."""
    edges = np.linalg.norm(points - np.roll(points, 1, 0), axis=1)
    longest, usual = edges.max(), np.median(edges)
    if len(points) >= _DENSE and longest > MAX_EDGE * edges.sum() and longest > _MAX_GAP * usual:
        text = f"a gap of {longest:.0f} pixels: are lines missing?"
        raise BadInput("outline with slips", path, f"points about {usual:.1f} pixels apart, all around", text)
    hull = cv2.contourArea(cv2.convexHull(points.astype(np.float32)))
    area = abs(cv2.contourArea(points.astype(np.float32)))
    if hull and area < MIN_SOLIDITY * hull:
        text = f"{area / hull:.0%} of its convex hull: are points out of order, or far off?"
        raise BadInput("outline with slips", path, f"{MIN_SOLIDITY:.0%} of the convex hull or more", text)


def labelme(mask: Path, photograph: Path, shape: tuple[int, int]) -> Masks:
    """Disc and cup of a LabelMe file; `discLoc`, G1020's place of the disc, is neither. Raises BadInput."""
    return read_labelme(mask).masks(shape, {"discloc": IGNORED})


def matlab(mask: Path, photograph: Path, shape: tuple[int, int]) -> Masks:
    """Disc and cup of MATLAB's `mask`, an (H, W) array of 0 outside, 1 and 2. Raises BadInput."""
    from scipy.io import loadmat  # slow to import, and only ORIGA's files want it

    try:
        codes = np.asarray(loadmat(mask)["mask"])
    except Exception as error:  # scipy raises what it likes
        raise BadInput("unreadable mask", mask, "a MATLAB file with the array mask", reason(error)) from None
    if codes.shape != tuple(shape):
        expected, found = f"{shape[1]} x {shape[0]} pixels", " x ".join(map(str, codes.shape[::-1]))
        raise BadInput("size mismatch", mask, f"the photograph's {expected}", found)
    if codes.dtype.kind not in "bui" or codes.min(initial=0) < 0 or codes.max(initial=0) > 2:
        raise BadInput(VALUES, mask, "0 outside, 1 rim, 2 cup", f"other values, of type {codes.dtype}")
    return decode_codes(codes.astype(np.uint8), mask)
