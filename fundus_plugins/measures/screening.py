"""Screening by a score, such as the vertical cup-to-disc ratio: pure functions of numpy vectors."""

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve; labels (N,) 1 for glaucoma and 0 for none, scores (N,); nan without both labels.

    >>> auc(np.array([0, 0, 1, 1]), np.array([0.3, 0.6, 0.5, 0.7]))
    0.75
    """
    return float(roc_auc_score(labels, scores)) if len(np.unique(labels)) == 2 else float("nan")


def partial_auc(labels: np.ndarray, scores: np.ndarray, specificity: float = 0.9) -> float:
    """Area under the ROC curve from this specificity up to 1, standardised: 0.5 for chance and 1 for a perfect score.

    It is scikit-learn's, with McClish's standardisation. Arguments and nan as for `auc`. Raises ValueError for a
    specificity below 0, or of 1.

    >>> round(partial_auc(np.array([0, 0, 1, 1]), np.array([0.3, 0.6, 0.5, 0.7])), 4)
    0.7368
    """
    if not 0 <= specificity < 1:
        raise ValueError(f"specificity {specificity}: expected 0 or more, and less than 1")
    if len(np.unique(labels)) < 2:
        return float("nan")
    return float(roc_auc_score(labels, scores, max_fpr=1 - specificity))


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
