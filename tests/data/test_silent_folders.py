"""What converters once did wrong with exit code 0, of folders: grades and splits in their names."""

import json
import shutil

import numpy as np
import pytest

from tests.data.converting import convert, grades, masks, save
from tests.data.folders import CUP, DISC, photograph


def test_names_that_begin_anew_in_every_split_are_not_one_eye(tmp_path):
    for split in ("train", "test"):
        for n in range(4):
            photograph(tmp_path / "in" / split / ("normal" if n % 2 else "glaucoma") / f"{n}.jpg", (8, 8))
    code, output = convert("graded_folders", tmp_path / "in", "--val-percent", 0)
    assert code == 0 and len(grades(output / "train_grading.json")) == len(grades(output / "test_grading.json")) == 4


def test_a_plural_is_a_grade_and_the_unknown_is_listed(tmp_path, capsys):
    for folder in ("normal", "suspects", "glaucoma", "borderline"):
        photograph(tmp_path / "in" / folder / "a.jpg", (8, 8))
    code, output = convert(
        "graded_folders", tmp_path / "in", "--patient", ".+", "--test-percent", 0, "--val-percent", 0
    )
    assert code == 1
    found = json.loads((output / "train_grading.json").read_text())["images"]
    assert sorted(x["grade"] for x in found) == ["glaucoma", "normal", "suspicious"]
    errors = capsys.readouterr().err
    assert "unused folder" in errors and "borderline: expected a folder named after a grade" in errors


def test_the_folder_that_says_most_decides_and_contradictions_are_refused(tmp_path, capsys):
    for n in range(3):
        for split in ("Train", "Validation"):
            for grade in ("Glaucoma_Negative", "Glaucoma_Positive"):
                photograph(tmp_path / "in" / "glaucoma" / split / grade / f"{split}{grade}{n}.jpg", (8, 8))
    code, output = convert("graded_folders", tmp_path / "in")
    assert code == 0
    for split in ("train", "val"):
        found = grades(output / f"{split}_grading.json")
        assert len(found) == 6 and all((grade == "normal") == ("Negative" in stem) for stem, grade in found.items())
    for folder in ("glaucoma/Train/normal/glaucoma", "glaucoma/Train/abnormal", "glaucoma/Train/Test/normal"):
        photograph(tmp_path / "in" / folder / "x.jpg", (8, 8))
    capsys.readouterr()
    code, output = convert("graded_folders", tmp_path / "in")
    errors = capsys.readouterr().err
    assert (
        code == 1
        and errors.count("left out: ambiguous folder") == 3
        and "x" not in grades(output / "train_grading.json")
    )


def test_numbered_folders_and_stages(tmp_path):
    for folder in ("0_normal", "1 Suspects", "2-early glaucoma", "3_Severe_Glaucoma"):
        photograph(tmp_path / "in" / folder / f"{folder}.jpg", (8, 8))
    options = ("--test-percent", 0, "--val-percent", 0, "--patient", ".+")
    code, output = convert("graded_folders", tmp_path / "in", *options)
    assert code == 0 and sorted(grades(output / "train_grading.json").values()) == [
        "glaucoma",
        "glaucoma",
        "normal",
        "suspicious",
    ]


@pytest.mark.parametrize(
    "names", [("Training400", "Test400"), ("train_data", "data_test"), ("Training Images", "testing")]
)
def test_splits_are_read_from_longer_names(tmp_path, names):
    for name in names:
        for n in range(2):
            photograph(tmp_path / "1/graded" / name / "normal" / f"{name}{n}.jpg", (8, 8))
            photograph(tmp_path / "2/masked" / name / "images" / f"{name}{n}.jpg")
            save(tmp_path / "2/masked" / name / "OD_masks" / f"{name}{n}.png", DISC * 255)
    for dataset, root, kind in (("graded_folders", "1/graded", "_grading"), ("masked", "2/masked", "")):
        code, output = convert(dataset, tmp_path / root, *(("--val-percent", 0) if kind else ()))
        assert code == 0
        assert all(len(grades(output / f"{split}{kind}.json")) == 2 for split in ("train", "test"))


def test_a_folder_of_two_splits_is_left_out(tmp_path, capsys):
    for folder in ("train", "train_test"):
        photograph(tmp_path / "in" / folder / "images" / f"{folder}.png")
        save(tmp_path / "in" / folder / "masks" / f"{folder}.png", DISC * 255)
    code, output = convert("masked", tmp_path / "in")
    assert code == 1 and list(grades(output / "train.json")) == ["train"] and not (output / "test.json").exists()
    assert (
        "train_test/images: expected one split in the folders' names, found test and train" in capsys.readouterr().err
    )


def test_cropped_copies_are_left_alone_and_cropped_photographs_are_not(tmp_path, capsys):
    for folder in ("normal", "normal_cropped", "glaucoma_cropped"):
        photograph(tmp_path / "in" / folder / f"{folder}.png", (8, 8))
    options = ("--test-percent", 0, "--val-percent", 0)
    code, output = convert("graded_folders", tmp_path / "in", *options)
    errors = capsys.readouterr().err
    assert code == 1 and list(grades(output / "train_grading.json")) == ["normal"]
    assert "ambiguous folder" in errors and "glaucoma_cropped" in errors and "normal_cropped" not in errors


def test_structures_go_before_masks_in_folders(tmp_path):
    for structure, mask in (("disc", DISC), ("cup", CUP)):
        save(tmp_path / "in" / structure / "masks/a.png", mask * 255)
    photograph(tmp_path / "in/images/a.png")
    code, output = convert("masked", tmp_path / "in")
    assert code == 0
    np.testing.assert_array_equal(masks(output / "test.json"), [DISC, CUP])


def test_files_of_an_earlier_conversion_are_told(tmp_path, capsys):
    for split in ("train", "val"):
        photograph(tmp_path / "in" / split / "images/a.png")
        save(tmp_path / "in" / split / "masks/a.png", DISC * 255)
    assert convert("masked", tmp_path / "in")[0] == 0
    shutil.rmtree(tmp_path / "in/val")
    assert convert("masked", tmp_path / "in")[0] == 1
    assert "val.json is of an earlier conversion" in capsys.readouterr().err
