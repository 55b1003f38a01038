"""Bias, correlations and limits of agreement: values worked by hand, Shrout and Fleiss's table, and properties."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr

from fundus_plugins.measures import agreement
from fundus_plugins.measures.agreement import agreement_intervals, bias, icc, limits_of_agreement, pearson
from fundus_plugins.measures.bootstrap import statistic_interval

# Table 2 of Shrout and Fleiss (1979): six targets, four judges.
SHROUT_AND_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
NAN = float("nan")

ratios = st.integers(0, 100).map(lambda x: x / 100)
pairs = st.lists(st.tuples(ratios, ratios), min_size=3, max_size=30).map(lambda x: np.array(x).T)
varied = pairs.filter(lambda x: np.ptp(x, axis=1).all())


def icc_of_two(predicted, true):
    return icc(np.column_stack([predicted, true]))


def by_sums_of_squares(ratings):
    """The two-way table of the analysis of variance, cell by cell."""
    n, k = ratings.shape
    grand = ratings.mean()
    rows = k * sum((ratings[i].mean() - grand) ** 2 for i in range(n))
    columns = n * sum((ratings[:, j].mean() - grand) ** 2 for j in range(k))
    error = sum((x - grand) ** 2 for x in ratings.ravel()) - rows - columns
    bms, jms, ems = rows / (n - 1), columns / (k - 1), error / ((n - 1) * (k - 1))
    return (bms - ems) / (bms + (k - 1) * ems + k * (jms - ems) / n)


def test_docstring_examples():
    assert doctest.testmod(agreement).failed == 0


def test_shrout_and_fleiss():
    assert round(icc(SHROUT_AND_FLEISS), 2) == 0.29
    # Their mean squares: between targets 11.24, between judges 32.49, residual 1.02.
    assert icc(SHROUT_AND_FLEISS) == pytest.approx(
        (11.24 - 1.02) / (11.24 + 3 * 1.02 + 4 * (32.49 - 1.02) / 6), abs=1e-3
    )


def test_worked_by_hand():
    predicted, true = [0.5, 0.7, 0.6, 0.4], [0.4, 0.6, 0.6, 0.6]
    # Differences 0.1, 0.1, 0, -0.2: mean 0, variance (0.01 + 0.01 + 0.04) / 3 = 0.02.
    assert bias(predicted, true) == pytest.approx(0)
    assert limits_of_agreement(predicted, true) == pytest.approx((-1.96 * 0.02**0.5, 1.96 * 0.02**0.5))
    # Less the means 0.55 and 0.55: products 0.0075 + 0.0075 + 0.0025 - 0.0075; squares 0.05 and 0.03.
    assert pearson(predicted, true) == pytest.approx(0.01 / (0.05 * 0.03) ** 0.5)
    assert bias([0.9, 0.5], [0.5, 0.4]) == pytest.approx(0.25)
    assert bias([0.0], [0.5]) == -0.5  # predicted less true


@given(varied)
def test_against_others(pair):
    assert pearson(*pair) == pytest.approx(pearsonr(*pair).statistic)
    assert icc_of_two(*pair) == pytest.approx(by_sums_of_squares(pair.T), abs=1e-9)


@given(varied, st.floats(-2, 2))
def test_properties(pair, shift):
    predicted, true = pair
    assert -1 <= pearson(*pair) <= 1 and icc_of_two(*pair) <= 1 + 1e-12
    assert icc_of_two(true, true) == pytest.approx(1) and pearson(true, true) == pytest.approx(1)
    assert icc_of_two(*pair) == pytest.approx(icc_of_two(true, predicted))
    assert icc_of_two(*(pair + shift)) == pytest.approx(icc_of_two(*pair), abs=1e-6)
    assert bias(*pair) == pytest.approx(-bias(true, predicted))
    assert bias(predicted + shift, true) == pytest.approx(bias(*pair) + shift, abs=1e-9)
    low, high = limits_of_agreement(*pair)
    assert low <= bias(*pair) + 1e-12 and bias(*pair) <= high + 1e-12
    # A bias lowers the intraclass correlation, and leaves Pearson's as it is.
    assert pearson(true + shift, true) == pytest.approx(1)
    assert icc_of_two(true + shift, true) <= 1 + 1e-12
    if abs(shift) > 0.1:
        assert icc_of_two(true + shift, true) < 0.99999


@given(varied)
def test_what_is_nan_is_left_out(pair):
    unknown = np.array([[0.9, NAN, NAN], [NAN, 0.1, NAN]])
    for mixed in (np.hstack([unknown, pair]), np.hstack([pair[:, :1], unknown, pair[:, 1:]])):
        for measure in (bias, pearson, icc_of_two, limits_of_agreement):
            assert measure(*mixed) == pytest.approx(measure(*pair))


def test_too_few_or_all_the_same():
    assert np.isnan(bias([], [])) and np.isnan(bias([NAN], [1.0]))
    assert np.isnan(pearson([0.1, 0.2], [0.1, 0.2])) and np.isnan(pearson([0.1] * 4, [0.1, 0.2, 0.3, 0.4]))
    assert np.isnan(icc([[0.1, 0.2]])) and np.isnan(icc([[0.1, 0.1]] * 3)) and np.isnan(icc([[0.1], [0.2]]))
    assert icc([[0.1, 0.3]] * 5) == pytest.approx(0)  # two that differ, of eyes that do not
    assert np.isnan(limits_of_agreement([0.1], [0.1])).all()
    assert limits_of_agreement([0.1, 0.3], [0.1, 0.3]) == (0, 0)
    assert all(np.isnan(x).all() for x in agreement_intervals([], []).values())
    assert all(np.isnan(x).all() for x in agreement_intervals([0.1], [NAN]).values())


def test_intervals():
    rng = np.random.default_rng(0)
    true = rng.normal(0.5, 0.15, 400)
    predicted = true + rng.normal(0.05, 0.1, 400)
    found = agreement_intervals(predicted, true)
    assert found == agreement_intervals(predicted, true) and all(low < x < high for x, low, high in found.values())
    assert (found["limit_low"][0], found["limit_high"][0]) == limits_of_agreement(predicted, true)
    # Fisher's transformation gives the interval of a normal distribution's correlation.
    r, low, high = found["pearson"]
    assert (low, high) == pytest.approx(np.tanh(np.arctanh(r) + 1.96 / 397**0.5 * np.array([-1, 1])), abs=0.02)
    # Bland and Altman's own: the standard error of a limit is about 1.71 SD / sqrt(n).
    half = 1.96 * 1.71 * (predicted - true).std(ddof=1) / 20
    for name in ("limit_low", "limit_high"):
        x, low, high = found[name]
        assert (low, high) == pytest.approx((x - half, x + half), abs=0.005)


def test_bootstrap_keeps_pairs_together_and_leaves_nan_out():
    first = np.arange(20.0)
    assert statistic_interval(lambda x, y: float(np.abs(x - y).max()), first, first, resamples=50) == (0, 0, 0)
    value, low, high = statistic_interval(pearson, [0.0, 0.0, 1.0], [0.0, 0.0, 1.0], resamples=200)
    assert (value, low, high) == pytest.approx(
        (1, 1, 1)
    )  # of some resamples, of one photograph thrice, it is not known
    assert np.isnan(statistic_interval(pearson, [1.0], [1.0])).all()


def test_ratings_that_only_disagree_have_no_correlation():
    assert np.isnan(icc([[1, 2], [2, 1]]))
