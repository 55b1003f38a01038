"""What converters once did wrong with exit code 0, of patients: guesses, shares, eyes."""

import re

import pytest

from tests.data.converting import convert, grades, save
from tests.data.folders import DISC, photograph

DATES = {
    "a day": [f"{g}/{day}_10{n:02d}" for n in range(30) for g, day in (("normal", 20210304), ("glaucoma", 20220917))],
    "a year": [f"{'normal' if n % 2 else 'glaucoma'}/2021_{n:04d}" for n in range(80)],
    "a year, splits given": [
        f"{s}/{g}/2021_{n}{s}{g}" for n in range(9) for s in ("train", "test") for g in ("normal", "glaucoma")
    ],
}


@pytest.mark.parametrize("names", DATES.values(), ids=list(DATES))
def test_a_date_is_no_patient(tmp_path, capsys, names):
    for name in names:
        photograph(tmp_path / "in" / f"{name}.jpg", (8, 8))
    code, output = convert("graded_folders", tmp_path / "in")
    errors = capsys.readouterr().err
    assert code == 2 and not output.exists()
    assert "which looks like a date or a device" in errors and "--patient REGEX" in errors
    code, output = convert("graded_folders", tmp_path / "in", "--patient", ".+")
    assert code == 0 and {"normal", "glaucoma"} == set(grades(output / "train_grading.json").values())


def test_a_known_patient_does_not_hide_a_guess_that_cannot_be(tmp_path, capsys):
    """11 photographs of a day, beside the 12 of a patient that the sheet names."""
    names = [f"20210304_{n:02d}.jpg" for n in range(11)] + [f"x{n:02d}.jpg" for n in range(12)]
    for name in names:
        photograph(tmp_path / "in" / name, (8, 8))
    rows = [f"{x},normal,{'Ann' if x.startswith('x') else ''}" for x in names]
    (tmp_path / "in" / "grades.csv").write_text("\n".join(["file,grade,patient", *rows]))
    code, output = convert("graded_sheet", tmp_path / "in", "--sheet", tmp_path / "in" / "grades.csv")
    assert code == 2 and not output.exists()
    assert "11 of 23 photographs would be of one patient, 20210304," in capsys.readouterr().err


def test_a_given_patient_with_a_large_share_and_a_split_without_a_grade_are_told(tmp_path, capsys):
    for n in range(30):
        photograph(tmp_path / "in" / "normal" / f"a{n}.jpg", (8, 8))
        photograph(tmp_path / "in" / "glaucoma" / f"b{n}.jpg", (8, 8))
    code, _ = convert("graded_folders", tmp_path / "in", "--patient", "^(.)")
    errors = capsys.readouterr().err
    assert code == 1 and re.search("warning: patient [ab] has 30 of 60 photographs", errors)
    assert "warning: train has no" in errors
    assert convert("graded_folders", tmp_path / "in", "--patient", "^(.)", "--strict")[0] == 2
    assert convert("graded_folders", tmp_path / "in", "--patient", ".+")[0] == 0


def test_no_draw_is_told(tmp_path, capsys):
    for n in range(12):
        photograph(tmp_path / "in" / ("normal" if n % 2 else "glaucoma") / f"x_{n}.jpg", (8, 8))
    assert convert("graded_folders", tmp_path / "in", "--patient", "^(x)")[0] == 1
    errors = capsys.readouterr().err
    assert "no test could be drawn: the 12 photographs are of 1 patients" in errors


def test_a_pattern_that_finds_nobody_is_refused(tmp_path, capsys):
    for name in ("p1a", "p2a", "x"):
        photograph(tmp_path / "in/normal" / f"{name}.png", (8, 8))
    options = ("--test-percent", 0, "--val-percent", 0, "--patient")
    assert convert("graded_folders", tmp_path / "in", *options, "^none")[0] == 2
    assert "--patient ^none: expected a patient in names such as" in capsys.readouterr().err
    assert convert("graded_folders", tmp_path / "in", *options, r"^p(\d)")[0] == 1
    assert "finds nobody in 1 names, such as x.png" in capsys.readouterr().err


def test_two_eyes_of_a_patient_in_two_splits_are_told(tmp_path, capsys):
    for split, name in (("train", "7_left"), ("test", "7_right"), ("train", "8_left")):
        photograph(tmp_path / "in" / split / "images" / f"{name}.png")
        save(tmp_path / "in" / split / "masks" / f"{name}.png", DISC * 255)
    assert convert("masked", tmp_path / "in")[0] == 1
    assert "1 patients are in two splits, such as 7_right.png (test) and 7_left.png (train)" in capsys.readouterr().err
