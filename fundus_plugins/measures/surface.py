"""How far the outlines of two masks are apart, by MONAI: pure functions on masks."""

import warnings

import numpy as np

from fundus_plugins.boxes import window_of


def surface_distances(prediction: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """95th percentile Hausdorff distance and average symmetric surface distance of two (H, W) bool masks, in pixels.

    A mask's outline is its pixels that have one of their four neighbours outside; beyond the picture all is outside.
    Every pixel of an outline has its distance to the nearest one of the other. HD95 is the greater of both outlines'
    95th percentiles, the average surface distance is the mean over the pixels of both. Both are nan where either mask
    is empty: a missed disc has no distance, and the detection rate tells of it.
    """
    if not (prediction.any() and truth.any()):
        return float("nan"), float("nan")
    window = window_of(prediction | truth, margin=1)
    first, second = prediction[window][None, None], truth[window][None, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MONAI's own, of what it imports and calls
        from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance  # takes seconds

        hausdorff = compute_hausdorff_distance(first, second, include_background=True, percentile=95)
        average = compute_average_surface_distance(first, second, include_background=True, symmetric=True)
    return float(hausdorff), float(average)
