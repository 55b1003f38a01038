"""How far the outlines of two masks are apart, by MONAI: pure functions on masks."""

import warnings

import numpy as np


def surface_distances(prediction: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """95th percentile Hausdorff distance and average symmetric surface distance of two (H, W) bool masks, in pixels.

    A mask's outline is its pixels that have one of their four neighbours outside; beyond the picture all is outside.
    Every pixel of an outline has its distance to the nearest one of the other. HD95 is the greater of both outlines'
    95th percentiles, the average surface distance is the mean over the pixels of both. Both are nan where either mask
    is empty: a missed disc has no distance, and the detection rate tells of it.
    """
    if not (prediction.any() and truth.any()):
        return float("nan"), float("nan")
    window = _around(prediction | truth)
    first, second = prediction[window][None, None], truth[window][None, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MONAI's own, of what it imports and calls
        from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance  # takes seconds

        hausdorff = compute_hausdorff_distance(first, second, include_background=True, percentile=95)
        average = compute_average_surface_distance(first, second, include_background=True, symmetric=True)
    return float(hausdorff), float(average)


def _around(mask: np.ndarray) -> tuple[slice, slice]:
    """The bounding box of a mask that is not empty, and a pixel around it where the picture has one."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2)
