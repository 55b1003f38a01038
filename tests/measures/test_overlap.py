"""Dice, IoU and vertical cup-to-disc ratio of one image against MONAI and scikit-learn, and values worked by hand."""

import doctest

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.metrics import compute_dice, compute_iou
from sklearn.metrics import f1_score, jaccard_score

from fundus_plugins.measures import overlap
from fundus_plugins.measures.bootstrap import mean_interval
from fundus_plugins.measures.disc_cup import METRICS, SURFACES, compare_disc_and_cup
from tests.conftest import SHARED, disk


def test_docstring_examples():
    assert doctest.testmod(overlap).failed == 0


labels = arrays(np.uint8, (9, 11), elements=st.integers(0, 2))  # 0 background, 1 rim, 2 cup


@settings(max_examples=60, deadline=None)
@given(labels, labels)
def test_scikit_learn_agrees(predicted, true):
    row = compare_disc_and_cup(predicted > 0, predicted == 2, true > 0, true == 2)
    for name, scorer, minimum in (
        ("dice_od", f1_score, 1), ("dice_oc", f1_score, 2),
        ("iou_disc", jaccard_score, 1), ("iou_cup", jaccard_score, 2),
    ):  # fmt: skip
        a, b = (predicted >= minimum).ravel(), (true >= minimum).ravel()
        assert row[name] == pytest.approx(scorer(b, a, zero_division=1.0))
    parts = [jaccard_score(true.ravel() == k, predicted.ravel() == k, zero_division=1.0) for k in range(3)]
    assert row["miou"] == pytest.approx(np.mean(parts))


def test_worked_by_hand():
    # Truth: a disc of 4 x 4 with a cup of 2 x 2 in an image of 6 x 6. Prediction: both one column to the right.
    true_disc, true_cup, disc, cup = (np.zeros((6, 6), bool) for _ in range(4))
    true_disc[1:5, 1:5] = true_cup[2:4, 2:4] = disc[1:5, 2:6] = cup[2:4, 3:5] = True
    row = compare_disc_and_cup(disc, cup, true_disc, true_cup)
    assert row["dice_od"] == pytest.approx(12 / 16) and row["dice_oc"] == pytest.approx(0.5)
    assert row["iou_disc"] == pytest.approx(12 / 20) and row["iou_cup"] == pytest.approx(2 / 6)
    # Rims have 12 pixels each and share 6 (the cups hide 6 of the 12 columns 2 to 4): 6 / 18. Background: 16 of 24.
    assert row["miou"] == pytest.approx((16 / 24 + 6 / 18 + 2 / 6) / 3)
    assert row["vcdr_predicted"] == row["vcdr_true"] == 0.5 and row["vcdr_mae"] == row["vcdr_bias"] == 0
    assert row["right_place"] == 1


def test_missed_disc_scores_zero():
    true_disc, true_cup, nothing = disk(60, 60, 30, 30, 20), disk(60, 60, 30, 30, 10), np.zeros((60, 60), bool)
    row = compare_disc_and_cup(nothing, nothing, true_disc, true_cup)
    assert row["dice_od"] == row["dice_oc"] == row["iou_cup"] == row["detection_rate"] == 0
    assert row["vcdr_mae"] == row["vcdr_true"] == -row["vcdr_bias"] > 0.4
    assert row["right_place"] == 0


def test_right_place_is_a_shared_pixel():
    true, beside = np.zeros((2, 8, 12), bool)
    true[2:6, 2:6] = beside[2:6, 6:10] = True
    assert compare_disc_and_cup(beside, beside, true, true)["right_place"] == 0  # neighbours share nothing
    beside[5, 5] = True
    assert compare_disc_and_cup(beside, beside, true, true)["right_place"] == 1


def test_outlines_in_pixels_and_in_diameters():
    # Squares of 5 and 3, the predicted ones a column to the right.
    true_disc, true_cup, disc, cup = np.zeros((4, 9, 12), bool)
    true_disc[2:7, 2:7] = true_cup[3:6, 3:6] = disc[2:7, 3:8] = cup[3:6, 4:7] = True
    row = compare_disc_and_cup(disc, cup, true_disc, true_cup, surfaces=True)
    # Either way: of the disc's 16 pixels the 5 of one side and 3 of the other are 1 away, of the cup's 8 it is 3 and 1.
    assert row["hd95_od"] == row["hd95_oc"] == 1
    assert row["asd_od"] == pytest.approx(8 / 16) and row["asd_oc"] == pytest.approx(4 / 8)
    assert row["hd95_od_dd"] == row["hd95_oc_dd"] == pytest.approx(1 / 5)  # the true disc is 5 high
    assert row["asd_od_dd"] == pytest.approx(0.1) and row["asd_oc_dd"] == pytest.approx(0.1)
    assert set(METRICS) < set(row)
    assert row.keys() - set(SURFACES) == compare_disc_and_cup(disc, cup, true_disc, true_cup).keys()

    nothing = np.zeros_like(disc)
    without_cup = compare_disc_and_cup(disc, nothing, true_disc, true_cup, surfaces=True)
    assert without_cup["asd_od"] == row["asd_od"] and np.isnan([without_cup[x] for x in SURFACES if "_oc" in x]).all()
    unknown = compare_disc_and_cup(disc, cup, true_disc, None, surfaces=True)
    assert unknown["asd_od"] == row["asd_od"] and np.isnan([unknown[x] for x in SURFACES if "_oc" in x]).all()
    missed = compare_disc_and_cup(nothing, nothing, true_disc, true_cup, surfaces=True)
    assert np.isnan([missed[x] for x in SURFACES]).all()
    assert row.keys() == without_cup.keys() == unknown.keys() == missed.keys()  # a table's columns
    no_disc = compare_disc_and_cup(disc, cup, nothing, true_cup, surfaces=True)
    assert row["asd_oc"] == no_disc["asd_oc"] and np.isnan(no_disc["asd_oc_dd"])  # of no diameter


def test_no_cup_is_not_an_unknown_cup():
    disc, nothing = disk(60, 60, 30, 30, 20), np.zeros((60, 60), bool)
    unknown = compare_disc_and_cup(disc, disc, disc, None)
    assert unknown["dice_od"] == 1 and np.isnan([unknown[x] for x in ("dice_oc", "iou_cup", "miou", "vcdr_mae")]).all()
    assert np.isnan(unknown["vcdr_bias"]) and unknown["right_place"] == 1
    assert compare_disc_and_cup(disc, nothing, disc, nothing)["dice_oc"] == 1
    assert compare_disc_and_cup(disc, disc, disc, nothing)["dice_oc"] == 0


def check_real_mask(path):
    """A real mask against itself shifted and dilated, by MONAI."""
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    moved = cv2.warpAffine(mask, np.float32([[1, 0, 9], [0, 1, -6]]), mask.shape[::-1], flags=0, borderValue=255)
    moved = cv2.erode(moved, np.ones((7, 7)))  # darker is nearer the cup: both regions grow
    true, predicted = np.stack([mask < 255, mask == 0]), np.stack([moved < 255, moved == 0])
    row = compare_disc_and_cup(*predicted, *true)
    assert 0.5 < row["dice_oc"] < 1 and row["vcdr_mae"] < 0.2
    batch = [torch.from_numpy(x)[None].float() for x in (predicted, true)]
    np.testing.assert_allclose([row["dice_od"], row["dice_oc"]], compute_dice(*batch)[0], atol=1e-6)
    np.testing.assert_allclose([row["iou_disc"], row["iou_cup"]], compute_iou(*batch)[0], atol=1e-6)
    parts = [torch.stack([~x[:, 0].bool(), x[:, 0].bool() & ~x[:, 1].bool(), x[:, 1].bool()], 1).float() for x in batch]
    assert row["miou"] == pytest.approx(compute_iou(*parts).mean().item(), abs=1e-6)


@pytest.mark.parametrize("step", [20, pytest.param(1, marks=pytest.mark.slow)])
def test_monai_agrees_on_real_refuge_masks(step):
    folder = SHARED / "data" / "refuge-masks" / "val"
    if not folder.exists():
        pytest.skip("the REFUGE validation masks are not at hand")
    files = sorted(folder.glob("*.png"))
    assert len(files) == 400
    for path in files[::step]:
        check_real_mask(path)


def test_bootstrap_interval():
    values = np.random.default_rng(0).normal(3, 2, 400)
    mean, low, high = mean_interval(values)
    assert mean == pytest.approx(values.mean())
    # For a mean of many values the interval is close to the normal one.
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(mean - half, abs=0.03) and high == pytest.approx(mean + half, abs=0.03)
    assert mean_interval(values) == (mean, low, high)
    assert mean_interval([0.5, np.nan]) == (0.5, 0.5, 0.5)
    assert np.isnan(mean_interval([np.nan])).all()
    assert mean_interval([1.0, 1.0, 1.0]) == (1.0, 1.0, 1.0)
