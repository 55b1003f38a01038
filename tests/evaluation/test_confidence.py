"""Rank correlation and flags by hand and against pandas."""

import math

import numpy as np
import pandas
import pytest

from fundus_plugins.evaluation.confidence import flagged_by, rank_correlations, threshold_for

NAN = float("nan")


def rows(count=30):
    rng = np.random.default_rng(0)
    table = pandas.DataFrame(rng.random((count, 5)), columns=["score", "agreement", "dice_od", "dice_oc", "vcdr_mae"])
    table["agreement"] += table["dice_oc"]
    return table


def test_equals_pandas():
    table = rows()
    found = rank_correlations(table.to_dict("records"))
    expected = table.corr("spearman")
    for signal in ("score", "agreement"):
        for truth in ("dice_od", "dice_oc", "vcdr_mae"):
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
