"""Masks to polygons and back; a person's outlines to masks."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fundus_plugins.data.polygons import fill_circle, fill_polygons
from fundus_plugins.measures.morphometry import vertical_diameter
from fundus_plugins.prediction.contours import contours_of, polygons_of
from tests.conftest import disk


def iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def tilted(size, x, y, across, down, angle):
    rows, columns = np.mgrid[: size[0], : size[1]]
    u = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
    v = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
    return (u / across) ** 2 + (v / down) ** 2 <= 1


half = st.floats(20, 90)
middle = st.floats(-3, 3)


@settings(max_examples=150, deadline=None)
@given(half, half, st.floats(0, np.pi), middle, middle, st.floats(0.2, 0.95))
def test_masks_of_discs_come_back_from_their_polygons(across, down, angle, x, y, ratio):
    size = 200, 210
    disc = tilted(size, 105 + x, 100 + y, across, down, angle)
    cup = tilted(size, 105 + x, 100 + y, across * ratio, down * ratio, angle)
    written = json.loads(json.dumps(contours_of(disc, cup)))
    back = [fill_polygons(map(np.array, written[name]), size) for name in ("disc", "cup")]
    assert iou(back[0], disc) >= 0.98
    for found, mask in zip(back, (disc, cup)):
        assert abs(vertical_diameter(found) - vertical_diameter(mask)) <= 1


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 3), st.floats(20, 60))
def test_discs_that_the_edge_cuts_off_come_back(side, radius):
    x, y = [(0, 60), (119, 60), (60, 0), (60, 119)][side]
    disc = disk(120, 120, y, x, radius)
    assert iou(fill_polygons(map(np.array, polygons_of(disc)), disc.shape), disc) >= 0.98


def test_a_square_is_all_of_its_pixels_and_two_polygons_are_joined():
    square = np.array([[2, 3], [6, 3], [6, 8], [2, 8]])
    mask = fill_polygons([square], (12, 14))
    expected = np.zeros((12, 14), bool)
    expected[3:9, 2:7] = True
    assert np.array_equal(mask, expected)
    assert np.array_equal(fill_polygons([square, square + 1], (12, 14)), expected | np.roll(expected, (1, 1), (0, 1)))
    assert not fill_polygons([], (3, 4)).any()


def test_what_is_beyond_the_picture_is_cut_off():
    mask = fill_polygons([np.array([[-5.0, -5], [4, -5], [4, 4], [-5, 4]])], (10, 10))
    assert mask[:5, :5].all() and np.count_nonzero(mask) == 25


def test_a_circle_is_the_pixels_within_its_radius():
    circle = fill_circle(np.array([50.0, 40.0]), 30.0, (90, 100))
    assert np.array_equal(circle, disk(90, 100, 40, 50, 30)) and vertical_diameter(circle) == 61
