"""How much of a class activation map lies on the optic disc: a number for the paper's Figure 5."""

import cv2
import numpy as np

COLUMNS = ("disc_share", "disc_chance", "near_share", "near_chance")


def cam_overlap(mask: np.ndarray, disc: np.ndarray) -> dict[str, float]:
    """COLUMNS of one picture: what share of the map's sum is inside the disc, and at most one disc diameter from it.

    The chance of either is its share of the picture's area: what a map that is the same everywhere would give.

    Args:
        mask: (H, W) float, not negative: a mask filter, from 0 to 1.
        disc: (H, W) bool, with a disc.
    """
    row = {}
    for name, region in (("disc", disc), ("near", within_one_diameter(disc))):
        row[f"{name}_share"] = energy_share(mask, region)
        row[f"{name}_chance"] = float(region.mean())
    return row


def within_one_diameter(disc: np.ndarray) -> np.ndarray:
    """The disc and all that is at most one disc diameter (that of a circle of its area) from it, (H, W) bool."""
    diameter = 2 * np.sqrt(np.count_nonzero(disc) / np.pi)
    return cv2.distanceTransform((~disc).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= diameter


def energy_share(mask: np.ndarray, region: np.ndarray) -> float:
    """Share of a non-negative (H, W) map's sum that lies within a (H, W) bool region; nan for a map of zeros.

    >>> energy_share(np.array([[1.0, 3.0]]), np.array([[False, True]]))
    0.75
    """
    mask = np.asarray(mask, dtype=np.float64)
    total = mask.sum()
    return float(mask[region].sum() / total) if total > 0 else float("nan")
