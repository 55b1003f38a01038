"""Measures of grading: pure functions of arrays; grades are integers from 0 to K - 1, in order."""

import numpy as np
from scipy.stats import mannwhitneyu
from sklearn.metrics import confusion_matrix, roc_auc_score

from .bootstrap import confusion_interval, mean_interval, two_sample_interval


def kappa_of_confusion(confusion: np.ndarray) -> np.ndarray:
    """Cohen's kappa with quadratic weights of (..., K, K) confusion matrices (rows: truth); nan for one grade.

    >>> float(kappa_of_confusion(np.array([[2, 0], [1, 1]])))
    0.5
    """
    confusion = np.asarray(confusion, dtype=float)
    grades = np.arange(confusion.shape[-1])
    weights = (grades[:, None] - grades) ** 2
    expected = confusion.sum(-1, keepdims=True) * confusion.sum(-2, keepdims=True)
    expected = (weights * expected).sum((-2, -1)) / confusion.sum((-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - (weights * confusion).sum((-2, -1)) / expected, np.nan)


def kappa_interval(
    truth: np.ndarray, predicted: np.ndarray, grades: int, *, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Quadratic kappa with its 95 % bootstrap interval, resampled within the true grades: value, low, high."""
    confusion = confusion_matrix(truth, predicted, labels=range(grades))
    return confusion_interval(kappa_of_confusion, confusion, resamples=resamples, seed=seed)


def auc_interval(positive: np.ndarray, scores: np.ndarray, *, resamples: int = 2000, seed: int = 0):
    """Area under the ROC curve with its 95 % bootstrap interval, resampled within positives and negatives.

    Args:
        positive: (N,) bool.
        scores: (N,), higher for positives.

    Returns:
        value, low, high; all nan where one of the classes is absent.
    """
    positive, scores = np.asarray(positive, bool), np.asarray(scores, float)
    if positive.all() or not positive.any():
        return (float("nan"),) * 3

    def area(x, y, axis):  # scikit-learn's takes one sample at a time
        return mannwhitneyu(x, y, axis=axis, method="asymptotic").statistic / (x.shape[axis] * y.shape[axis])

    samples = scores[positive], scores[~positive]
    value = float(roc_auc_score(positive, scores))
    return value, *two_sample_interval(*samples, area, value, resamples=resamples, seed=seed)


def grading_metrics(
    truth: np.ndarray, predicted: np.ndarray, scores: np.ndarray, above: np.ndarray, grades: list[str]
) -> dict[str, tuple[float, float, float]]:
    """Every measure of N graded photographs as (value, low, high) with a 95 % bootstrap interval.

    `acc`: share predicted correctly. `sp`: recall of the lowest grade. `se_<grade>`: recall of every other. `kappa`:
    quadratic. `auc_<grade>`: one grade against the rest by its score. `auc_above_<grade>`: by the probability of a
    grade above. What a set cannot tell, for a grade that it does not have, is nan.

    Args:
        truth, predicted: (N,) int.
        scores: (N, K), above: (N, K - 1), as the models give them.
        grades: the K names.
    """
    correct = truth == predicted
    metrics = {"acc": mean_interval(correct)}
    for index, grade in enumerate(grades):
        metrics["sp" if index == 0 else f"se_{grade}"] = mean_interval(correct[truth == index])
    metrics["kappa"] = kappa_interval(truth, predicted, len(grades))
    for index, grade in enumerate(grades):
        metrics[f"auc_{grade}"] = auc_interval(truth == index, scores[:, index])
    for index, grade in enumerate(grades[:-1]):
        metrics[f"auc_above_{grade}"] = auc_interval(truth > index, above[:, index])
    return metrics


def contradicts(above: np.ndarray) -> np.ndarray:
    """Whether a later threshold is passed and an earlier one is not: (N, K - 1) probabilities to (N,) bool.

    >>> contradicts(np.array([[0.9, 0.1], [0.1, 0.9]]))
    array([False,  True])
    """
    passed: np.ndarray = np.asarray(above) > 0.5
    return (passed[:, 1:] & ~passed[:, :-1]).any(axis=1)
