"""What converters once did wrong with exit code 0: patients, folders, suffixes, polarity, copies, sheets, names."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image
from pycocotools import mask as mask_util

from fundus_plugins.cli.main import main
from fundus_plugins.data.converters.copies import without_copies
from fundus_plugins.data.converters.record import Record
from tests.data.folders import CUP, DISC, photograph, refuge_mask


def convert(dataset, root, *options):
    output = root.parent / "out"
    arguments = ["convert", dataset, "--root", str(root), "--output", str(output), "--processes", "1"]
    return main([*arguments, *map(str, options)]), output


def grades(path):
    return {Path(image["file_name"]).stem: image["grade"] for image in json.loads(path.read_text())["images"]}


def masks(path):
    return [mask_util.decode(x["segmentation"]).astype(bool) for x in json.loads(path.read_text())["annotations"]]


def save(path, pixels, palette=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(pixels, np.uint8))
    if palette:
        image = image.convert("P")
        image.putdata(np.asarray(pixels).ravel().tolist())
        image.putpalette(palette)
    image.save(path)


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


@pytest.mark.parametrize("suffix", ["tif", "bmp", "webp", "JPEG", "ppm"])
def test_every_suffix_is_read_by_every_converter(tmp_path, suffix):
    root = tmp_path / "in"
    for n in (1, 2):
        photograph(root / "1/refuge/train/Images" / f"g{n}.{suffix}")
        refuge_mask(root / "1/refuge/train/gts" / f"g{n}.png")
        photograph(root / "2/masked/images" / f"m{n}.{suffix}")
        save(root / "2/masked/masks" / f"m{n}.png", DISC * 255)
        photograph(root / "3/graded/normal" / f"n{n}.{suffix}")
    code, output = convert("refuge", root / "1/refuge")
    assert code == 0 and len(grades(output / "train.json")) == 2
    code, output = convert("masked", root / "2/masked")
    assert code == 0 and len(grades(output / "test.json")) == 2
    code, output = convert("graded_folders", root / "3/graded", "--test-percent", 0, "--val-percent", 0)
    assert code == 0 and grades(output / "train_grading.json") == {"n1": "normal", "n2": "normal"}


RED, BLACK = [255, 0, 0], [0, 0, 0]


@pytest.mark.parametrize("how", ["inverted", "palette", "colours", "od and oc"])
def test_masks_of_ones_own_in_every_guise(tmp_path, how):
    root = tmp_path / "in"
    photograph(root / "images/a.jpg")
    folders = ("OD", "OC") if how == "od and oc" else ("masks", "cup")
    for folder, mask in zip(folders, (DISC, CUP)):
        if how == "palette":
            save(root / folder / "a.png", ~mask, RED + BLACK)
        elif how == "colours":
            save(root / folder / "a.png", mask[..., None] * np.array(RED))
        else:
            save(root / folder / "a.png", (~mask if how == "inverted" else mask) * 255)
    code, output = convert("masked", root)
    assert code == 0
    np.testing.assert_array_equal(masks(output / "test.json"), [DISC, CUP])


def test_a_rim_is_no_disc_and_no_cup(tmp_path, capsys):
    root = tmp_path / "in"
    for name, disc, cup in (("a", DISC & ~CUP, None), ("b", DISC, DISC & ~CUP), ("c", DISC, CUP)):
        photograph(root / "images" / f"{name}.jpg")
        save(root / "masks" / f"{name}.png", disc * 255)
        if cup is not None:
            save(root / "cup" / f"{name}.png", cup * 255)
    code, output = convert("masked", root)
    errors = capsys.readouterr().err
    assert code == 1 and list(grades(output / "test.json")) == ["c"]
    assert "impossible disc" in errors and "impossible cup" in errors and "a ring" in errors


def test_either_order_of_one_and_two(tmp_path):
    root = tmp_path / "in"
    for name, coded in (("a", (2, 1, 0)), ("b", (1, 2, 0))):
        photograph(root / "train/Images" / f"{name}.jpg")
        save(root / "train/Masks" / f"{name}.png", np.where(CUP, coded[0], np.where(DISC, coded[1], coded[2])))
    code, output = convert("refuge", root)
    assert code == 0
    np.testing.assert_array_equal(masks(output / "train.json"), [DISC, CUP] * 2)


def record(path, split, grade, seed=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(str(seed or path).encode())
    return Record(split, path, grade, None)


def test_copies(tmp_path):
    records = [
        record(tmp_path / "train/a.jpg", "train", "normal", "same"),
        record(tmp_path / "test/b.jpg", "test", "normal", "same"),
        record(tmp_path / "train/c.jpg", "train", "normal", "both"),
        record(tmp_path / "train/d.jpg", "train", "glaucoma", "both"),
        record(tmp_path / "train/n1_jpg.rf.0123abcdef.jpg", "train", "normal"),
        record(tmp_path / "test/n1_jpg.rf.4567abcdef.jpg", "test", "normal"),
        record(tmp_path / "train/n2_jpg.rf.4567abcdef.jpg", "train", "normal"),
        record(tmp_path / "train/e.jpg", "train", "normal"),
        record(tmp_path / "train/e_flip.jpg", "train", "normal"),
        record(tmp_path / "train/f_rot90.jpg", "train", "normal"),  # of which there is no original
        record(tmp_path / "train/efflip.jpg", "train", "normal"),  # a name of its own
        record(tmp_path / "train/_12_3456789.jpg", "train", "normal"),
        Record("train", tmp_path / "gone.jpg", "normal", None),
    ]
    kept, problems = without_copies(records)
    assert [x.photograph.name for x in kept] == [
        "b.jpg", "n1_jpg.rf.4567abcdef.jpg", "n2_jpg.rf.4567abcdef.jpg", "e.jpg", "f_rot90.jpg", "efflip.jpg",
        "gone.jpg",
    ]  # fmt: skip
    assert sorted((x.kind, x.file.name) for x in problems) == [
        ("augmented copy", "_12_3456789.jpg"),
        ("augmented copy", "e_flip.jpg"),
        ("augmented copy", "n1_jpg.rf.0123abcdef.jpg"),
        ("conflicting grades", "c.jpg"),
        ("conflicting grades", "d.jpg"),
        ("photograph twice", "a.jpg"),
    ]
    assert without_copies(kept) == (kept, [])


def test_the_same_bytes_in_two_splits_stay_on_one_side(tmp_path, capsys):
    root = tmp_path / "in"
    for split in ("train", "test"):
        for name in ("a", "b"):
            photograph(root / split / "images" / f"{split}{name}.png")
            save(root / split / "masks" / f"{split}{name}.png", DISC * 255)
    shutil.copy(root / "test/images/testa.png", root / "train/images/traina.png")
    code, output = convert("masked", root)
    assert code == 1 and list(grades(output / "train.json")) == ["trainb"] and len(grades(output / "test.json")) == 2
    assert "photograph twice" in capsys.readouterr().err


def test_two_eyes_of_a_patient_in_two_splits_are_told(tmp_path, capsys):
    for split, name in (("train", "7_left"), ("test", "7_right"), ("train", "8_left")):
        photograph(tmp_path / "in" / split / "images" / f"{name}.png")
        save(tmp_path / "in" / split / "masks" / f"{name}.png", DISC * 255)
    assert convert("masked", tmp_path / "in")[0] == 1
    assert "1 patients are in two splits, such as 7_right.png (test) and 7_left.png (train)" in capsys.readouterr().err


def test_sheets_as_others_write_them(tmp_path):
    root = tmp_path / "in"
    for n in range(4):
        photograph(root / f"images/V000{n}.jpg", (8, 8))
    rows = ['"","Image Name","Grade","Comment"', *(f'"{n}","images\\V000{n}.jpg","normal","a, b"' for n in range(4))]
    (tmp_path / "s.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    options = ("--sheet", tmp_path / "s.csv", "--test-percent", 0, "--val-percent", 0)
    code, output = convert("graded_sheet", root, *options)
    assert code == 0 and set(grades(output / "train_grading.json").values()) == {"normal"}

    for n in range(4):
        photograph(root / f"refuge/val/Images/V000{n}.jpg")
        refuge_mask(root / f"refuge/val/gts/V000{n}.png")
    rows = ['"","ImgName","Label"', *(f'"{n}","V000{n}.jpg","{n % 2}"' for n in range(4))]
    (root / "refuge/val/labels.csv").write_text("\n".join(rows))
    code, output = convert("refuge", root / "refuge")
    assert code == 0 and list(grades(root / "out/val.json").values()) == ["normal", "glaucoma"] * 2


def test_a_sheets_names_of_photographs(tmp_path, capsys):
    root = tmp_path / "in"
    for name in ("A 1.jpg", "sub/b.png", "sub/c.png", "c.png", "rest.png"):
        photograph(root / name, (8, 8))
    rows = ["file,grade", "a 1.JPG,normal", "SUB\\B,Suspect", "c,glaucoma", "x" * 300 + ",normal", "sub/c.png,normal"]
    (tmp_path / "s.csv").write_text("\n".join(rows))
    options = ("--sheet", tmp_path / "s.csv", "--test-percent", 0, "--val-percent", 0)
    code, output = convert("graded_sheet", root, *options)
    captured = capsys.readouterr()
    assert code == 1 and captured.err.count("left out: missing photograph") == 1
    found = json.loads((output / "train_grading.json").read_text())["images"]
    assert {Path(x["file_name"]).name: x["grade"] for x in found if "sub" not in x["file_name"]} == {
        "A 1.jpg": "normal",
        "c.png": "glaucoma",
    }
    assert "1 photographs below" in captured.out
    (tmp_path / "s.csv").write_text("file,grade,label\na 1,normal,glaucoma\n")
    assert convert("graded_sheet", root, *options)[0] == 2
    assert "expected one column for the grade, found grade and label, which differ" in capsys.readouterr().err
    (tmp_path / "s.csv").write_text("file,grade,label\na 1,normal,normal\n")
    assert convert("graded_sheet", root, *options)[0] == 0
    assert convert("graded_sheet", root, *options, "--patient", "(")[0] == 2
    assert "--patient (: expected a regular expression" in capsys.readouterr().err


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


def test_labels_that_are_of_no_photograph_or_contradict_are_told(tmp_path, capsys):
    root = tmp_path / "in"
    photograph(root / "val/Images/V0001.jpg")
    refuge_mask(root / "val/gts/V0001.png")
    (root / "val/labels.csv").write_text("ImgName,Label\nX9.jpg,1\n")
    assert convert("refuge", root)[0] == 1
    assert "none of the 1 names in label sheets is a photograph's: x9" in capsys.readouterr().err
    (root / "val/labels.csv").write_text("ImgName,Label\nV0001.jpg,1\nV0001.jpg,0\n")
    code, output = convert("refuge", root)
    assert code == 1 and grades(output / "val.json") == {"V0001": None}
    assert "conflicting grades" in capsys.readouterr().err


def test_names_that_are_not_utf_8_and_a_contact_sheet(tmp_path):
    root = tmp_path / "in"
    for name in (b"\xe9t\xe9", "ünï".encode(), b"plain"):
        stem = os.fsdecode(name)
        photograph(root / "images" / f"{stem}.png")
        save(root / "masks" / f"{stem}.png", DISC * 255)
    code, output = convert("masked", root, "--preview", tmp_path / "sheet.png")
    assert code == 0 and Image.open(tmp_path / "sheet.png").size[0] == 1280
    found = [output / image["file_name"] for image in json.loads((output / "test.json").read_text())["images"]]
    assert len(found) == 3 and all(path.is_file() for path in found)


def test_files_of_an_earlier_conversion_are_told(tmp_path, capsys):
    for split in ("train", "val"):
        photograph(tmp_path / "in" / split / "images/a.png")
        save(tmp_path / "in" / split / "masks/a.png", DISC * 255)
    assert convert("masked", tmp_path / "in")[0] == 0
    shutil.rmtree(tmp_path / "in/val")
    assert convert("masked", tmp_path / "in")[0] == 1
    assert "val.json is of an earlier conversion" in capsys.readouterr().err


@pytest.mark.parametrize("number, code", [(1, 0), (3, 1), (6, 1)])
def test_turned_photographs_with_masks_are_told(tmp_path, capsys, number, code):
    pixels = np.random.default_rng(0).integers(0, 255, (44, 40, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = number
    (tmp_path / "in/images").mkdir(parents=True)
    Image.fromarray(pixels).save(tmp_path / "in/images/a.jpg", exif=exif)
    save(tmp_path / "in/masks/a.png", DISC * 255)
    photograph(tmp_path / "in/images/b.png")
    save(tmp_path / "in/masks/b.png", DISC * 255)
    assert convert("masked", tmp_path / "in")[0] == code
    errors = capsys.readouterr().err
    assert ("a.jpg, are turned by their EXIF" in errors) == (number == 3)
    assert ("size mismatch" in errors) == (number == 6)


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


@pytest.mark.parametrize("heading, cells", [("subset", "train,test"), ("x", "Training,Testing")])
def test_a_split_in_a_column_of_another_name(tmp_path, heading, cells):
    for n in range(4):
        photograph(tmp_path / "in" / f"e{n}.png", (8, 8))
    rows = [f"file,grade,{heading},pid", *(f"e{n}.png,normal,{cells.split(',')[n % 2]},{n}" for n in range(4))]
    (tmp_path / "s.csv").write_text("\n".join(rows))
    code, output = convert("graded_sheet", tmp_path / "in", "--sheet", tmp_path / "s.csv", "--val-percent", 0)
    assert code == 0 and list(grades(output / "train_grading.json")) == ["e0", "e2"]
    assert [x["patient"] for x in json.loads((output / "test_grading.json").read_text())["images"]] == ["1", "3"]


def test_what_sheets_leave_open_is_told(tmp_path, capsys):
    for n in range(4):
        photograph(tmp_path / "in" / f"e{n}.png", (8, 8))
    options = ("--sheet", tmp_path / "s.csv", "--test-percent", 0, "--val-percent", 0)
    (tmp_path / "s.csv").write_text("file,grade,patient\ne0.png,normal,a\ne1.png,normal,\ne2.png,normal?,b\n")
    code, output = convert("graded_sheet", tmp_path / "in", *options)
    errors = capsys.readouterr().err
    assert code == 1 and list(grades(output / "train_grading.json")) == ["e0", "e1"]
    assert "1 rows of s.csv have no patient, such as that of e1.png" in errors and "found 'normal?'" in errors
    with pandas.ExcelWriter(tmp_path / "two.xlsx") as writer:
        for name in ("one", "two"):
            pandas.DataFrame({"file": ["e0.png"], "grade": ["normal"]}).to_excel(writer, sheet_name=name, index=False)
    assert convert("graded_sheet", tmp_path / "in", "--sheet", tmp_path / "two.xlsx")[0] == 2
    assert "several sheets: one, two; save one of them alone" in capsys.readouterr().err


def test_a_pattern_that_finds_nobody_is_refused(tmp_path, capsys):
    for name in ("p1a", "p2a", "x"):
        photograph(tmp_path / "in/normal" / f"{name}.png", (8, 8))
    options = ("--test-percent", 0, "--val-percent", 0, "--patient")
    assert convert("graded_folders", tmp_path / "in", *options, "^none")[0] == 2
    assert "--patient ^none: expected a patient in names such as" in capsys.readouterr().err
    assert convert("graded_folders", tmp_path / "in", *options, r"^p(\d)")[0] == 1
    assert "finds nobody in 1 names, such as x.png" in capsys.readouterr().err


def test_labels_in_two_columns(tmp_path, capsys):
    photograph(tmp_path / "in/val/Images/V0001.jpg")
    refuge_mask(tmp_path / "in/val/gts/V0001.png")
    (tmp_path / "in/val/s.csv").write_text("ImgName,Grade,Label\nV0001.jpg,1,0\n")
    assert convert("refuge", tmp_path / "in")[0] == 1
    assert "two label columns" in capsys.readouterr().err
    (tmp_path / "in/val/s.csv").write_text("ImgName,Grade,Glaucoma Label\nV0001.jpg,1,0\n")
    code, output = convert("refuge", tmp_path / "in")
    assert code == 0 and grades(output / "val.json") == {"V0001": "normal"}


def test_cropped_copies_are_left_alone_and_cropped_photographs_are_not(tmp_path, capsys):
    for folder in ("normal", "normal_cropped", "glaucoma_cropped"):
        photograph(tmp_path / "in" / folder / f"{folder}.png", (8, 8))
    options = ("--test-percent", 0, "--val-percent", 0)
    code, output = convert("graded_folders", tmp_path / "in", *options)
    errors = capsys.readouterr().err
    assert code == 1 and list(grades(output / "train_grading.json")) == ["normal"]
    assert "ambiguous folder" in errors and "glaucoma_cropped" in errors and "normal_cropped" not in errors


def test_twins_of_one_name_are_one_photograph(tmp_path, capsys):
    for name in ("a.png", "a.jpg", "b.png"):
        photograph(tmp_path / "in/normal" / name, (8, 8))
    code, output = convert("graded_folders", tmp_path / "in", "--test-percent", 0, "--val-percent", 0)
    assert code == 1 and len(grades(output / "train_grading.json")) == 2
    assert "expected one of each photograph" in capsys.readouterr().err


def test_masks_that_are_no_discs_are_told(tmp_path, capsys):
    for n in range(2):
        photograph(tmp_path / "in/images" / f"{n}.png")
        thin = np.zeros((44, 40), bool)
        thin[np.arange(5, 40), np.arange(3, 38)] = True
        save(tmp_path / "in/masks" / f"{n}.png", thin * 255)
    assert convert("masked", tmp_path / "in")[0] == 1
    assert "2 of 2 masks have not the size or the shape of a disc" in capsys.readouterr().err


def test_structures_go_before_masks_in_folders(tmp_path):
    for structure, mask in (("disc", DISC), ("cup", CUP)):
        save(tmp_path / "in" / structure / "masks/a.png", mask * 255)
    photograph(tmp_path / "in/images/a.png")
    code, output = convert("masked", tmp_path / "in")
    assert code == 0
    np.testing.assert_array_equal(masks(output / "test.json"), [DISC, CUP])
