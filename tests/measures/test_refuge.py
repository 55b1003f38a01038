"""REFUGE's measures: cases worked by hand, and the challenge's formulas written out, on its own masks."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import interp1d
from sklearn.metrics import roc_auc_score, roc_curve

from fundus_plugins.measures.refuge import rank_submissions, refuge_sensitivity, refuge_vcdr, score_masks
from fundus_plugins.measures.screening import auc, sensitivity_at_specificity
from fundus_plugins.photographs.masks import decode_refuge_mask, encode_refuge_mask
from tests.conftest import SHARED

REFUGE_MASKS = SHARED / "data" / "refuge-masks" / "val"


def mask(*rows):
    """D rim, C cup, anything else background; as disc and cup."""
    letters = np.array([list(row) for row in rows])
    return np.isin(letters, ["D", "C"]), letters == "C"


TRUTH = mask("......", ".DDDD.", ".DCCD.", ".DCCD.", ".DDDD.", "......")  # 16 pixels, cup 4, ratio 2 of 4
EMPTY = mask(*["......"] * 6)
E = 1e-7


@pytest.mark.parametrize(
    "prediction, dice_od, dice_oc, vcdr",
    [
        (TRUTH, 1, 1, 2 / (4 + E)),
        (EMPTY, 0, 0, 0),
        # A cup without a disc: the coding makes it disc. 2 * 4 / (4 + 16); the ratio is 2 of 2.
        ((EMPTY[0], TRUTH[1]), 8 / 20, 1, 2 / (2 + E)),
        # A disc without a cup.
        ((TRUTH[0], EMPTY[1]), 1, 0, 0),
        # A cup partly outside of the disc, which thereby gets 2 more pixels; largest column sums 5 and 3.
        (mask("..CC..", ".DDDD.", ".DCCD.", ".DCCD.", ".DDDD.", "......"), 32 / 34, 8 / 10, 3 / (5 + E)),
        # Two components: the second, two pixels high, is in columns of its own and counts for Dice alone.
        (mask("D.....", "DDDDD.", ".DCCD.", ".DCCD.", ".DDDD.", "......"), 32 / 34, 1, 2 / (4 + E)),
        # Two components in one column: column sums count both, whatever lies between.
        (mask("..D...", "......", "..C...", "..C...", "......", "..D..."), 2 * 2 / (4 + 16), 4 / 6, 2 / (4 + E)),
        # Touching all four borders.
        (mask(*["DDDDDD"] * 2, *["DDCCDD"] * 2, *["DDDDDD"] * 2), 32 / (36 + 16), 1, 2 / (6 + E)),
    ],
    ids="same empty cup_alone disc_alone cup_outside two_components one_column border".split(),
)
def test_worked_by_hand(prediction, dice_od, dice_oc, vcdr):
    row = score_masks(*prediction, *TRUTH)
    assert row["dice_od"] == pytest.approx(dice_od, abs=1e-15) and row["dice_oc"] == pytest.approx(dice_oc, abs=1e-15)
    assert row["vcdr_predicted"] == vcdr and row["vcdr_true"] == 2 / (4 + E)
    assert row["vcdr_mae"] == abs(vcdr - 2 / (4 + E))
    coded = decode_refuge_mask(encode_refuge_mask(*prediction))
    assert score_masks(*coded, *TRUTH) == row


def test_coding():
    coded = encode_refuge_mask(*mask("C.D"))
    assert coded.dtype == np.uint8 and coded.tolist() == [[0, 255, 128]]


def test_unknown_cup():
    row = score_masks(*TRUTH, TRUTH[0], None)
    assert row["dice_od"] == 1 and all(np.isnan(row[name]) for name in ("dice_oc", "vcdr_true", "vcdr_mae"))


def test_ranks_worked_by_hand():
    results = {
        "a": {"dice_oc": 0.8, "dice_od": 0.95, "vcdr_mae": 0.05},
        "b": {"dice_oc": 0.9, "dice_od": 0.95, "vcdr_mae": 0.06},
        "c": {"dice_oc": 0.7, "dice_od": 0.90, "vcdr_mae": 0.04},
        "d": {"dice_oc": float("nan"), "dice_od": 0.99, "vcdr_mae": 0.01},
    }
    ranks = rank_submissions(results)
    assert ranks["a"] == {"rank_dice_oc": 2, "rank_dice_od": 1, "rank_vcdr_mae": 2, "score": pytest.approx(1.75)}
    assert ranks["b"] == {"rank_dice_oc": 1, "rank_dice_od": 1, "rank_vcdr_mae": 3, "score": pytest.approx(1.80)}
    assert ranks["c"] == {"rank_dice_oc": 3, "rank_dice_od": 3, "rank_vcdr_mae": 1, "score": pytest.approx(2.20)}
    assert "d" not in ranks and rank_submissions({"alone": results["c"]})["alone"]["score"] == pytest.approx(1)


def official(segmentation, truth):
    """The challenge's formulas on coded masks, written out with sums of numbers."""

    def dice(a, b):
        return 2 * float((a & b).sum()) / (float(a.sum()) + float(b.sum()))

    def vcdr(coded):
        return float((coded == 0).sum(0).max()) / (float((coded < 255).sum(0).max()) + 1e-7)

    return {
        "dice_oc": dice(segmentation == 0, truth == 0),
        "dice_od": dice(segmentation < 255, truth < 255),
        "vcdr_predicted": vcdr(segmentation),
        "vcdr_true": vcdr(truth),
        "vcdr_mae": abs(vcdr(segmentation) - vcdr(truth)),
    }


def script_sensitivity(labels, scores):
    false_positive_rate, sensitivity, _ = roc_curve(labels, scores)
    return interp1d(1 - false_positive_rate, sensitivity)(0.85)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=2, max_size=60))
def test_sensitivity_by_the_challenges_script(pairs):
    labels, scores = map(np.array, zip(*pairs))
    if len(set(labels)) < 2:
        assert np.isnan(refuge_sensitivity(labels, scores))
    else:
        assert refuge_sensitivity(labels, scores) == script_sensitivity(labels, scores)


@pytest.mark.slow
@pytest.mark.skipif(not REFUGE_MASKS.is_dir(), reason="needs REFUGE's validation masks")
def test_the_last_digit_on_refuges_masks():
    """Every mask against the next photograph's, moved onto it; and screening by the ratios of all 400."""
    entries = list(json.loads((REFUGE_MASKS / "index.json").read_text()).values())
    crops, ratios, reference = [], [], []
    for entry in entries:
        coded = cv2.imread(str(REFUGE_MASKS / Path(entry["ImgName"]).with_suffix(".png")), cv2.IMREAD_GRAYSCALE)
        rows, columns = np.nonzero(coded < 255)
        crop = coded[rows.min() :, columns.min() :][:500, :500]
        crops.append(np.pad(crop, [(0, 500 - side) for side in crop.shape], constant_values=255))
        assert (crops[-1] < 255).sum() == len(rows)
        ratios.append(refuge_vcdr(*decode_refuge_mask(crops[-1])))
    for truth, other in zip(crops, crops[1:] + crops[:1]):
        expected = official(other, truth)
        assert score_masks(*decode_refuge_mask(other), *decode_refuge_mask(truth)) == expected
        reference.append(expected["vcdr_true"])
    assert ratios == reference
    labels = np.array([entry["Label"] for entry in entries])
    assert auc(labels, np.array(ratios)) == roc_auc_score(labels, reference)
    by_script = refuge_sensitivity(labels, np.array(ratios))
    assert by_script == script_sensitivity(labels, reference) == pytest.approx(0.7740, abs=5e-5)
    assert by_script < sensitivity_at_specificity(labels, np.array(ratios)) < by_script + 0.03
    assert auc(labels, np.array(ratios)) == pytest.approx(0.9023, abs=5e-5)
