"""Bootstrap intervals over images."""

import numpy as np
from scipy.stats import bootstrap


def mean_interval(values: np.ndarray, *, resamples: int = 2000, seed: int = 0) -> tuple[float, float, float]:
    """Mean of the finite values of a vector with its 95 % percentile bootstrap interval.

    Returns:
        mean, low, high; all nan where there is no finite value, and low = high = mean where there is one.
    """
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return (float("nan"),) * 3
    mean = float(values.mean())
    if len(values) == 1:
        return mean, mean, mean
    rng = np.random.default_rng(seed)
    interval = bootstrap((values,), np.mean, n_resamples=resamples, method="percentile", rng=rng).confidence_interval
    return mean, float(interval.low), float(interval.high)
