"""Screening by a score, such as the vertical cup-to-disc ratio: pure functions of numpy vectors."""

from collections.abc import Callable

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve; labels (N,) 1 for glaucoma and 0 for none, scores (N,); nan without both labels.

    >>> auc(np.array([0, 0, 1, 1]), np.array([0.3, 0.6, 0.5, 0.7]))
    0.75
    """
    return float(roc_auc_score(labels, scores)) if len(np.unique(labels)) == 2 else float("nan")


def sensitivity_at_specificity(labels: np.ndarray, scores: np.ndarray, specificity: float = 0.85) -> float:
    """Sensitivity where the ROC curve, its points joined by straight lines, has this specificity.

    Of several sensitivities at one specificity the highest counts. Arguments and nan as for `auc`. Raises ValueError
    for a specificity outside 0 to 1.

    >>> sensitivity_at_specificity(np.array([0, 0, 1, 1]), np.array([0.3, 0.6, 0.5, 0.7]), 0.75)
    0.5
    """
    if not 0 <= specificity <= 1:
        raise ValueError(f"specificity {specificity}: expected 0 to 1")
    if len(np.unique(labels)) < 2:
        return float("nan")
    false_positive_rate, sensitivity, _ = roc_curve(labels, scores)
    specificities = 1 - false_positive_rate
    joined = np.interp(specificity, specificities[::-1], sensitivity[::-1])
    return float(max(joined, sensitivity[specificities >= specificity].max()))


def screening_interval(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    labels: np.ndarray,
    scores: np.ndarray,
    *,
    resamples: int = 500,
    seed: int = 0,
) -> tuple[float, float, float]:
    """A statistic of (labels, scores) with its 95 % percentile bootstrap interval.

    Photographs with and without glaucoma are resampled apart, so that no resample lacks either.

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
