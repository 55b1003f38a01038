"""Outlines that somebody drew on a copy of the photograph, as in RIGA: what lies within the two lines."""

from pathlib import Path

import cv2
import numpy as np

from fundus_plugins.data.converters.readers import Masks
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.photographs.problems import BadInput

KIND = "unreadable outlines"
EXPECTED = "the photograph with two closed lines, the cup's within the disc's"
_DIFFERENCES = (40, 20)  # grey values of a line from the photograph below it, tried in turn; JPEG differs by less
_GAPS = (0, 3, 5, 7, 9)  # pixels, a side of what closes gaps, tried in turn
_MIN_HOLE = 0.02  # of the disc; what is smaller is a gap in a line
_MAX_LINES = 0.1  # of the picture; more is another picture


def drawn_outlines(mask: Path, photograph: Path, shape: tuple[int, int]) -> Masks:
    """Disc and cup within the lines by which `mask` differs from `photograph`; each runs along its line's middle.

    Raises BadInput where these are not two closed lines, one within the other, as where they touch.
    """
    drawn, plain = read_photograph(mask), read_photograph(photograph)
    if drawn.shape != plain.shape:
        expected, found = (f"{x.shape[1]} x {x.shape[0]} pixels" for x in (plain, drawn))
        raise BadInput("size mismatch", mask, f"the photograph's {expected}", found)
    difference = cv2.absdiff(drawn, plain).max(axis=2)
    wrong = []
    for least in _DIFFERENCES:
        lines = (difference > least).astype(np.uint8)
        share = lines.mean()
        if not share or share > _MAX_LINES:
            wrong.append(f"{share:.0%} of the picture differs from {photograph.name}")
            continue
        for gap in _GAPS:
            closed = cv2.morphologyEx(lines, cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8)) if gap else lines
            masks, found = _within(closed)
            if masks:
                return masks
            wrong.append(found)
    raise BadInput(KIND, mask, EXPECTED, wrong[0])


def _within(lines: np.ndarray) -> tuple[Masks | None, str]:
    """Disc and cup, or None and what was found instead."""
    number, regions = cv2.connectedComponents(1 - lines, connectivity=4)
    outside = np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]))
    areas = np.bincount(regions.ravel(), minlength=number)
    areas[0] = areas[outside] = 0  # 0 is the lines
    if not areas.any():
        return None, "no closed line"
    inner = [x for x in np.flatnonzero(areas) if areas[x] >= _MIN_HOLE * areas.sum()]
    if len(inner) != 2:
        return None, f"{len(inner)} region{'s' * (len(inner) != 1)} within lines instead of two"
    rim, cup = (regions == x for x in inner)
    if _filled(cup)[rim].any():
        rim, cup = cup, rim
    if not _filled(rim)[cup].all():
        return None, "two regions beside each other"
    disc_line = lines.astype(bool) & ~_filled(rim)
    cup_line = lines.astype(bool) & _filled(rim)
    return (_filled(rim) | _inner_half(disc_line, rim), cup | _inner_half(cup_line, cup)), ""


def _filled(mask: np.ndarray) -> np.ndarray:
    """A region with what it surrounds."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), contours, -1, 1, cv2.FILLED) > 0


def _inner_half(line: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The pixels of a line that are nearer to a region within it than to what is beyond."""
    beyond = ~line & ~inside
    near, far = (cv2.distanceTransform((~x).astype(np.uint8), cv2.DIST_L2, 3) for x in (inside, beyond))
    return line & (near <= far)
