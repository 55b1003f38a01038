"""Measures of grading: pure functions of arrays; grades are integers from 0 to K - 1, in order."""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.stats import mannwhitneyu
from sklearn.metrics import confusion_matrix, roc_auc_score

from .bootstrap import (
    confusion_interval,
    mean_interval,
    statistic_interval,
    stratified_interval,
    two_sample_interval,
)
from .screening import partial_auc, sensitivity_at_specificity

_RESAMPLES = 500  # of the measures that take one resample at a time


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


def calibration_error(positive: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error of a probability: how far it is from the share of positives, on average.

    Probabilities are sorted into `bins` of equal width: [0, 0.1), [0.1, 0.2), ..., [0.9, 1] for 10. In each the
    distance of their mean from the share of positives is taken; these are averaged, weighed by the number of
    photographs. nan of no photographs.

    Args:
        positive: (N,) bool.
        probabilities: (N,), 0 to 1.

    >>> round(calibration_error(np.array([False, True]), np.array([0.2, 0.9])), 4)
    0.15
    """
    positive, probabilities = np.asarray(positive, float), np.asarray(probabilities, float)
    if not len(positive):
        return float("nan")
    places = np.clip((probabilities * bins).astype(int), 0, bins - 1)
    # A bin's number of photographs times the distance of its means is the distance of its sums.
    sums = [np.bincount(places, weights=values, minlength=bins) for values in (probabilities, positive)]
    return float(np.abs(sums[0] - sums[1]).sum() / len(positive))


def grading_metrics(
    truth: np.ndarray,
    predicted: np.ndarray,
    scores: np.ndarray,
    above: np.ndarray,
    grades: list[str],
    *,
    resamples: int = 2000,
) -> dict[str, tuple[float, float, float]]:
    """Every measure of N graded photographs as (value, low, high) with a 95 % bootstrap interval.

    `acc`: share predicted correctly. `sp`: recall of the lowest grade. `se_<grade>`: recall of every other. `kappa`:
    quadratic. `mae`: mean distance of the predicted from the true grade, in grades. `auc_<grade>`: one grade against
    the rest by its score. By the probability of a grade above: `auc_above_<grade>`; `se85_above_<grade>` and
    `se95_above_<grade>`, the sensitivity at 85 and 95 % specificity; `pauc_above_<grade>`, `partial_auc` over
    specificities of 90 to 100 %; `ece_above_<grade>`, `calibration_error`, whose interval lies high, for a resample
    scatters more than the set. What a set cannot tell, for a grade that it does not have, is nan.

    Args:
        truth, predicted: (N,) int.
        scores: (N, K), above: (N, K - 1), as the models give them.
        grades: the K names.
        resamples: of the bootstrap, at most 500 of the screening measures; 0: no bootstrap, the bounds are nan.
    """
    many = {"resamples": max(resamples, 1)}
    correct = truth == predicted
    metrics = {"acc": mean_interval(correct, **many)}
    for index, grade in enumerate(grades):
        metrics["sp" if index == 0 else f"se_{grade}"] = mean_interval(correct[truth == index], **many)
    metrics["kappa"] = kappa_interval(truth, predicted, len(grades), **many)
    metrics["mae"] = mean_interval(np.abs(truth - predicted), **many)
    for index, grade in enumerate(grades):
        metrics[f"auc_{grade}"] = auc_interval(truth == index, scores[:, index], **many)
    for index, grade in enumerate(grades[:-1]):
        metrics[f"auc_above_{grade}"] = auc_interval(truth > index, above[:, index], **many)
    for index, grade in enumerate(grades[:-1]):
        metrics |= _screening(truth > index, above[:, index], grade, min(_RESAMPLES, many["resamples"]))
    return metrics if resamples else {name: (value, np.nan, np.nan) for name, (value, _, _) in metrics.items()}


def _screening(
    positive: np.ndarray, probabilities: np.ndarray, grade: str, resamples: int
) -> dict[str, tuple[float, float, float]]:
    statistics: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
        "se85": partial(sensitivity_at_specificity, specificity=0.85),
        "se95": partial(sensitivity_at_specificity, specificity=0.95),
        "pauc": partial_auc,
    }
    found = {
        f"{name}_above_{grade}": stratified_interval(statistic, positive, probabilities, resamples=resamples)
        for name, statistic in statistics.items()
    }
    error = statistic_interval(calibration_error, positive, probabilities, resamples=resamples)
    return found | {f"ece_above_{grade}": error}


def contradicts(above: np.ndarray) -> np.ndarray:
    """Whether a later threshold is passed and an earlier one is not: (N, K - 1) probabilities to (N,) bool.

    >>> contradicts(np.array([[0.9, 0.1], [0.1, 0.9]]))
    array([False,  True])
    """
    passed: np.ndarray = np.asarray(above) > 0.5
    return (passed[:, 1:] & ~passed[:, :-1]).any(axis=1)
