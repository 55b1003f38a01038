"""Bootstrap intervals over images."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import bootstrap


def mean_interval(values: ArrayLike, *, resamples: int = 2000, seed: int = 0) -> tuple[float, float, float]:
    """Mean of the finite values of a vector with its 95 % percentile bootstrap interval.

    Returns:
        mean, low, high; all nan where there is no finite value, and low = high = mean where there is one.
    """
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    if len(finite) == 0:
        return (float("nan"),) * 3
    mean = float(finite.mean())
    if len(finite) == 1:
        return mean, mean, mean
    rng = np.random.default_rng(seed)
    interval = bootstrap((finite,), np.mean, n_resamples=resamples, method="percentile", rng=rng).confidence_interval
    return mean, float(interval.low), float(interval.high)


def two_sample_interval(
    first: np.ndarray, second: np.ndarray, statistic: Callable, value: float, *, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile bootstrap interval (low, high) of a statistic of two samples, each resampled by itself.

    `statistic(x, y, axis)` takes many resamples at once. Where nothing varies, low = high = `value`.
    """
    rng = np.random.default_rng(seed)
    options = {"n_resamples": resamples, "method": "percentile", "vectorized": True, "rng": rng}
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        return value, value
    # scipy wants two observations of each; one seen twice has the same distribution.
    samples = [np.repeat(sample, 2) if len(sample) == 1 else sample for sample in (first, second)]
    interval = bootstrap(samples, statistic, **options).confidence_interval
    return float(interval.low), float(interval.high)
