"""Altered photographs: the masks go where the pixels go, and a person could still find the disc."""

import numpy as np
import pytest

from fundus_plugins.experiments.alterations import ALTERATIONS, UNCHANGED
from fundus_plugins.experiments.robustness import differences, read_rows, summarise
from tests.conftest import disk

LEVELS = [(x, level) for x in ALTERATIONS for level in x.levels]


def photograph():
    """Grey, with a red disc and a cup that is green, too."""
    disc, cup = disk(300, 400, 140, 190, 30), disk(300, 400, 142, 193, 14)
    image = np.full((300, 400, 3), 60, np.uint8)
    image[disc, 0], image[cup, 1] = 200, 200
    return image, disc, cup


@pytest.mark.parametrize("alteration, level", LEVELS, ids=lambda x: getattr(x, "name", str(x)))
def test_masks_follow_the_pixels(alteration, level):
    image, disc, cup = photograph()
    altered, new_disc, new_cup = alteration.apply(image, disc, cup, level)
    assert altered.shape[:2] == new_disc.shape == new_cup.shape and altered.dtype == np.uint8
    assert not np.array_equal(altered, image) or level == 400  # the picture's own resolution
    assert new_disc.any() and new_cup.any() and not (new_cup & ~new_disc).any()
    red, green = (altered[..., i].astype(float) for i in (0, 1))
    rim = new_disc & ~new_cup
    assert red[rim].mean() > red[~new_disc].mean() + 15
    assert green[new_cup].mean() > green[rim].mean() + 5
    assert alteration.apply(image, disc, None, level)[2] is None


def test_unchanged():
    image, disc, cup = photograph()
    assert all(before is after for before, after in zip((image, disc, cup), UNCHANGED.apply(image, disc, cup, 0)))


def test_levels_are_what_their_unit_says():
    image, disc, cup = photograph()
    by_name = {x.name: x for x in ALTERATIONS}
    assert by_name["resolution"].apply(image, disc, cup, 1200)[0].shape == (900, 1200, 3)
    wide = by_name["field of view"].apply(image, disc, cup, 2.0)[1]
    assert wide.sum() == pytest.approx(disc.sum() / 4, rel=0.1)
    beside = by_name["disc beside the middle"].apply(image, disc, cup, 0.35)[1]
    assert np.flatnonzero(beside.any(0)).mean() == pytest.approx(0.85 * 400, abs=2)
    assert by_name["black border"].apply(image, disc, cup, -0.15)[0].shape == (180, 280, 3)
    crop = by_name["cropped disc"].apply(image, disc, cup, 0.4)[1]
    assert (np.ptp(np.flatnonzero(crop.any(0))) + 1) / len(crop) == pytest.approx(0.4, abs=0.02)


def test_summary_averages_runs_before_photographs():
    row = {"alteration": "gamma", "level": 2.0, "dice_oc": 0.5, "vcdr_mae": 0.1, "detection_rate": 1.0, "regular": 1.0}
    rows = [row | {"file_name": name, "dice_od": value} for name, value in (("a", 0.4), ("a", 0.8), ("b", 0.9))]
    (line,) = summarise(rows)
    assert line["photographs"] == 2 and line["dice_od"][0] == pytest.approx(0.75)


def test_differences_are_photograph_by_photograph(tmp_path):
    rest = "0.5,0.1,1.0,1.0"
    header = "run,alteration,level,file_name,image_id,dice_od,dice_oc,vcdr_mae,detection_rate,regular\n"
    (tmp_path / "new.csv").write_text(
        f"{header}x,gamma,2.0,a,1,0.9,{rest}\nx,gamma,2.0,a,2,0.7,{rest}\nx,blur,1,a,1,1,{rest}\n"
    )
    (tmp_path / "old.csv").write_text(
        f"{header}y,gamma,2,a,1,0.4,{rest}\ny,gamma,2,a,1,0.8,{rest}\ny,gamma,2,a,x3,0.1,{rest}\n"
    )
    (tmp_path / "older.csv").write_text(header.replace("image_id,", "") + f"y,gamma,2,a,0.4,{rest}\n")
    (line,) = differences(*(read_rows(tmp_path / name) for name in ("new.csv", "older.csv")))  # by name, then
    assert line["dice_od"][0] == pytest.approx(0.4)
    assert [x["photographs"] for x in summarise(read_rows(tmp_path / "new.csv"))] == [2, 1]  # alike in name alone
    (line,) = differences(*(read_rows(tmp_path / name) for name in ("new.csv", "old.csv")))
    assert (line["alteration"], line["level"], line["photographs"]) == ("gamma", 2, 1)
    assert line["dice_od"] == pytest.approx((0.3, 0.3, 0.3)) and line["dice_oc"] == (0, 0, 0)


def test_photographs_of_two_sets_with_the_same_numbers_are_not_paired():
    row = {"alteration": "gamma", "level": 2.0, "dice_oc": 0.5, "vcdr_mae": 0.1, "detection_rate": 1.0, "regular": 1.0}
    ours, theirs = (
        [row | {"image_id": "1", "file_name": x, "dice_od": y}] for x, y in (("a.png", 0.9), ("b.png", 0.5))
    )
    (line,) = summarise(ours + theirs)
    assert line["photographs"] == 2
    with pytest.raises(ValueError, match="expected photographs that both have, found others, such as a.png and b.png"):
        differences(ours, theirs)
    assert differences(ours, []) == []
