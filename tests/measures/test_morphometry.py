"""Vertical diameter and cup-to-disc ratio: values worked by hand, and REFUGE's masks against its labels."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio, vertical_diameter

REFUGE_MASKS = Path(__file__).parents[2].parent / "shared" / "data" / "refuge-masks" / "val"

EMPTY = np.zeros((5, 4), bool)
FULL = np.ones((5, 4), bool)
# Column sums 2, 3, 0, 1.
UNEVEN = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0]])


@pytest.mark.parametrize(
    "mask, diameter", [(EMPTY, 0), (FULL, 5), (UNEVEN, 3), (UNEVEN * 255, 3), (np.zeros((0, 0)), 0)]
)
def test_vertical_diameter_is_the_largest_column_sum(mask, diameter):
    assert vertical_diameter(mask) == diameter
    assert vertical_diameter(mask[::-1, ::-1]) == diameter


@pytest.mark.parametrize(
    "disc, cup, ratio",
    [(FULL, UNEVEN, 0.6), (FULL, EMPTY, 0.0), (EMPTY, EMPTY, 0.0), (EMPTY, FULL, 0.0), (UNEVEN, UNEVEN, 1.0)],
)
def test_ratio(disc, cup, ratio):
    assert vertical_cup_to_disc_ratio(disc, cup) == pytest.approx(ratio)


def test_ratio_ignores_how_wide_the_regions_are():
    disc, cup = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
    disc[1:9, 5] = True
    cup[2:6, 0:10] = True
    assert vertical_cup_to_disc_ratio(disc, cup) == 0.5


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="two dimensions"):
        vertical_diameter(np.zeros((3, 4, 1)))
    with pytest.raises(ValueError, match=r"\(5, 4\) and \(4, 5\)"):
        vertical_cup_to_disc_ratio(FULL, FULL.T)


@pytest.mark.skipif(not REFUGE_MASKS.is_dir(), reason="needs REFUGE's validation masks")
def test_refuge_masks_screen_as_published():
    entries = json.loads((REFUGE_MASKS / "index.json").read_text()).values()
    ratios = []
    for entry in entries:
        mask = np.asarray(Image.open(REFUGE_MASKS / Path(entry["ImgName"]).with_suffix(".png")))
        ratios.append(vertical_cup_to_disc_ratio(mask < 255, mask == 0))
    assert len(ratios) == 400
    assert roc_auc_score([entry["Label"] for entry in entries], ratios) == pytest.approx(0.9023, abs=5e-5)
