"""GAMMA and ODIR in folders that the tests make: which photograph gets which grade, and what is left out and why."""

import json
from collections import Counter
from pathlib import Path

import pandas
import pytest

from fundus_plugins.cli.main import main
from fundus_plugins.data.converters.odir import grade_of
from tests.data.folders import photograph

SPLITS = ("train", "val", "test")


def convert(dataset, root, *options):
    """The exit code, every photograph's grade by its stem, and the patients of each split."""
    output = root.parent / "out"
    words = ["convert", dataset, "--root", str(root), "--output", str(output), "--processes", "1"]
    code = main([*words, *map(str, options)])
    images, patients = {}, {}
    for split in SPLITS:
        path = output / f"{split}_grading.json"
        found = json.loads(path.read_text())["images"] if path.is_file() else []
        images |= {Path(image["file_name"]).stem: image["grade"] for image in found}
        patients[split] = {image.get("patient") for image in found}
    return code, images, patients


def gamma(root, numbers=5):
    """The original layout: a folder for each number, slices of the OCT below it, an Excel file."""
    grades = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    rows = [(n, *grades[n % 3]) for n in range(1, numbers + 1)]
    for number, *_ in rows:
        photograph(root / "multi-modality_images" / f"{number:04d}" / f"{number:04d}.jpg", (8, 8))
    photograph(root / "multi-modality_images/0001/0001/0_image.jpg", (8, 8))
    photograph(root / "multi-modality_images/0001/0001/2.jpg", (8, 8))  # a number, and no photograph of that
    table = pandas.DataFrame(rows, columns=["data", "non", "early", "mid_advanced"])
    table.to_excel(root / "glaucoma_grading_training_GT.xlsx", index=False)
    return root, table


def test_gamma_as_it_was_published(tmp_path, capsys):
    root, table = gamma(tmp_path / "in")
    code, images, _ = convert("gamma", root, "--test-percent", 0, "--val-percent", 0)
    expected = {"0001": "suspicious", "0002": "glaucoma", "0003": "normal", "0004": "suspicious", "0005": "glaucoma"}
    assert code == 0 and images == expected

    table.loc[0, "mid_advanced"] = 1  # two grades
    table.loc[5] = [9, 1, 0, 0]  # no photograph
    table.to_excel(root / "glaucoma_grading_training_GT.xlsx", index=False)
    code, images, _ = convert("gamma", root, "--test-percent", 0, "--val-percent", 0)
    assert code == 1 and "0001" not in images and len(images) == 4
    errors = capsys.readouterr().err
    assert "expected a 1 for one of non, early, mid_advanced in row 2, found '0, 1, 1'" in errors
    assert "1 x missing photograph" in errors


def test_gamma_in_one_folder_with_a_sheet(tmp_path, capsys):
    root, names = tmp_path / "in", ["normal", "early", "mid_advanced", "bad"]
    for number in range(1, 41):
        photograph(root / "photographs" / f"{number:04d}.jpg", (8, 8))
    rows = [(f"photographs/{n:04d}.jpg", names[n % 3]) for n in range(1, 40)] + [("photographs/0040.jpg", "bad")]
    pandas.DataFrame(rows, columns=["file", "grade"]).to_csv(root / "grades.csv", index=False)
    code, images, patients = convert("gamma", root)
    assert code == 1 and "expected normal or early or mid_advanced in row 41, found 'bad'" in capsys.readouterr().err
    assert images["0003"] == "normal" and images["0001"] == "suspicious" and images["0002"] == "glaucoma"
    assert len(images) == 39 and patients["train"] == {None}
    (tmp_path / "empty").mkdir()
    assert convert("gamma", tmp_path / "empty")[0] == 2
    assert "does not hold GAMMA: looked for a sheet with the columns data, non" in capsys.readouterr().err
    assert convert("gamma", tmp_path / "empty", "--sheet", root / "grades.csv")[0] == 2
    assert "no row names a photograph" in capsys.readouterr().err


def test_gamma_as_it_is(tmp_path):
    root = Path(__file__).parents[2].parent / "shared" / "data" / "gamma"
    if not root.is_dir():
        pytest.skip("GAMMA is not at hand")
    output = tmp_path / "out"
    assert main(["convert", "gamma", "--root", str(root), "--output", str(output), "--processes", "1"]) == 0
    found = [json.loads((output / f"{split}_grading.json").read_text())["images"] for split in SPLITS]
    grades = Counter(image["grade"] for images in found for image in images)
    assert grades == {"normal": 49, "suspicious": 26, "glaucoma": 24}
    assert all(len({image["grade"] for image in images}) == 3 for images in found)


KEYWORDS = {
    "normal fundus": "normal",
    "Normal Fundus ": "normal",
    "glaucoma": "glaucoma",
    "moderate non proliferative retinopathy，glaucoma": "glaucoma",
    "suspected glaucoma": "suspicious",
    "suspected glaucoma，cataract": "suspicious",
    "normal fundus，drusen": None,
    "cataract": None,
    "lens dust，normal fundus": "lens dust",
    "glaucoma,low image quality": "low image quality",
    "no fundus image": "no fundus image",
    "optic disk photographically invisible": "optic disk photographically invisible",
}


@pytest.mark.parametrize("keywords, grade", KEYWORDS.items())
def test_the_rule_of_keywords(keywords, grade):
    assert grade_of(keywords) == grade


EYES = [  # patient, keywords of the left and of the right eye
    (0, "cataract", "normal fundus"),
    (1, "normal fundus", "normal fundus"),
    (2, "suspected glaucoma", "glaucoma，lens dust"),
    (4, "glaucoma", "macular epiretinal membrane"),
]
ODIR = {"0_right": "normal", "1_left": "normal", "1_right": "normal", "2_left": "suspicious", "4_left": "glaucoma"}


def odir(root, layout):
    """The sheet of the challenge, a row a patient, or Kaggle's, a row an eye; the latter has every picture twice."""
    columns = ["ID", "Patient Age", "Left-Fundus", "Right-Fundus", "Left-Diagnostic Keywords"]
    rows = [(n, 60, f"{n}_left.jpg", f"{n}_right.jpg", left, right, 0) for n, left, right in EYES]
    table = pandas.DataFrame(rows, columns=[*columns, "Right-Diagnostic Keywords", "G"])
    for n, *_ in EYES:
        for eye in ("left", "right"):
            photograph(root / "ODIR-5K/Training Images" / f"{n}_{eye}.jpg", (8, 8))
            if layout == "csv":
                photograph(root / "preprocessed_images" / f"{n}_{eye}.jpg", (6, 6))
    if layout == "csv":
        eyes = [table.assign(filename=table[f"{eye}-Fundus"]) for eye in ("Right", "Left")]
        pandas.concat(eyes).to_csv(root / "full_df.csv", index=False)
    else:
        table.to_excel(root / "ODIR-5K_Training_Annotations(Updated)_V2.xlsx", index=False)
    return root


@pytest.mark.parametrize("layout", ["csv", "xlsx"])
def test_odir_by_the_keywords_of_each_eye(tmp_path, capsys, layout):
    root = odir(tmp_path / "in", layout)
    code, images, patients = convert("odir", root, "--test-percent", 0, "--val-percent", 0)
    told = capsys.readouterr()
    assert code == 1 and images == ODIR and patients["train"] == {"0", "1", "2", "4"}
    assert "1 x lens dust" in told.err and "2_right.jpg: expected a usable photograph" in told.err
    assert "2 eyes of" in told.out and "have other keywords, and so no grade: left out" in told.out
    document = json.loads((tmp_path / "out/train_grading.json").read_text())
    assert {image["height"] for image in document["images"]} == {8}  # not the small copies


def test_odir_says_what_is_wrong(tmp_path, capsys):
    root = odir(tmp_path / "in", "csv")
    table = pandas.read_csv(root / "full_df.csv")
    table.loc[table.filename == "1_left.jpg", "filename"] = "one.jpg"
    table.loc[table.filename == "2_left.jpg", "Left-Diagnostic Keywords"] = None
    table.to_csv(root / "full_df.csv", index=False)
    for folder in (root / "ODIR-5K/Training Images", root / "preprocessed_images"):
        (folder / "4_left.jpg").unlink()
    photograph(root / "again" / "0_right.jpg", (8, 8))
    code, images, _ = convert("odir", root, "--test-percent", 0, "--val-percent", 0)
    errors = capsys.readouterr().err
    assert code == 1 and images == {"1_right": "normal"}
    for kind in ("unknown eye", "no keywords", "missing photograph", "ambiguous photograph"):
        assert f"1 x {kind}" in errors
    (tmp_path / "other.csv").write_text("file,grade\n1.jpg,normal\n")
    assert convert("odir", root, "--sheet", tmp_path / "other.csv")[0] == 2
    assert "expected a sheet with the columns ID, Left-Fundus" in capsys.readouterr().err
