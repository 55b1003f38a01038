"""How much of a map lies on the disc."""

import numpy as np
import pytest
from detectron2.data import MetadataCatalog

import fundus_plugins
from fundus_plugins.data.disc_masks import DiscMasks
from fundus_plugins.measures.cam_overlap import cam_overlap, within_one_diameter
from tests.conftest import disk


def test_a_flat_map_is_as_good_as_chance():
    found = cam_overlap(np.full((64, 64), 0.3, np.float32), disk(64, 64, 30, 30, 8))
    assert found["disc_share"] == pytest.approx(found["disc_chance"]) == disk(64, 64, 30, 30, 8).mean()
    assert found["near_share"] == pytest.approx(found["near_chance"])


def test_a_map_of_the_disc_is_all_on_it():
    disc = disk(64, 64, 30, 30, 8)
    found = cam_overlap(disc.astype(np.float32), disc)
    assert found["disc_share"] == found["near_share"] == 1 and found["disc_chance"] < 0.06
    assert cam_overlap((~disc).astype(np.float32), disc)["disc_share"] == 0


def test_one_diameter_around_a_round_disc_is_a_disc_of_three_radii():
    near, expected = within_one_diameter(disk(128, 128, 64, 64, 15)), disk(128, 128, 64, 64, 45)
    assert (near != expected).sum() < 0.05 * expected.sum()


def test_disc_masks_lie_beside_the_grades(phantoms):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    disc = DiscMasks("phantom_val_grading").get(1, 64)
    assert disc.shape == (64, 64) and disc.dtype == bool and 0 < disc.mean() < 0.2
    assert DiscMasks("phantom_val_grading").get(99, 64) is None
    MetadataCatalog.get("graded_val")
    assert DiscMasks("graded_val_grading").get(1, 64) is None
