"""How well predicted and true values agree, such as vertical cup-to-disc ratios: pure functions of numpy vectors.

Predicted and true are (N,), a value a photograph, in one unit; a photograph whose either value is nan is left out.
"""

import numpy as np
from numpy.typing import ArrayLike

from .bootstrap import statistic_interval

NORMAL_95 = 1.96  # 95 % of a normal distribution are within so many standard deviations


def bias(predicted: ArrayLike, true: ArrayLike) -> float:
    """Mean of predicted minus true; nan without a photograph.

    >>> bias([0.5, 0.75], [0.5, 0.5])
    0.125
    """
    ratings = _known(predicted, true)
    return float((ratings[:, 0] - ratings[:, 1]).mean()) if len(ratings) else float("nan")


def pearson(predicted: ArrayLike, true: ArrayLike) -> float:
    """Pearson's correlation; nan of fewer than three photographs, or where either is the same in all.

    It does not see a bias: `icc` does.
    """
    ratings = _known(predicted, true)
    if len(ratings) < 3 or not np.ptp(ratings, axis=0).all():
        return float("nan")
    return float(np.corrcoef(ratings.T)[0, 1])


def icc(ratings: ArrayLike) -> float:
    """Intraclass correlation ICC(2,1): two-way random effects, absolute agreement, a single measure.

    Shrout and Fleiss, "Intraclass correlations", Psychological Bulletin 86 (1979).

    Args:
        ratings: (n, k), n photographs as k raters measured them; those that a rater did not measure (nan) are left out.

    Returns:
        At most 1; nan of fewer than two photographs or raters, or where the ratings do not vary.

    >>> round(icc([[1, 2], [2, 3], [3, 4]]), 4)  # a rater is always one higher
    0.6667
    """
    known = np.asarray(ratings, dtype=float)
    known = known[np.isfinite(known).all(axis=1)]
    n, k = known.shape
    if n < 2 or k < 2 or not np.ptp(known):
        return float("nan")
    rows, columns = known.mean(1, keepdims=True), known.mean(0, keepdims=True)
    between_rows = k * rows.var(ddof=1)
    between_columns = n * columns.var(ddof=1)
    error = ((known - rows - columns + known.mean()) ** 2).sum() / ((n - 1) * (k - 1))
    whole = between_rows + (k - 1) * error + k * (between_columns - error) / n
    return float((between_rows - error) / whole) if whole > 0 else float("nan")


def limits_of_agreement(predicted: ArrayLike, true: ArrayLike) -> tuple[float, float]:
    """Bland and Altman's limits: the bias less and plus 1.96 standard deviations of the differences (n - 1).

    nan of fewer than two photographs.
    """
    ratings = _known(predicted, true)
    if len(ratings) < 2:
        return float("nan"), float("nan")
    middle, half = bias(predicted, true), NORMAL_95 * float((ratings[:, 0] - ratings[:, 1]).std(ddof=1))
    return middle - half, middle + half


def agreement_intervals(
    predicted: ArrayLike, true: ArrayLike, *, resamples: int = 2000, seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """`pearson`, `icc`, `limit_low` and `limit_high` as (value, low, high), with 95 % bootstrap intervals.

    The bias is not among them: it is a mean over photographs, for which there is `mean_interval`.
    """
    statistics = {
        "pearson": pearson,
        "icc": lambda x, y: icc(np.column_stack([x, y])),
        "limit_low": lambda x, y: limits_of_agreement(x, y)[0],
        "limit_high": lambda x, y: limits_of_agreement(x, y)[1],
    }
    known = _known(predicted, true).T
    return {
        name: statistic_interval(statistic, *known, resamples=resamples, seed=seed)
        for name, statistic in statistics.items()
    }


def _known(predicted: ArrayLike, true: ArrayLike) -> np.ndarray:
    """(n, 2), predicted and true, of the photographs that have both."""
    ratings = np.column_stack([np.asarray(predicted, dtype=float), np.asarray(true, dtype=float)])
    return ratings[np.isfinite(ratings).all(axis=1)]
