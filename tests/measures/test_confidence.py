"""Rank correlation and flags by hand and against pandas."""

import math

import numpy as np
import pandas
import pytest

from fundus_plugins.measures.confidence import (
    SIGNALS,
    TRUTHS,
    cross_validated_flags,
    cross_validated_margin,
    flagged_by,
    margin_over_sources,
    rank_correlations,
    threshold_for,
)

NAN = float("nan")


def rows(count=30):
    rng = np.random.default_rng(0)
    table = pandas.DataFrame(rng.random((count, 6)), columns=[*SIGNALS, *TRUTHS])
    table["agreement"] += table["dice_oc"]
    return table


def test_equals_pandas():
    table = rows()
    found = rank_correlations(table.to_dict("records"))
    expected = table.corr("spearman")
    for signal in SIGNALS:
        for truth in TRUTHS:
            assert found[signal][truth] == pytest.approx(expected.loc[signal, truth])


def test_what_is_unknown_or_constant():
    table = rows(6)
    table["dice_oc"] = NAN
    table["dice_od"] = 1.0
    table.loc[0, "score"] = NAN
    found = rank_correlations(table.to_dict("records"))
    assert math.isnan(found["score"]["dice_oc"]) and math.isnan(found["score"]["dice_od"])
    assert math.isfinite(found["score"]["vcdr_mae"])


def test_flags_by_hand():
    table = [
        {"agreement": agreement, "dice_od": dice, "dice_oc": NAN, "vcdr_mae": 0.1}
        for agreement, dice in ((0.9, 1.0), (0.8, 0.9), (0.7, 0.5), (NAN, 0.0))
    ]
    found = flagged_by(table, "agreement", 0.75)
    assert found["flagged"] == 0.5 and found["dice_od flagged"] == 0.25 and found["dice_od others"] == 0.95
    assert math.isnan(found["dice_oc others"])
    assert threshold_for(table, "agreement", 0.5) == pytest.approx(0.75)


def test_each_run_is_judged_by_the_others():
    rows = [
        {"run": run, "agreement": value, "dice_od": value, "dice_oc": 0.5, "vcdr_mae": error, "detection_rate": 1.0}
        for run, values in (("a", (0.1, 0.2)), ("b", (0.6, 0.8)))
        for value, error in zip(values, (0.1, 0.2) if run == "a" else (0.0, 0.05))
    ]
    found = cross_validated_flags(rows, "agreement", 0.5)  # a by 0.7, all of it; b by 0.15, none
    assert found["flagged"] == 0.5 and found["dice_od flagged"] == pytest.approx(0.15)
    assert found["dice_od others"] == pytest.approx(0.7)
    margin = cross_validated_margin(rows, 0.5)  # of all errors 0, 0.05, 0.1, 0.2 the third; of b 0.05, of a 0.2
    assert margin == {"margin": pytest.approx(0.1), "covered": 0.5}
    assert cross_validated_margin(rows)["margin"] == np.inf  # 90 % of four errors cannot be had
    assert cross_validated_margin([])["margin"] == np.inf
    cupless = {"run": "a", "vcdr_mae": 0.9, "detection_rate": 1.0, "vcdr_predicted": 0.0}
    assert cross_validated_margin([*rows, cupless], 0.5) == margin


def of(source, *errors):
    return [{"set": source, "vcdr_mae": error, "detection_rate": 1.0} for error in errors]


def test_the_interval_holds_on_the_worst_source():
    """Of a's ten errors the tenth (0.9 * 11 = 9.9), of b's twenty the nineteenth (18.9); of c nothing is known."""
    a = of("a", *(0.01 * i for i in range(1, 11)))
    b = of("b", *(0.01 * i for i in range(1, 21)))
    missed = [row | {"detection_rate": 0.0} for row in of("c", 0.9)]
    found = margin_over_sources(a + b + of("c", None, NAN) + missed)
    assert found["margin"] == pytest.approx(0.19) and found["worst"] == "b"
    assert found["covered"] == {"a": 1.0, "b": 0.5}  # a's 0.10 holds ten of b's twenty
    assert margin_over_sources(a + of("b", 0.2))["margin"] == np.inf  # of one photograph nine in ten cannot be had
    cupless = [row | {"vcdr_predicted": 0.0} for row in of("a", 0.6, 0.7)]  # which have no ratio, and no interval
    assert margin_over_sources([row | {"vcdr_predicted": 0.5} for row in a] + cupless)["margin"] == pytest.approx(0.1)
    alone = margin_over_sources(a)
    assert alone["margin"] == pytest.approx(0.1) and np.isnan(alone["covered"]["a"])
    assert margin_over_sources([]) == {"margin": np.inf, "worst": None, "covered": {}}


def test_one_source_is_split_conformal_prediction():
    rng = np.random.default_rng(0)
    errors = rng.random(50)
    expected = np.sort(errors)[math.ceil(0.9 * 51) - 1]
    assert margin_over_sources(of("a", *errors))["margin"] == expected
