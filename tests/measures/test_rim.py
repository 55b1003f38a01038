"""The rim and the nerve head: circles, ellipses and crescents whose measures are known, and the DDLS's table."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundus_plugins.measures.nerve_head import measure_nerve_head
from fundus_plugins.measures.rim import ddls_stage, disc_size, measure_rim

SIDE = 300
MIDDLE = SIDE // 2


def ellipse(x: float, y: float, a: float, b: float, turned: float = 0.0) -> np.ndarray:
    """Half axes a and b, its axis a turned counterclockwise by so many degrees."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    c, s = np.cos(np.radians(turned)), np.sin(np.radians(turned))
    across, up = columns - x, y - rows
    return ((across * c + up * s) / a) ** 2 + ((up * c - across * s) / b) ** 2 <= 1


def circle(x: float, y: float, radius: float) -> np.ndarray:
    return ellipse(x, y, radius, radius)


DISC = circle(MIDDLE, MIDDLE, 100)


def test_between_two_circles_of_one_middle_the_rim_is_their_difference():
    rim = measure_rim(DISC, circle(MIDDLE, MIDDLE, 50))
    assert rim.widths == pytest.approx(50 / 201, abs=0.005)  # 201 pixels high
    assert rim.ratios == pytest.approx(0.25, abs=0.005)
    assert rim.absent == 0 and len(rim.profile) == 36
    assert set(rim.quadrants) == {"right", "superior", "left", "inferior"}


@pytest.mark.parametrize("towards, angle", [((30, 0), 0), ((0, -30), 90), ((-30, 0), 180), ((0, 30), 270)])
def test_a_cup_that_is_moved_leaves_the_least_rim_there(towards, angle):
    rim = measure_rim(DISC, circle(MIDDLE + towards[0], MIDDLE + towards[1], 50))
    least, where = rim.narrowest
    assert where == pytest.approx(angle, abs=6) or where == pytest.approx(angle + 360, abs=6)
    # Over ten degrees the circles part a little.
    assert rim.profile[angle // 10] == pytest.approx(20 / 201, abs=0.006)
    assert rim.profile[(angle + 180) % 360 // 10] == pytest.approx(80 / 201, abs=0.006)
    assert least == pytest.approx(20 / 200, abs=0.006)


def test_along_a_ray_a_cup_of_any_circle_leaves_what_geometry_says():
    shift, radius = 25.0, 60.0
    rim = measure_rim(DISC, circle(MIDDLE + shift, MIDDLE, radius))
    angles = np.radians(np.arange(0, 360, 10))
    inner = shift * np.cos(angles) + np.sqrt(radius**2 - (shift * np.sin(angles)) ** 2)
    assert rim.profile == pytest.approx((100 - inner) / 201, abs=0.007)


def test_without_a_cup_the_rim_is_all_of_the_radius_and_with_a_full_one_there_is_none():
    assert measure_rim(DISC, np.zeros_like(DISC)).widths == pytest.approx(100 / 201, abs=0.005)
    full = measure_rim(DISC, DISC)
    assert full.widths == pytest.approx(0, abs=1e-9) and full.absent == 360 and full.narrowest[0] == 0


@pytest.mark.parametrize("height", [41, 81, 161, 401])
def test_a_narrow_rim_is_one_however_few_pixels_it_has(height):
    """A cup of 0.95 of the disc leaves 2.5 % of its height on each side."""
    y, x = np.indices((height + 20, height + 20)) - (height + 19) / 2
    disc, cup = (np.hypot(x, y) <= radius for radius in (height / 2, 0.95 * height / 2))
    rim = measure_rim(disc, cup)
    assert rim.absent == 0 and ddls_stage(rim.narrowest[0], rim.absent, 1.8) == 5


def test_a_crescent_has_no_rim_where_the_cup_touches_the_disc():
    rim = measure_rim(DISC, circle(MIDDLE, MIDDLE + 40, 60) & DISC)  # touches at the bottom
    assert rim.narrowest[1] == pytest.approx(270, abs=6) and 0 < rim.absent < 45
    assert rim.quadrants["inferior"] < rim.quadrants["left"] < rim.quadrants["superior"]


def test_a_cup_beside_the_disc_s_middle_leaves_whole_rays():
    rim = measure_rim(DISC, circle(MIDDLE + 70, MIDDLE, 20))
    assert rim.profile[18] == pytest.approx(100 / 201, abs=0.005)
    assert rim.profile[0] == pytest.approx(10 / 201, abs=0.01)


@settings(max_examples=30, deadline=None)
@given(x=st.floats(-30, 30), y=st.floats(-30, 30), a=st.floats(10, 60), b=st.floats(10, 60), turns=st.integers(0, 3))
def test_a_quarter_turn_of_the_masks_turns_the_profile(x, y, a, b, turns):
    disc, cup = ellipse(MIDDLE, MIDDLE, 110, 95), ellipse(MIDDLE + x, MIDDLE + y, a, b)
    cup &= disc
    turned = measure_rim(np.rot90(disc, turns), np.rot90(cup, turns))
    heights = [np.count_nonzero(np.rot90(disc, k), axis=0).max() for k in (0, turns)]
    expected = np.roll(measure_rim(disc, cup).profile, 9 * turns) * heights[0] / heights[1]
    assert turned.profile == pytest.approx(expected, abs=0.01)


def test_an_island_beside_the_disc_changes_no_rim():
    cup, island = circle(MIDDLE, MIDDLE, 50), circle(20, 20, 15)
    alone, beside = measure_rim(DISC, cup), measure_rim(DISC | island, cup)
    assert np.array_equal(alone.widths, beside.widths) and alone.narrowest == beside.narrowest


def test_a_crescent_about_its_middle_has_numbers():
    crescent = DISC & ~circle(MIDDLE + 60, MIDDLE, 110)
    assert np.isfinite(measure_rim(crescent, np.zeros_like(crescent)).ratios).all()


def test_no_disc_has_no_rim():
    with pytest.raises(ValueError, match="no disc, and so no rim"):
        measure_rim(np.zeros((5, 5), bool), np.zeros((5, 5), bool))


@pytest.mark.parametrize(
    "height, stages",
    [
        # The least rim of stages 1, 2, ...; and the degrees without a rim of the later ones. Spaeth et al. 2002.
        (1.2, {0.5: 1, 0.49: 2, 0.4: 2, 0.39: 3, 0.3: 3, 0.29: 4, 0.2: 4, 0.19: 5, 0.1: 5, 0.09: 6}),
        (1.5, {0.4: 1, 0.39: 2, 0.3: 2, 0.29: 3, 0.2: 3, 0.19: 4, 0.1: 4, 0.09: 5}),
        (2.0, {0.4: 1, 0.3: 2, 0.05: 5}),
        (2.3, {0.3: 1, 0.29: 2, 0.2: 2, 0.19: 3, 0.1: 3, 0.09: 4}),
    ],
)
def test_stages_with_a_whole_rim(height, stages):
    assert {width: ddls_stage(width, 0, height) for width in stages} == stages


@pytest.mark.parametrize(
    "height, stages",
    [
        (1.2, {45: 7, 46: 8, 90: 8, 91: 9, 180: 9, 181: 10, 300: 10}),
        (1.8, {45: 6, 46: 7, 90: 7, 91: 8, 180: 8, 181: 9, 270: 9, 271: 10}),
        (2.3, {45: 5, 46: 6, 90: 6, 91: 7, 180: 7, 181: 8, 270: 8, 271: 9}),
    ],
)
def test_stages_where_the_rim_is_missing(height, stages):
    assert {degrees: ddls_stage(0.0, degrees, height) for degrees in stages} == stages


def test_sizes_of_discs():
    assert [disc_size(x) for x in (1.49, 1.5, 2.0, 2.01)] == ["small", "average", "average", "large"]


def test_ratios_and_sizes_of_the_nerve_head():
    disc, cup = ellipse(MIDDLE, MIDDLE, 80, 100), ellipse(MIDDLE, MIDDLE, 20, 60)
    head = measure_nerve_head(disc, cup, mm_per_pixel=0.009)
    assert (head.disc_height, head.disc_width, head.cup_height, head.cup_width) == (201, 161, 121, 41)
    assert (head.vcdr, head.hcdr) == pytest.approx((121 / 201, 41 / 161))
    assert head.acdr == pytest.approx(20 * 60 / (80 * 100), abs=0.003)
    assert head.disc_height_mm == pytest.approx(1.809) and head.disc_area_mm2 == pytest.approx(2.036, abs=0.005)
    assert head.ddls == 3  # average size, the narrowest rim above and below: 40 of 200
    assert head.disc_tilt == pytest.approx(0.8, abs=0.005) and head.disc_orientation == pytest.approx(90, abs=0.5)
    assert (head.rim_nasal, head.rim_temporal, head.isnt, head.fovea_angle) == (None,) * 4


@pytest.mark.parametrize("turned", [0, 30, 75, 120, 165])
def test_the_long_axis_points_where_the_ellipse_was_turned(turned):
    head = measure_nerve_head(ellipse(MIDDLE, MIDDLE, 100, 60, turned), circle(MIDDLE, MIDDLE, 30))
    difference = (head.disc_orientation - turned + 90) % 180 - 90
    assert difference == pytest.approx(0, abs=0.5) and head.disc_tilt == pytest.approx(0.6, abs=0.005)


def test_nose_and_temple_change_sides_with_the_eye():
    cup = circle(MIDDLE - 20, MIDDLE, 50)  # the rim is wide at the picture's right
    right, left = (measure_nerve_head(DISC, cup, eye=eye) for eye in ("OD", "OS"))
    assert right.rim_nasal == left.rim_temporal == right.rim_right > right.rim_left == right.rim_temporal
    assert right.rim_left == left.rim_left


def test_the_isnt_rule():
    cup = ellipse(MIDDLE - 5, MIDDLE - 5, 70, 50)  # widest below, then above, then at the picture's right
    assert measure_nerve_head(DISC, cup, eye="OD").isnt is True
    assert measure_nerve_head(DISC, cup, eye="OS").isnt is False
    assert measure_nerve_head(DISC, cup[::-1], eye="OD").isnt is False


def test_the_fovea_below_the_disc_has_an_angle_below_the_horizon():
    head = measure_nerve_head(DISC, circle(MIDDLE, MIDDLE, 50), fovea=(MIDDLE - 100, MIDDLE + 100))
    assert head.fovea_angle == pytest.approx(-45)


def test_plain_values():
    values = measure_nerve_head(DISC, circle(MIDDLE, MIDDLE, 50)).as_dict()
    assert values["vcdr"] == 0.5025 and values["disc_height_mm"] is None and len(values["rim_profile"]) == 36
    import json

    json.dumps(values)


@pytest.mark.parametrize(
    "wrong, message", [({"eye": "left"}, "expected one of OD, OS"), ({"mm_per_pixel": 0.0}, "expected more than 0")]
)
def test_what_is_no_eye_or_scale_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        measure_nerve_head(DISC, DISC, **wrong)


@given(top=st.integers(0, 200), left=st.integers(0, 200))
@settings(max_examples=20, deadline=None)
def test_where_in_the_photograph_they_are_changes_no_measure_but_the_foveas_angle(top, left):
    disc, cup = ellipse(MIDDLE, MIDDLE, 90, 70, 20), circle(MIDDLE + 10, MIDDLE - 5, 40)
    fovea = (MIDDLE - 120.0, MIDDLE + 60.0)
    moved = [np.pad(x, ((top, 0), (left, 30))) for x in (disc, cup)]
    there = measure_nerve_head(*moved, eye="OD", fovea=(fovea[0] + left, fovea[1] + top))
    assert there.as_dict() == measure_nerve_head(disc, cup, eye="OD", fovea=fovea).as_dict()
