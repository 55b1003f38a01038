"""Where in a picture a mask is."""

import cv2
import numpy as np


def box_of(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """The box x0, y0, x1, y1, in whole pixels, tight about what is not 0 of a mask (H, W); None of an empty one.

    x1 and y1 are the first pixels beyond it.
    """
    mask = np.asarray(mask)
    inside = mask if mask.dtype == bool else mask != 0
    x, y, width, height = cv2.boundingRect(inside.view(np.uint8))
    return (x, y, x + width, y + height) if width else None


def window_of(mask: np.ndarray, margin: int = 0) -> tuple[slice, slice]:
    """Rows and columns of a mask's box, and `margin` pixels around where the picture has them; empty without a box."""
    box = box_of(mask)
    if box is None:
        return slice(0, 0), slice(0, 0)
    x0, y0, x1, y1 = box
    return slice(max(0, y0 - margin), y1 + margin), slice(max(0, x0 - margin), x1 + margin)
