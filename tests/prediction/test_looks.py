"""The closer look's place in the photograph, what two looks agree on, and what is done where one shows nothing."""

import cv2
import numpy as np
import pytest

from fundus_plugins.prediction.looks import Look, Looks, agreement_of_looks
from fundus_plugins.prediction.settings import Settings

SETTINGS = Settings(
    photograph_sides=(100, 150), crop=0.5, crop_side=96, box_scale=1.25, score_threshold=0.05, mask_threshold=0.5,
    regular_shape=False, ellipse_weight=0.0, flag_below=0.0, flag_ellipse_below=0.0, vcdr_margin=0.0, flips="none",
)  # fmt: skip
WHOLE = np.ones((2, 8, 8), np.float32)
PHOTOGRAPH = np.zeros((200, 300, 3), np.uint8)


class Script:
    """An engine that gives what it is told to, call by call, and keeps the views."""

    def __init__(self, *looks: list[Look | None]):
        self.looks = list(looks)
        self.seen: list[np.ndarray] = []

    def look(self, views):
        self.seen += views
        return self.looks.pop(0)


def look(box, masks=WHOLE, score=0.5, agreement=float("nan")) -> Look:
    return Look(np.array(box, float), score, masks, agreement)


def find(engine, photograph=PHOTOGRAPH, settings=SETTINGS):
    looks = Looks(engine, settings)
    (found,) = looks.find([looks.prepare(photograph)])
    return found


def test_the_closer_look_is_put_back_where_it_was():
    """First a box of 40 x 20 at (60, 50) of a picture of half the size; then, nearer, one that fills it by hand."""
    engine = Script([look([60, 50, 100, 70])], [look([40, 40, 56, 64], score=0.75)])
    photograph = PHOTOGRAPH.copy()
    photograph[100:140, 120:200, 0] = 255  # the first box, in pixels of the photograph
    found = find(engine, photograph)
    # The disc is 80 / 1.25 = 64 pixels wide and shall be 48: three quarters of its size, (160, 120) in the middle.
    nearer = engine.seen[1][..., 0] > 127
    assert engine.seen[0].shape == (100, 150, 3) and nearer.shape == (96, 96)
    assert np.flatnonzero(nearer.any(0))[[0, -1]] == pytest.approx([18, 77], abs=1)
    assert np.flatnonzero(nearer.any(1))[[0, -1]] == pytest.approx([33, 62], abs=1)
    expected = [160 + (40 - 48) / 0.75, 120 + (40 - 48) / 0.75, 160 + (56 - 48) / 0.75, 120 + (64 - 48) / 0.75]
    assert found.box == pytest.approx(expected) and found.score == 0.75
    rows, columns = (np.flatnonzero(found.disc.any(axis)) for axis in (1, 0))
    assert [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1] == pytest.approx(expected, abs=1.01)


@pytest.mark.parametrize("second", [None, look([2, 2, 12, 12], score=0.9)])
def test_a_closer_look_that_misses_the_disc_changes_nothing_and_is_told(second):
    found = find(Script([look([60, 50, 100, 70], agreement=0.9)], [second]))
    assert found.agreement == 0 and found.score == 0.5
    assert found.box.tolist() == [120, 100, 200, 140] and found.disc[101:139, 121:199].all()


def test_what_is_too_near_is_looked_at_from_afar():
    """At half the size in the middle, where (37, 25) to (112, 75) shows the whole of the 150 x 100 view."""
    engine = Script([None], [look([37, 25, 112, 75])], [None])
    found = find(engine, np.full_like(PHOTOGRAPH, 200))
    small = engine.seen[1]
    assert small.shape == (100, 150, 3) and (small[25:75, 37:112] == 200).all() and small.sum() == 200 * 50 * 75 * 3
    assert found.box == pytest.approx([0, 0, 300, 200]) and found.agreement == 0
    assert np.isnan(find(Script([None], [None])).score)


def test_one_look_alone_is_not_repeated():
    settings = Settings.read(SETTINGS.as_dict() | {"crop": 0.0})
    found = find(Script([None]), settings=settings)
    assert np.isnan(found.box).all() and not found.disc.any() and found.disc.shape == (200, 300)
    found = find(Script([look([60, 50, 100, 70])]), settings=settings)
    assert np.isnan(found.agreement) and found.box.tolist() == [120, 100, 200, 140]


def test_photographs_of_a_batch_are_not_mixed_up():
    engine = Script([look([60, 50, 100, 70]), None, look([10, 10, 30, 40], score=0.3)], [None], [None, None])
    looks = Looks(engine, SETTINGS)
    pictures = [PHOTOGRAPH, PHOTOGRAPH, np.zeros((100, 150, 3), np.uint8)]
    first, second, third = looks.find([looks.prepare(picture) for picture in pictures])
    assert first.box.tolist() == [120, 100, 200, 140] and third.box.tolist() == [10, 10, 30, 40]
    assert np.isnan(second.score) and third.disc.shape == (100, 150)


def test_flips_have_an_agreement_of_their_own():
    found = find(Script([look([60, 50, 100, 70], agreement=0.9)], [look([40, 40, 56, 64], agreement=0.8)]))
    assert found.agreement == 0.8


def test_a_line_is_no_photograph():
    with pytest.raises(ValueError, match="found 3000 x 1 pixels, a line"):
        Looks(Script(), SETTINGS).prepare(np.zeros((1, 3000, 3), np.uint8))


def test_settings_of_another_version_are_told():
    values = SETTINGS.as_dict()
    assert Settings.read(values) == SETTINGS
    del values["crop"]
    with pytest.raises(ValueError, match="missing or unknown: colour, crop$"):
        Settings.read(values | {"colour": 1})


def seen(box, *masks):
    return look(box, np.stack(masks).astype(np.float32), 0.9)


def test_two_looks_agree_where_their_masks_do():
    """In the photograph: a disc of radius 20 about (60, 50), seen in boxes of other places and sizes."""
    side = 56

    def mask(box, radius):
        x1, y1, x2, y2 = box
        y, x = np.mgrid[:side, :side] + 0.5
        x, y = x1 + x / side * (x2 - x1), y1 + y / side * (y2 - y1)
        return (x - 60) ** 2 + (y - 50) ** 2 < radius**2

    boxes = [35.0, 25.0, 85.0, 75.0], [30.0, 20.0, 100.0, 80.0]
    same = [agreement_of_looks(seen(a, mask(a, 20), mask(a, 10)), seen(b, mask(b, 20), mask(b, 10)))
            for a, b in (boxes, boxes[::-1], boxes[:1] * 2)]  # fmt: skip
    assert same[0] > 0.96 and same[1] > 0.96 and same[2] == 1
    # A cup of half the other's radius has a quarter of its area: 2 / (1 + 4).
    a, b = boxes
    cups = agreement_of_looks(seen(a, mask(a, 20), mask(a, 6)), seen(b, mask(b, 20), mask(b, 12)))
    assert cups == pytest.approx(0.4, abs=0.04)
    # What the first look saw beyond the second's box counts: all of a large box, a quarter of which the second has.
    everything = np.ones((side, side), bool)
    large, small = ([0.0, 0.0, 100.0, 100.0], [25.0, 25.0, 75.0, 75.0])
    beyond = agreement_of_looks(seen(large, everything, everything), seen(small, everything, everything))
    assert beyond == pytest.approx(0.4, abs=1e-6)
    nothing = np.zeros((side, side), bool)
    assert agreement_of_looks(seen(a, mask(a, 20), nothing), seen(a, mask(a, 20), nothing)) == 1


def test_a_round_disc_comes_out_round():
    """A circle in the second look's box is pasted as one, at the photograph's size."""
    y, x = np.mgrid[:56, :56] + 0.5
    circle = cv2.GaussianBlur(((x - 28) ** 2 + (y - 28) ** 2 < 20**2).astype(np.float32), (0, 0), 1)
    found = find(Script([look([60, 50, 100, 90])], [look([24, 24, 72, 72], np.stack([circle, circle / 3]))]))
    area, side = found.disc.sum(), found.box[2] - found.box[0]
    assert area == pytest.approx(np.pi * (20 / 56 * side) ** 2, rel=0.03) and not found.cup.any()
