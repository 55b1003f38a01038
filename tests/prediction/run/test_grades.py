"""Grades in the table of `fundus predict`, and where they come from as a picture."""

import csv
import json

import cv2
import numpy as np
import pytest

from fundus_plugins.cli.main import main
from fundus_plugins.prediction.grading import FILE
from fundus_plugins.prediction.predictor import FundusPredictor
from fundus_plugins.prediction.run.record import COLUMNS, row
from fundus_plugins.prediction.run.writers import close_up
from tests.prediction.run.photographs import draw

GRADER = json.loads(FILE.read_text())


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A drawn eye and a black picture, predicted; the folders of photographs and of results."""
    folder = tmp_path_factory.mktemp("grades")
    draw(folder / "in", 1, size=512, view="disc")
    cv2.imwrite(str(folder / "in" / "nothing.png"), np.zeros((200, 200, 3), np.uint8))
    words = ["predict", folder / "in", "--output", folder / "out", "--write", "csv", "--write", "cams"]
    assert main([str(word) for word in words]) == 0
    return folder / "in", folder / "out"


@pytest.fixture(scope="module")
def rows(done):
    with open(done[1] / "predictions.csv", newline="", encoding="utf-8") as file:
        return {x["id"]: x for x in csv.DictReader(file)}


def test_rows_without_a_grade_do_not_come_beside_rows_with_one(done, capsys):
    photographs, output = done
    words = ["predict", photographs, "--output", output, "--write", "csv", "--write", "cams", "--no-grade"]
    assert main([str(word) for word in words]) == 2
    assert f"{output} holds a run with other grader: " in capsys.readouterr().err


def test_an_eye_has_a_grade_and_what_led_to_it(rows):
    eye = rows["eye0.png"]
    grades = GRADER["grades"]
    assert eye["status"] == "measured" and eye["grade"] in grades and eye["grade_reason"] == ""
    probabilities = [float(eye[f"p_{name}"]) for name in grades]
    assert sum(probabilities) == pytest.approx(1, abs=1e-3) and min(probabilities) >= 0
    above = [float(eye[f"p_above_{name}"]) for name in grades[:-1]]
    assert eye["grade"] == grades[sum(p > 0.5 for p in above)]
    # The highest grade is above every threshold.
    assert probabilities[-1] == pytest.approx(np.prod(above), abs=1e-3)
    assert eye["grade_contradiction"] == str(int(above[1] > 0.5 >= above[0]))
    assert set(GRADER["screening"]) == {"85", "95"}
    for name, limit in GRADER["screening"].items():
        assert eye[f"screen_{name}"] == str(int(above[0] > limit))


def test_what_has_no_disc_has_a_reason_instead_of_a_grade(rows):
    nothing = rows["nothing.png"]
    assert nothing["status"] == "ungradable" and nothing["grade_reason"] == "too dark"
    columns = [x for x in nothing if x.startswith(("p_", "screen_")) or x in ("grade", "grade_contradiction")]
    assert len(columns) == 9 and all(nothing[x] == "" for x in columns)


def test_the_map_is_a_picture_of_the_photographs_name(done):
    photographs, output = done
    (path,) = (output / "cams").iterdir()
    assert path.name == "eye0_png.jpg"
    photograph = cv2.imread(str(photographs / "eye0.png"))
    found = FundusPredictor(threads=1)(photograph[..., ::-1].copy())
    x0, y0, x1, y1 = close_up(found.disc)
    drawn = cv2.imread(str(path))
    assert drawn.shape == (y1 - y0, x1 - x0, 3)
    assert np.abs(drawn.astype(int) - photograph[y0:y1, x0:x1]).max() > 60  # the map's colours


def test_flags_of_the_grade_are_told_as_0_and_1():
    grade = {"name": "suspicious", "contradiction": True, "screening": {"85": True, "95": False}}
    found = dict(zip(COLUMNS, row({"id": "a.png", "status": "measured", "grade": grade}), strict=True))
    columns = ("grade", "grade_contradiction", "screen_85", "screen_95")
    assert [found[x] for x in columns] == ["suspicious", "1", "1", "0"]
