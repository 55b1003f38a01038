"""A disc and a cup of the shape they have in every eye: one region each, without holes, smooth, the cup in the disc."""

import cv2
import numpy as np


def regular_disc_and_cup(disc: np.ndarray, cup: np.ndarray, smoothing: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
    """The largest region of each mask with its holes filled and its outline smoothed.

    Args:
        disc, cup: (H, W) bool.
        smoothing: standard deviation of a Gaussian, in diameters of the disc (of a circle of its area).

    Returns:
        disc and cup, new (H, W) bool; the cup is within the disc; what is empty stays so.
    """
    where = [np.flatnonzero(disc.any(axis)) for axis in (1, 0)]
    if not len(where[0]):
        return np.zeros_like(disc), np.zeros_like(cup)
    margin = 8
    window = tuple(slice(max(0, x[0] - margin), x[-1] + 1 + margin) for x in where)
    sigma = smoothing * np.sqrt(4 / np.pi * np.count_nonzero(disc))
    inside = _regular(disc[window], sigma)
    regular = np.zeros_like(disc), np.zeros_like(cup)
    regular[0][window] = inside
    regular[1][window] = _largest_filled(_regular(cup[window] & inside, sigma) & inside)
    return regular


def is_regular(disc: np.ndarray, cup: np.ndarray) -> bool:
    """Whether each (H, W) bool mask is empty or one region without a hole, and the cup is within the disc."""
    if (cup & ~disc).any():
        return False
    for mask in (disc, cup):
        # Every region has an outline, and so has every hole.
        outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        if len(outlines) > 1:
            return False
    return True


def _regular(mask: np.ndarray, sigma: float) -> np.ndarray:
    # Beyond the window's edge there is no disc, nor is there beyond the photograph's: but do not shrink it there.
    filled = _largest_filled(mask).astype(np.float32)
    smooth = cv2.GaussianBlur(filled, (0, 0), max(sigma, 0.1), borderType=cv2.BORDER_REPLICATE) > 0.5
    return _largest_filled(smooth)  # a narrow bridge is gone now


def _largest_filled(mask: np.ndarray) -> np.ndarray:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = [cv2.drawContours(np.zeros(mask.shape, np.uint8), [x], 0, 1, cv2.FILLED) for x in outlines]
    return max(areas, key=np.count_nonzero) > 0 if areas else np.zeros_like(mask)
