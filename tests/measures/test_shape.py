"""One disc, one cup inside it, no holes, no islands, a smooth edge."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial import Delaunay

from fundus_plugins.measures.overlap import dice
from fundus_plugins.measures.shape import (
    _convex,
    ellipse_iou,
    is_regular,
    largest_region,
    regular_disc_and_cup,
    share_beside,
    towards_ellipses,
)
from tests.conftest import disk


def regions(mask):
    return cv2.connectedComponents(mask.astype(np.uint8))[0] - 1


def test_smooth_masks_stay():
    disc, cup = disk(300, 400, 150, 200, 80), disk(300, 400, 155, 205, 40)
    regular = regular_disc_and_cup(disc, cup)
    assert dice(regular[0], disc) > 0.998 and dice(regular[1], cup) > 0.995


def test_a_bitten_disc_is_made_whole_and_a_notched_cup_stays():
    disc = disk(300, 400, 150, 200, 80)
    bitten = disc & ~disk(300, 400, 150, 300, 40)
    cup = disk(300, 400, 150, 190, 40)
    notched = cup & ~disk(300, 400, 110, 190, 15)
    regular = regular_disc_and_cup(bitten, notched)
    assert dice(regular[0], disc) > 0.985 > dice(bitten, disc) and dice(regular[1], notched) > 0.98


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 30))
def test_the_convex_hull_is_scipys(seed, number):
    """By the triangles between the mask's pixels, which fill its hull."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((14, 17), bool)
    mask[rng.integers(0, 14, number), rng.integers(0, 17, number)] = True
    points = np.argwhere(mask)
    if np.linalg.matrix_rank(points - points[0]) < 2:
        return
    inside = Delaunay(points).find_simplex(np.argwhere(np.ones_like(mask)), tol=1e-6) >= 0
    assert np.array_equal(_convex(mask), inside.reshape(mask.shape))


def test_the_hull_of_few_pixels():
    for pixels in ([], [(3, 4)], [(3, 4), (3, 6)], [(2, 5), (6, 5)]):
        mask = np.zeros((9, 9), bool)
        for pixel in pixels:
            mask[pixel] = True
        hull = _convex(mask)
        expected = np.zeros_like(mask)
        if pixels:
            (top, left), (bottom, right) = np.min(pixels, axis=0), np.max(pixels, axis=0)
            expected[top : bottom + 1, left : right + 1] = True
        assert np.array_equal(hull, expected)


def test_islands_and_holes_go():
    disc, cup = disk(300, 400, 150, 200, 80), disk(300, 400, 150, 200, 40)
    ragged_disc = (disc | disk(300, 400, 30, 40, 12)) & ~disk(300, 400, 120, 230, 8)
    ragged_cup = (cup | disk(300, 400, 150, 265, 6)) & ~disk(300, 400, 150, 200, 10)
    assert not is_regular(ragged_disc, cup & ragged_disc) and not is_regular(disc, ragged_cup)
    regular = regular_disc_and_cup(ragged_disc, ragged_cup)
    assert is_regular(*regular)
    assert regions(regular[0]) == regions(regular[1]) == 1
    assert regions(~regular[0]) == regions(~regular[1]) == 1
    assert dice(regular[0], disc) > 0.995 and dice(regular[1], cup) > 0.99


@given(st.integers(0, 1000), st.floats(0.1, 0.7))
@settings(max_examples=50, deadline=None)
def test_the_largest_region_is_scipys(seed, part):
    mask = np.random.default_rng(seed).random((12, 15)) < part
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    found = largest_region(mask)
    assert found.dtype == bool and found.shape == mask.shape
    if count == 0:
        assert not found.any()
        return
    sizes = np.bincount(labels.ravel())[1:]
    (own,) = set(labels[found])  # one region, and all of it
    assert own and found.sum() == sizes[own - 1] == sizes.max()


def test_the_share_beside_the_largest_region():
    mask = np.zeros((40, 40), bool)
    assert share_beside(mask) == 0
    mask[5:15, 5:14] = True
    assert share_beside(mask) == 0
    mask[30, 30:40] = True
    assert share_beside(mask) == pytest.approx(0.1)


def test_a_bridge_that_smoothing_breaks_leaves_the_larger_part():
    dumbbell = disk(200, 400, 100, 120, 60) | disk(200, 400, 100, 290, 40)
    dumbbell[100, 120:290] = True
    regular = regular_disc_and_cup(dumbbell, dumbbell)
    assert is_regular(*regular) and regions(regular[0]) == 1
    assert dice(regular[0], disk(200, 400, 100, 120, 60)) > 0.98


def test_jagged_edges_become_shorter():
    rng = np.random.default_rng(0)
    disc = cv2.resize((disk(30, 40, 15, 20, 8) ^ (rng.random((30, 40)) < 0.03)).astype(np.uint8), (400, 300)) > 0
    regular, _ = regular_disc_and_cup(disc, disc & False)

    def edge(mask):
        return np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])

    assert edge(regular) < edge(disc)


def test_the_cup_stays_in_the_disc_and_at_the_border():
    disc, cup = disk(100, 100, 50, 5, 30), disk(100, 100, 50, 5, 25)
    regular = regular_disc_and_cup(disc, cup)
    assert not (regular[1] & ~regular[0]).any()
    assert regular[0][50, 0] and dice(regular[0], disc) > 0.98


def test_a_cup_outside_is_not_regular():
    disc = disk(100, 100, 50, 50, 30)
    assert is_regular(disc, disk(100, 100, 50, 60, 15)) and is_regular(disc, disc & False)
    assert not is_regular(disc, disk(100, 100, 50, 75, 15))


def test_empty_masks_stay_empty():
    empty, disc = np.zeros((50, 60), bool), disk(50, 60, 25, 30, 12)
    assert not any(mask.any() for mask in regular_disc_and_cup(empty, disc))
    regular = regular_disc_and_cup(disc, empty)
    assert regular[0].any() and not regular[1].any()


def test_an_ellipse_is_an_ellipse_and_a_square_is_not():
    tilted = np.zeros((300, 400), np.uint8)
    cv2.ellipse(tilted, ((205.5, 140.2), (150, 90), 33), 1, cv2.FILLED)
    assert ellipse_iou(tilted > 0) > 0.985 and ellipse_iou(disk(300, 400, 2, 390, 50)) < 0.97
    assert ellipse_iou(np.eye(1, 1) > 0) == 1 and np.isnan(ellipse_iou(np.zeros((20, 30), bool)))
    square = np.zeros((300, 400), bool)
    square[40:240, 100:300] = True
    # Its ellipse is a circle of radius r = a sqrt(1/3), a the side; half of it has r cos t = a / 2 beyond the edge.
    a, r = 200, 200 / np.sqrt(3)
    beyond = 4 * (r**2 * np.arccos(a / 2 / r) - a / 2 * np.sqrt(r**2 - a**2 / 4))
    common = np.pi * r**2 - beyond
    assert abs(ellipse_iou(square) - common / (a**2 + beyond)) < 0.005


def test_ellipses_stay_and_waves_are_drawn_towards_them():
    disc, cup = disk(300, 400, 150, 200, 80), disk(300, 400, 155, 205, 40)
    for weight in (0.0, 0.5, 1.0):
        drawn = towards_ellipses(disc, cup, weight)
        assert dice(drawn[0], disc) > 0.997 and dice(drawn[1], cup) > 0.995
    rows, columns = np.mgrid[:300, :400]
    angle = np.arctan2(rows - 155, columns - 205)
    waves = np.hypot(rows - 155, columns - 205) < 40 * (1 + 0.15 * np.cos(6 * angle))
    nearer = [dice(towards_ellipses(disc, waves, weight)[1], cup) for weight in (0.0, 0.5, 1.0)]
    assert nearer[0] == dice(waves, cup) < nearer[1] < nearer[2]


def test_half_way_is_half_way():
    """A square's corner lies 40 sqrt(2) from its middle, its ellipse's outline, a circle's, 40 sqrt(4 / 3)."""
    square = np.zeros((200, 200), bool)
    square[60:140, 60:140] = True
    radii = []
    for weight in (0.0, 0.5, 1.0):
        drawn = towards_ellipses(square, square, weight)[0]
        diagonal = np.flatnonzero(np.diag(drawn))
        radii.append(np.sqrt(2) * len(diagonal) / 2)
    assert np.allclose(radii, [40 * np.sqrt(2), 20 * (np.sqrt(2) + np.sqrt(4 / 3)), 40 * np.sqrt(4 / 3)], atol=1.5)


def test_what_touches_the_edge_and_what_is_empty_stay():
    cut, nothing = disk(100, 100, 10, 50, 40), np.zeros((100, 100), bool)
    drawn = towards_ellipses(cut, nothing, 1.0)
    assert np.array_equal(drawn[0], cut) and not drawn[1].any()
    drawn = towards_ellipses(nothing, nothing, 1.0)
    assert not drawn[0].any() and not drawn[1].any()


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_the_cup_stays_within_the_disc(seed, weight):
    rng = np.random.default_rng(seed)
    disc = np.zeros((60, 60), bool)
    disc[10:50, 12:44] = rng.random((40, 32)) < 0.9
    drawn = towards_ellipses(*regular_disc_and_cup(disc, disc & (rng.random((60, 60)) < 0.8)), weight)
    assert not (drawn[1] & ~drawn[0]).any() and drawn[0].any()
