"""AUC and sensitivity at a specificity: worked by hand, and against scikit-learn's curve line by line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from fundus_plugins.measures.bootstrap import stratified_interval
from fundus_plugins.measures.screening import auc, sensitivity_at_specificity

# Thresholds 9, 8, ..., 1: the five without glaucoma score 7, 5, 3, 2, 1.
LABELS = np.array([1, 1, 0, 1, 0, 1, 0, 0, 0])
SCORES = np.array([9, 8, 7, 6, 5, 4, 3, 2, 1])


def test_worked_by_hand():
    assert auc(LABELS, SCORES) == pytest.approx((5 + 5 + 4 + 3) / 20)
    assert sensitivity_at_specificity(LABELS, SCORES, 1.0) == 0.5  # 9 and 8 above all without glaucoma
    assert sensitivity_at_specificity(LABELS, SCORES, 0.8) == 0.75  # the higher of 0.5 and 0.75
    assert sensitivity_at_specificity(LABELS, SCORES, 0.6) == 1.0
    assert sensitivity_at_specificity(LABELS, SCORES, 0.7) == pytest.approx(0.75)  # (0.6, 0.75) to (0.8, 0.75)
    assert sensitivity_at_specificity(LABELS, LABELS, 0.85) == 1


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=2, max_size=60), st.floats(0, 1))
def test_against_the_curve_line_by_line(pairs, specificity):
    labels, scores = map(np.array, zip(*pairs))
    if len(set(labels)) < 2:
        assert np.isnan(auc(labels, scores)) and np.isnan(sensitivity_at_specificity(labels, scores))
        return
    assert auc(labels, scores) == roc_auc_score(labels, scores)
    false_positive_rate, sensitivity, _ = roc_curve(labels, scores)
    points, crossed = list(zip(1 - false_positive_rate, sensitivity)), []
    for (s0, t0), (s1, t1) in zip(points, points[1:]):
        if s0 >= specificity >= s1:
            crossed.append(max(t0, t1) if s0 == s1 else t0 + (t1 - t0) * (s0 - specificity) / (s0 - s1))
    assert sensitivity_at_specificity(labels, scores, specificity) == pytest.approx(max(crossed))


def test_wrong_specificity():
    with pytest.raises(ValueError, match="specificity 85: expected 0 to 1"):
        sensitivity_at_specificity(LABELS, SCORES, 85)


def test_interval_keeps_the_number_of_each_label():
    seen = []
    value, low, high = stratified_interval(lambda x, y: seen.append(x.sum()) or auc(x, y), LABELS, SCORES, resamples=50)
    assert set(seen) == {4} and low <= value == auc(LABELS, SCORES) <= high and low < high
    assert stratified_interval(auc, LABELS, LABELS, resamples=20) == (1, 1, 1)
    assert np.isnan(stratified_interval(auc, np.zeros(3), SCORES[:3])).all()
    assert np.isnan(stratified_interval(auc, np.array([]), np.array([]))).all()
