"""What converters once did wrong with exit code 0, of sheets: their cells, names and columns."""

import json
from pathlib import Path

import pandas
import pytest

from tests.data.converting import convert, grades
from tests.data.folders import photograph, refuge_mask


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


def test_labels_in_two_columns(tmp_path, capsys):
    photograph(tmp_path / "in/val/Images/V0001.jpg")
    refuge_mask(tmp_path / "in/val/gts/V0001.png")
    (tmp_path / "in/val/s.csv").write_text("ImgName,Grade,Label\nV0001.jpg,1,0\n")
    assert convert("refuge", tmp_path / "in")[0] == 1
    assert "two label columns" in capsys.readouterr().err
    (tmp_path / "in/val/s.csv").write_text("ImgName,Grade,Glaucoma Label\nV0001.jpg,1,0\n")
    code, output = convert("refuge", tmp_path / "in")
    assert code == 0 and grades(output / "val.json") == {"V0001": "normal"}
