"""Overlap of a predicted and a true optic disc and cup, as pure functions on masks."""

import numpy as np


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Dice coefficient 2 |A and B| / (|A| + |B|) of two (H, W) bool masks; 1 where both are empty.

    >>> dice(np.array([[1, 1, 0]], bool), np.array([[0, 1, 1]], bool))
    0.5
    """
    total = np.count_nonzero(prediction) + np.count_nonzero(truth)
    return float(2 * np.count_nonzero(prediction & truth) / total) if total else 1.0


def iou(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union |A and B| / |A or B| of two (H, W) bool masks; 1 where both are empty.

    >>> round(iou(np.array([[1, 1, 0]], bool), np.array([[0, 1, 1]], bool)), 4)
    0.3333
    """
    union = np.count_nonzero(prediction | truth)
    return float(np.count_nonzero(prediction & truth) / union) if union else 1.0


def mean_iou(disc: np.ndarray, cup: np.ndarray, true_disc: np.ndarray, true_cup: np.ndarray) -> float:
    """Mean IoU over background, rim (disc without cup) and cup, all (H, W) bool."""
    parts = ((~disc, ~true_disc), (disc & ~cup, true_disc & ~true_cup), (cup, true_cup))
    return float(np.mean([iou(*part) for part in parts]))
