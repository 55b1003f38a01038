"""Bootstrap intervals over photographs: every resampling there is."""

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


def statistic_interval(
    statistic: Callable[..., float], *values: ArrayLike, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """A statistic of vectors that go together, each (N,), such as predicted and true values, with its interval.

    The interval is the 95 % percentile bootstrap's over photographs, each drawn with all of its values; resamples for
    which the statistic is nan, such as a correlation of one photograph drawn N times, are left out.

    Returns:
        value, low, high; all nan where the value is.
    """
    vectors = [np.asarray(x) for x in values]
    value = float(statistic(*vectors))
    if not np.isfinite(value):
        return (float("nan"),) * 3
    rng, n = np.random.default_rng(seed), len(vectors[0])
    drawn = (rng.integers(n, size=n) for _ in range(resamples))
    found = np.array([statistic(*(x[places] for x in vectors)) for places in drawn])
    low, high = np.percentile(found[np.isfinite(found)], [2.5, 97.5])
    return value, float(low), float(high)


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


def stratified_interval(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    labels: np.ndarray,
    scores: np.ndarray,
    *,
    resamples: int = 500,
    seed: int = 0,
) -> tuple[float, float, float]:
    """A statistic of (labels, scores) with its 95 % percentile bootstrap interval.

    Photographs with label 1 and with label 0 are resampled apart, so that no resample lacks either.

    Returns:
        value, low, high; all nan without both labels.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    groups = [np.flatnonzero(labels == label) for label in (0, 1)]
    if not all(len(group) for group in groups):
        return (float("nan"),) * 3
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        drawn = np.concatenate([rng.choice(group, len(group)) for group in groups])
        values.append(statistic(labels[drawn], scores[drawn]))
    low, high = np.percentile(values, [2.5, 97.5])
    return statistic(labels, scores), float(low), float(high)


def confusion_interval(
    statistic: Callable[[np.ndarray], np.ndarray], confusion: np.ndarray, *, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """A statistic of a (K, K) confusion matrix, rows the truth, with its 95 % percentile bootstrap interval.

    Photographs are resampled within their true grade: drawing n of one grade with replacement is drawing their
    predictions from a multinomial. `statistic` takes (..., K, K); resamples for which it is nan are left out.
    """
    rng = np.random.default_rng(seed)
    rows = [rng.multinomial(row.sum(), row / max(row.sum(), 1), size=resamples) for row in confusion if row.sum()]
    drawn = np.zeros((resamples, *confusion.shape))
    drawn[:, confusion.sum(1) > 0] = np.stack(rows, axis=1)
    values = statistic(drawn)
    values = values[np.isfinite(values)]
    low, high = np.quantile(values, (0.025, 0.975)) if len(values) else (np.nan, np.nan)
    return float(statistic(confusion)), float(low), float(high)


def stratified_draws(strata: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of N photographs, (1 + resamples, N): as they are, then drawn with replacement within their stratum."""
    drawn = np.tile(np.arange(len(strata)), (1 + resamples, 1))
    for stratum in np.unique(strata):
        places = np.flatnonzero(strata == stratum)
        drawn[1:, places] = rng.choice(places, (resamples, len(places)))
    return drawn
