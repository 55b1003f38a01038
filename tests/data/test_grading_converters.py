"""RIM-ONE DL, and photographs with grades but no masks: what lands in the JSON, and who shares a split with whom."""

import json
from pathlib import Path

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as mask_util

from fundus_plugins.data.converters.patients import draw_patients, patient_of
from tests.data.converting import convert, grades
from tests.data.folders import CUP, DISC, SHAPE, photograph

ROOT = Path(__file__).parents[2]
SEGMENTATIONS = "RIM-ONE_DL_reference_segmentations"


def rim_one(root, *, train="training_set", test="test_set", graded=True, inverted=False):
    """Two photographs of each grade of r3 and of r1, with masks."""
    names = {"normal": ["r1_Im001", "r3_N-1-L"], "glaucoma": ["r1_Im002", "r3_S-2-R", "r3_G-3-L"]}
    for folder, stems in names.items():
        for stem in stems:
            for split in (train, test):
                name = (
                    stem if split == train else stem.replace("Im00", "Im01").replace("-L", "4-L").replace("-R", "4-R")
                )
                photograph(root / "partitioned_randomly" / split / (folder if graded else "") / f"{name}.png")
                for structure, mask in (("Disc", DISC), ("Cup", CUP)):
                    path = root / SEGMENTATIONS / folder / f"{name}-1-{structure}-T.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray((mask ^ inverted) * np.uint8(255)).save(path)
    return root


@pytest.mark.parametrize("layout", ["official", "repack"])
@pytest.mark.parametrize("inverted", [False, True])
def test_rim_one_dl(tmp_path, layout, inverted):
    repack = {"train": "images/train", "test": "images/test", "graded": False} if layout == "repack" else {}
    root = rim_one(tmp_path / "in", inverted=inverted, **repack)
    photograph(root / "partitioned_by_hospital/training_set/normal/r1_Im001.png")
    code, output = convert("rim_one_dl", root, "--holdout", 2)
    assert code == 0
    assert grades(output / "train.json") == {
        "r1_Im001": "normal",
        "r1_Im002": "glaucoma",
        "r3_G-3-L": "glaucoma",
        "r3_N-1-L": "normal",
        "r3_S-2-R": "suspicious",
    }
    assert len(grades(output / "test.json")) == 5
    assert len(grades(output / "fit.json")) == 3 and len(grades(output / "val_grading.json")) == 2
    document = json.loads((output / "train.json").read_text())
    assert document["info"]["part"] == "all"
    found = [mask_util.decode(annotation["segmentation"]).astype(bool) for annotation in document["annotations"]]
    np.testing.assert_array_equal(found, [DISC, CUP] * 5)
    code, output = convert("rim_one_dl", root, "--part", "r3", "--holdout", 0)
    assert sorted(grades(output / "train.json").values()) == ["glaucoma", "normal", "suspicious"]
    code, output = convert("rim_one_dl", root, "--grades", "two", "--holdout", 0)
    assert grades(output / "train.json")["r3_S-2-R"] == "glaucoma"
    assert set(grades(output / "test.json").values()) == {"glaucoma", "normal"}


def test_rim_one_dl_says_what_is_wrong(tmp_path, capsys):
    root = rim_one(tmp_path / "in")
    (root / SEGMENTATIONS / "normal/r1_Im001-1-Disc-T.png").unlink()
    code, output = convert("rim_one_dl", root)
    assert code == 1 and "r1_Im001" not in grades(output / "train.json")
    assert "r1_Im001.png: expected a mask r1_Im001-1-Disc-T.png, found none" in capsys.readouterr().err
    other = root / "RIM-ONE_DL_reference_segmentations/again/r1_Im002-1-Cup-T.png"
    other.parent.mkdir()
    Image.fromarray(DISC * np.uint8(255)).save(other)
    code, output = convert("rim_one_dl", root)
    assert code == 1 and "r1_Im002" not in grades(output / "train.json")
    assert "expected one r1_Im002-1-Cup-T.png, found also" in capsys.readouterr().err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert convert("rim_one_dl", empty)[0] == 2
    assert "does not hold RIM-ONE DL: looked for photographs partitioned_randomly" in capsys.readouterr().err


def test_rim_one_dl_as_it_is(tmp_path):
    root = ROOT.parent / "shared" / "data" / "rim-one-dl"
    if not root.is_dir():
        pytest.skip("RIM-ONE DL is not at hand")
    code, output = convert("rim_one_dl", root)
    assert code == 1 and len(grades(output / "train.json")) == 339 and len(grades(output / "test.json")) == 146


def test_a_folder_for_each_grade(tmp_path, capsys):
    root = tmp_path / "in"
    for number in range(20):
        for folder in ("Healthy", "Glaucoma Suspect", "glaucoma"):
            for eye in ("left", "right"):
                photograph(root / folder / f"{number + 100 * len(folder)}_{eye}.jpg")
    photograph(root / "glaucoma" / "_12_3456789.jpg")
    code, output = convert("graded_folders", root, "--seed", 1)
    assert code == 1 and "augmented copy" in capsys.readouterr().err
    assert {path.name for path in output.iterdir()} == {f"{split}_grading.json" for split in ("train", "val", "test")}
    splits = {split: grades(output / f"{split}_grading.json") for split in ("train", "val", "test")}
    assert {split: len(found) for split, found in splits.items()} == {"train": 82, "val": 14, "test": 24}
    patients = [{stem.split("_")[0] for stem in found} for found in splits.values()]
    assert not patients[0] & patients[1] and not patients[0] & patients[2] and not patients[1] & patients[2]
    for found in splits.values():
        counts = [list(found.values()).count(grade) for grade in set(found.values())]
        assert len(counts) == 3 and max(counts) - min(counts) <= 4  # what is drawn depends on scikit-learn's version
    assert set(splits["test"].values()) == {"normal", "suspicious", "glaucoma"}


def test_folders_with_splits_never_part_a_patient(tmp_path, capsys):
    root = tmp_path / "in"
    for path in ("train/normal/1_left", "train/glaucoma/2_left", "train/normal/3_left", "test/glaucoma/2_right"):
        photograph(root / f"{path}.png")
    code, output = convert("graded_folders", root, "--val-percent", 0)
    assert code == 1 and grades(output / "train_grading.json") == {"1_left": "normal", "3_left": "normal"}
    assert "parted patient" in capsys.readouterr().err
    assert convert("graded_folders", root, "--val-percent", 0, "--patient", r".*")[0] == 0


def test_a_sheet_of_files_and_grades(tmp_path, capsys):
    root = tmp_path / "in"
    table = {
        "File Name": ["a.jpg", "b.jpg", "sub/c.jpg", "d.jpg", "none.jpg", "a.jpg"],
        "Grade": ["normal", "suspect", "Glaucoma", 2, "normal", "glaucoma"],
        "Split": ["train", "train", "test", "train", "val", "test"],
    }
    for name in table["File Name"][:4]:
        photograph(root / name)
    pandas.DataFrame(table).to_csv(tmp_path / "grades.csv", index=False)
    code, output = convert("graded_sheet", root, "--sheet", tmp_path / "grades.csv", "--val-percent", 0)
    assert code == 1
    assert grades(output / "train_grading.json") == {"b": "suspicious"}  # a has two grades
    assert grades(output / "test_grading.json") == {"c": "glaucoma"}
    problems = capsys.readouterr().err
    assert "expected normal or suspicious or glaucoma in row 5, found '2'" in problems
    assert "none.jpg: expected the file of grades.csv row 6" in problems
    assert "expected a.jpg once, in row 2 as normal, found also in row 7, as glaucoma" in problems
    (tmp_path / "other.csv").write_text("x,y\n1,2\n")
    assert convert("graded_sheet", root, "--sheet", tmp_path / "other.csv")[0] == 2
    assert "expected a first row with the columns file and grade, found x, y" in capsys.readouterr().err


def test_contact_sheet_without_masks(tmp_path):
    for grade in ("normal", "glaucoma"):
        photograph(tmp_path / "in" / grade / "1.jpg", (44, 40))
    code, _ = convert("graded_folders", tmp_path / "in", "--preview", tmp_path / "sheet.png", "--patient", ".+")
    assert Image.open(tmp_path / "sheet.png").size[0] == 1280


NAMES = {
    "RET002OD": "RET002",
    "RET002OS": "RET002",
    "12_left": "12",
    "0012_x": "0012",
    "P7-L": "P7",
    "P7_right": "P7",
    "image_0": None,
    "V0001": None,
}


@pytest.mark.parametrize("stem, patient", NAMES.items())
def test_patients_by_name(stem, patient):
    assert patient_of(stem) == patient


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), max_size=40), st.floats(0, 0.5), st.integers(0, 5))
def test_no_patient_is_on_both_sides(pairs, share, seed):
    patients, labels = [str(p) for p, _ in pairs], [str(g) for _, g in pairs]
    drawn = draw_patients(patients, labels, share, seed)
    assert drawn.shape == (len(pairs),)
    assert not {p for p, d in zip(patients, drawn) if d} & {p for p, d in zip(patients, drawn) if not d}
    np.testing.assert_array_equal(drawn, draw_patients(patients, labels, share, seed))


def test_photographs_with_masks_of_ones_own(tmp_path, capsys):
    root = tmp_path / "in"
    for name in ("a", "b", "train/c", "lonely"):
        folder, stem = root / Path(name).parent, Path(name).name
        photograph(folder / "images" / f"{stem}.jpg")
        if stem != "lonely":
            for kind, mask in (("masks", DISC), ("cup", CUP))[: 1 if stem == "b" else 2]:
                (folder / kind).mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask * np.uint8(255)).save(
                    folder / kind / f"{stem}.{'png' if kind == 'masks' else 'bmp'}"
                )
    code, output = convert("masked", root)
    assert code == 1 and "missing mask" in capsys.readouterr().err
    document = json.loads((output / "test.json").read_text())
    assert [Path(x["file_name"]).stem for x in document["images"]] == ["a", "b"]
    assert [(x["image_id"], x["category_id"]) for x in document["annotations"]] == [(1, 1), (1, 2), (2, 1)]
    decoded = [mask_util.decode(x["segmentation"]).astype(bool) for x in document["annotations"]]
    assert np.array_equal(decoded[0], DISC) and np.array_equal(decoded[1], CUP)
    assert len(json.loads((output / "train.json").read_text())["images"]) == 1
    (output / "test.json").unlink()
    convert("masked", root, "--rest", "train")
    assert not (output / "test.json").exists()
    assert len(json.loads((output / "train.json").read_text())["images"]) == 3

    grey = np.uint8(100) * DISC + np.uint8(50) * CUP
    Image.fromarray(grey).save(root / "masks" / "a.png")
    assert convert("masked", root)[0] == 1
    assert "expected 0 and one other value, found 0, 100, 150" in capsys.readouterr().err
    Image.fromarray(np.full(SHAPE, 255, np.uint8)).save(root / "masks" / "a.png")
    assert convert("masked", root)[0] == 1
    assert "expected 0 outside, and one other value, found 255 everywhere" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert convert("masked", tmp_path / "empty")[0] == 2


def test_names_of_grades_in_a_sheet(tmp_path, capsys):
    root, sheet = tmp_path / "in", tmp_path / "grades.csv"
    names = ["Early", "mid-advanced", "0", "healthy", "glaucoma?", "mild"]
    for number in range(len(names)):
        photograph(root / f"{number}.jpg", (8, 8))
    rows = [(f"{number}.jpg", name) for number, name in enumerate(names)]
    pandas.DataFrame(rows, columns=["file", "grade"]).to_csv(sheet, index=False)
    draws = ("--sheet", sheet, "--test-percent", 0, "--val-percent", 0)
    pairs = ("early=suspicious", "mid_advanced=glaucoma", "0=normal", "glaucoma?=suspicious")
    code, output = convert("graded_sheet", root, *draws, "--grades", *pairs)
    found = {"0": "suspicious", "1": "glaucoma", "2": "normal", "3": "normal", "4": "suspicious"}
    assert code == 1 and grades(output / "train_grading.json") == found
    errors = capsys.readouterr().err
    assert "in row 7, found 'mild'" in errors and "nothing is called" not in errors
    convert("graded_sheet", root, *draws, "--grades", *pairs, "late=glaucoma", "--grades", "mild=suspicious")
    errors = capsys.readouterr().err
    assert "warning: --grades: nothing is called late" in errors and "mild" not in errors
    for wrong, told in (
        (["early"], "expected SOURCE=GRADE"),
        (["early=bad"], "with one of normal, suspicious, glaucoma"),
        (["a=normal", "A=glaucoma"], "expected one grade for A, found also normal"),
    ):
        assert convert("graded_sheet", root, *draws, "--grades", *wrong)[0] == 2
        assert told in capsys.readouterr().err


def test_rows_without_a_grade_are_left_out(tmp_path, capsys):
    root, sheet = tmp_path / "in", tmp_path / "grades.csv"
    for number in range(4):
        photograph(root / f"{number}.jpg", (8, 8))
    draws = ("--sheet", sheet, "--test-percent", 0, "--val-percent", 0)
    rows = ["file,grade", "0.jpg,normal", "1.jpg,", "2.jpg,NA", "not_there.jpg, ", "3.jpg,glaucoma"]
    sheet.write_text("\n".join(rows))
    code, output = convert("graded_sheet", root, *draws)
    told = capsys.readouterr()
    assert code == 0 and grades(output / "train_grading.json") == {"0": "normal", "3": "glaucoma"}
    assert told.out.count("3 photographs of grades.csv have no grade: left out") == 1 and "unknown" not in told.err
    sheet.write_text("\n".join([*rows[:-1], "3.jpg,unclear"]))
    code, output = convert("graded_sheet", root, *draws)
    assert code == 1 and grades(output / "train_grading.json") == {"0": "normal"}
    assert "expected normal or suspicious or glaucoma in row 6, found 'unclear'" in capsys.readouterr().err
    sheet.write_text(
        "file,grade\n0.jpg,none\n1.jpg,mild\n"
    )  # a name that looks like an empty cell is not lost silently
    code, output = convert("graded_sheet", root, *draws, "--grade-names", "none", "mild")
    assert code == 1 and grades(output / "train_grading.json") == {"1": "mild"}
    assert "warning: cells such as 'none' are read as empty" in capsys.readouterr().err


def test_names_of_grades_of_folders(tmp_path, capsys):
    root = tmp_path / "in"
    for folder in ("0_none", "glaucoma/early", "glaucoma/late", "other"):
        photograph(root / folder / f"{folder[-3:]}.jpg", (8, 8))
    draws = ("--test-percent", 0, "--val-percent", 0)
    code, output = convert("graded_folders", root, *draws, "--grades", "none=normal", "early=suspicious")
    found = {"one": "normal", "rly": "suspicious", "ate": "glaucoma"}  # the name that is given goes before glaucoma
    assert code == 1 and grades(output / "train_grading.json") == found
    assert "other: expected a folder named after a grade" in capsys.readouterr().err
    convert("graded_folders", root, *draws, "--grades", "none=normal", "x=suspicious")
    assert "warning: --grades: nothing is called x" in capsys.readouterr().err


def test_every_split_has_its_share_of_each_highest_grade(tmp_path, capsys):
    # 60 patients, normal in both eyes, suspicious in both, or normal in one and glaucoma in the other.
    root, eyes = tmp_path / "in", [("normal", "normal"), ("suspicious", "suspicious"), ("normal", "glaucoma")]
    for number in range(60):
        for eye, grade in zip(("left", "right"), eyes[number % 3]):
            photograph(root / grade / f"{number}_{eye}.jpg", (8, 8))
    code, output = convert("graded_folders", root, "--val-percent", 25)
    found = [grades(output / f"{split}_grading.json") for split in ("train", "val", "test")]
    numbers = [[list(x.values()).count(grade) for grade in ("normal", "suspicious", "glaucoma")] for x in found]
    assert code == 0 and numbers == [[36, 24, 12], [12, 8, 4], [12, 8, 4]]


def test_a_rare_grade_is_on_both_sides():
    # Of 40 patients two have grade 2: one of them is drawn. One patient alone stays.
    patients = [str(n) for n in range(40)]
    for rare, expected in ((2, 1), (1, 0)):
        for seed in range(10):
            labels = np.array(["2"] * rare + ["0"] * (40 - rare))
            assert (labels[draw_patients(patients, labels, 0.2, seed)] == "2").sum() == expected


def test_a_tenth_of_one_patient_and_a_split_without_a_grade_are_told(tmp_path, capsys):
    root, rows = tmp_path / "in", []
    for number in range(40):
        photograph(root / f"{number}.jpg", (8, 8))
        grade, split = ("glaucoma", "train") if number < 3 else ("normal", "test" if number > 35 else "train")
        rows.append((f"{number}.jpg", grade, split, "A" if number < 5 else "B" if number < 10 else f"x{number}"))
    sheet = pandas.DataFrame(rows, columns=["file", "grade", "split", "patient"])
    sheet.to_csv(tmp_path / "grades.csv", index=False)
    code, _ = convert("graded_sheet", root, "--sheet", tmp_path / "grades.csv", "--val-percent", 0)
    told = capsys.readouterr()
    assert code == 1 and "warning: patient A has 5 of 40 photographs" in told.err
    assert "and 1 more have over 10%" in told.err
    assert "test has no glaucoma among 4 photographs with a grade, of 3 in all: too few" in told.out


def test_any_number_of_ordered_grades(tmp_path, capsys):
    root = tmp_path / "in"
    stages = ["healthy", "mild", "moderate", "severe"]
    for i in range(16):
        photograph(root / f"eye{i:02d}.png")
    sheet = tmp_path / "stages.csv"
    sheet.write_text(
        "file,grade\n" + "".join(f"eye{i:02d}.png,{i % 4 if i < 12 else stages[i % 4]}\n" for i in range(16))
    )
    pairs = [f"{i}={name}" for i, name in enumerate(stages)]
    options = ["--sheet", sheet, "--patient", ".+", "--grade-names", *stages, "--grades", *pairs]
    code, output = convert("graded_sheet", root, *options, "--test-percent", 25, "--val-percent", 0)
    assert code == 0, capsys.readouterr()
    assert "healthy/mild/moderate/severe/unknown" in capsys.readouterr().out
    for split, number in (("train", 3), ("test", 1)):
        document = json.loads((output / f"{split}_grading.json").read_text())
        assert [x["name"] for x in document["categories"]] == stages
        names = {x["id"]: x["name"] for x in document["categories"]}
        said = {x["image_id"]: names[x["category_id"]] for x in document["annotations"]}
        for image in document["images"]:
            assert said[image["id"]] == stages[int(Path(image["file_name"]).stem[3:]) % 4] == image["grade"]
        assert [document["info"]["counts"][name] for name in stages] == [number] * 4
    code, _ = convert("graded_sheet", root, "--sheet", sheet, "--grade-names", "mild", "mild")
    assert code == 2 and "--grade-names mild mild: expected two names or more" in capsys.readouterr().err
    code, _ = convert("graded_sheet", root, *options[:-5], "--grades", "0=normal")
    assert code == 2 and "with one of healthy, mild, moderate, severe" in capsys.readouterr().err
