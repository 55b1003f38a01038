"""What a mask of a disc or a cup can be, whoever drew it: not the border of the picture, not a ring."""

from pathlib import Path

import cv2
import numpy as np

from fundus_plugins.boxes import window_of

from .problems import BadInput, Problem

# A cup with a smaller part of its pixels outside the disc is carelessly drawn and gets clipped; with more, the masks do
# not belong together.
MAX_CLIPPED = 0.02  # RIM-ONE DL has 0.011
MAX_HOLES = 0.05  # of a filled structure; a rim without its cup, or an outline, has more
DISC_SHARES = (0.002, 0.65)  # of the picture; docs/results/mask_limits.md has what true discs are
MAX_BORDER = 0.5  # of the picture's outermost pixels
_MIN_DIFFERENCE = 0.1  # of the parts by which two structures surround each other, to tell which is within
_MAX_TOUCHING = 0.5  # of the inner one's outline


def refuse_impossible(path: Path, disc: np.ndarray | None, cup: np.ndarray | None) -> None:
    """Raise BadInput for a disc or a cup, (H, W) bool, that no eye has; what is empty or None is let through."""
    for name, mask in (("disc", disc), ("cup", cup)):
        if mask is None:
            continue
        if (share := border_share(mask)) > MAX_BORDER:
            found = f"{share:.0%} of the picture's border; is the mask inverted?"
            raise BadInput(f"impossible {name}", path, f"a {name} within the picture", found)
        if (share := hole_share(mask)) > MAX_HOLES:
            found = f"a ring: holes are {share:.0%} of it; is it a rim, or an outline?"
            raise BadInput(f"impossible {name}", path, f"all of the {name}", found)


def cup_within_disc(path: Path, disc: np.ndarray, cup: np.ndarray) -> tuple[np.ndarray, Problem | None]:
    """The cup, (H, W) bool, clipped to the disc, and the problem that this repaired, if it did.

    Raises BadInput where so much of it is outside that the two do not belong together.
    """
    outside = np.count_nonzero(cup & ~disc)
    if not outside:
        return cup, None
    total = np.count_nonzero(cup)
    found = f"{outside} of {total} pixels outside"
    if outside >= MAX_CLIPPED * total:
        raise BadInput("cup outside disc", path, "a cup inside the disc", found)
    return cup & disc, Problem("cup clipped to disc", path, "a cup inside the disc", found, repaired=True)


def border_share(mask: np.ndarray) -> float:
    """The part of the picture's outermost pixels that belong to an (H, W) bool mask."""
    if not mask.size:
        return 0.0
    return float(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean())


def sides_touched(mask: np.ndarray) -> int:
    """How many of the picture's four sides an (H, W) bool mask touches."""
    return sum(bool(side.any()) for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1])) if mask.size else 0


def hole_share(mask: np.ndarray) -> float:
    """The part of an (H, W) bool mask, once its holes are filled, that was holes; 0 for an empty one."""
    window = window_of(mask)
    mask = mask[window].astype(np.uint8)
    outlines, levels = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if levels is None or (levels[0, :, 3] < 0).all():
        return 0.0
    outer = [outline for outline, level in zip(outlines, levels[0]) if level[3] < 0]
    filled = np.count_nonzero(cv2.drawContours(np.zeros(mask.shape, np.uint8), outer, -1, 1, cv2.FILLED))
    return 1 - np.count_nonzero(mask) / filled


def is_within(inner: np.ndarray, outer: np.ndarray) -> bool:
    """Whether one (H, W) bool mask lies within the other, which may be open to a side, as a rim about a cup.

    That is, clearly more of it is in the other's convex hull than the other way about, and no more than half of its
    outline touches what is neither.
    """
    window = window_of(inner | outer)
    inner, outer = inner[window], outer[window]
    if _in_hull(inner, outer) - _in_hull(outer, inner) <= _MIN_DIFFERENCE:
        return False
    outline = inner & _beside(~inner)
    touching = np.count_nonzero(outline & _beside(~inner & ~outer))
    return bool(touching <= _MAX_TOUCHING * np.count_nonzero(outline))


def _beside(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask and their four neighbours."""
    return cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))) > 0


def _in_hull(inner: np.ndarray, outer: np.ndarray) -> float:
    outlines, _ = cv2.findContours(outer.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines or not inner.any():
        return 0.0
    hull = cv2.fillConvexPoly(np.zeros(outer.shape, np.uint8), cv2.convexHull(np.concatenate(outlines)), 1)
    return float(np.count_nonzero(inner & (hull > 0)) / np.count_nonzero(inner))
