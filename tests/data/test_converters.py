"""Converters on small folders in every layout known: what lands in the JSON."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image
from pycocotools import mask as mask_util

from fundus_plugins.cli.main import main
from fundus_plugins.data.coco import AnnotatedImage
from fundus_plugins.data.converters import CONVERTERS
from fundus_plugins.data.converters.convert import hold_out
from fundus_plugins.data.converters.refuge import list_records
from fundus_plugins.photographs.folders import walk_files
from fundus_plugins.photographs.masks import read_disc_and_cup
from tests.data.converting import convert, grades
from tests.data.folders import (
    CUP,
    DISC,
    REFUGE2,
    REFUGE_GRADES,
    REFUGE_LAYOUTS,
    SHAPE,
    drishti,
    photograph,
    refuge,
    refuge_mask,
    soft_map,
)
from tests.fuzz.public_sets import SETS

ROOT = Path(__file__).parents[2]


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def masks(document: dict) -> list[np.ndarray]:
    return [mask_util.decode(annotation["segmentation"]).astype(bool) for annotation in document["annotations"]]


@pytest.mark.parametrize("name", REFUGE_LAYOUTS)
def test_refuge_layouts(tmp_path, name):
    root = refuge(tmp_path / "in", REFUGE_LAYOUTS[name])
    code, output = convert("refuge", root)
    assert code == 0
    for split, expected in REFUGE_GRADES.items():
        document = read(output / f"{split}.json")
        found = grades(output / f"{split}.json")
        assert found == (expected if "official" in name or split != "test" else {"T0001": None})
        assert [image["id"] for image in document["images"]] == list(range(1, len(found) + 1))
        assert all((output / image["file_name"]).resolve().is_file() for image in document["images"])
        np.testing.assert_array_equal(masks(document), [DISC, CUP] * len(found))
        assert [image["vcdr"] for image in document["images"]] == [0.5] * len(found)
        graded = read(output / f"{split}_grading.json")
        assert len(graded["annotations"]) == sum(grade is not None for grade in found.values())
    assert not (output / "fit.json").exists()  # REFUGE has a validation split of its own


def test_a_sheet_of_grades_tells_suspicious_from_normal(tmp_path):
    root = refuge(tmp_path / "in", REFUGE_LAYOUTS["official"])
    (root / "phantom_grades.csv").write_text(
        "ImgName,Grade\nn0001.jpg,suspicious\nV0002.jpg,normal\nT0002.jpg,glaucoma\n"
    )
    code, output = convert("refuge", root)
    assert code == 0
    assert grades(output / "train.json") == {"g0001": "glaucoma", "n0001": "suspicious"}
    assert grades(output / "val.json") == REFUGE_GRADES["val"]
    (root / "phantom_grades.csv").write_text("ImgName,Grade\ng0001.jpg,suspicious\n")
    assert convert("refuge", root)[0] == 1  # a folder says glaucoma


def test_refuge2_repack(tmp_path):
    root = refuge(tmp_path / "in", REFUGE2)
    pandas.DataFrame([["T0001.jpg", 1]]).to_excel(root / "Test/task1.xlsx", index=False, header=False)
    (root / "Test/task1.xlsx").rename(root / "Test/task1.xls")
    code, output = convert("refuge", root)
    assert code == 0
    assert grades(output / "train.json") == {"T0001": "normal", "V0001": "normal", "g0001": "glaucoma"}
    assert grades(output / "val.json") == {"V0001": "glaucoma"} and grades(output / "test.json") == {
        "T0001": "glaucoma"
    }
    assert read(output / "train.json")["info"]["edition"] == "REFUGE2"


def test_refuge1_inside_refuge2_keeps_its_own_splits(tmp_path):
    root = refuge(tmp_path / "in", REFUGE2)
    code, output = convert("refuge", root / "Train")
    output = root / "out"
    assert code == 0 and "edition" not in read(output / "train.json")["info"]
    assert [grades(output / f"{split}.json") for split in ("train", "val", "test")] == [
        {"g0001": "glaucoma"},
        {"V0001": "normal"},
        {"T0001": "normal"},
    ]


def test_refuge_skips_litter_and_prefers_the_original_coding(tmp_path):
    root = refuge(tmp_path / "in", {"train/Images/g0001.jpg": "train/gts/g0001.bmp"})
    refuge_mask(root / "train/Masks/g0001.png", coding="012")
    photograph(root / "__MACOSX/train/Images/._g0001.jpg")
    photograph(root / "train/Images/._g0001.jpg")
    photograph(root / "train/Images/Annotation_Illustration.png")
    photograph(root / "train/Images_Cropped/g0001.jpg")
    refuge_mask(root / "train/Masks_Square/g0001.png", coding="012")
    listing = list_records(root)
    assert not listing.problems
    assert [record.read_masks.args[0] for record in listing.records] == [root / "train/gts/g0001.bmp"]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "blurred"])
def test_refuge_masks_in_every_guise(tmp_path, mode):
    path = tmp_path / "mask.png"
    image = Image.fromarray(np.where(CUP, 0, np.where(DISC, 128, 255)).astype(np.uint8))
    if mode == "blurred":  # values a little off, as a lossy copy has them
        image = Image.fromarray(np.where(CUP, 9, np.where(DISC, 120, 250)).astype(np.uint8))
    elif mode == "P":
        codes = np.where(CUP, 2, np.where(DISC, 1, 0)).astype(np.uint8)
        image = Image.fromarray(codes, mode="L").convert("P")
        image.putdata(codes.ravel().tolist())
        image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    else:
        image = image.convert(mode)
    image.save(path)
    disc, cup = read_disc_and_cup(path, SHAPE)
    np.testing.assert_array_equal([disc, cup], [DISC, CUP])


def test_an_empty_cup_is_not_an_unknown_one(tmp_path):
    root = refuge(tmp_path / "in", {"train/Images/n0001.jpg": "train/gts/n0001.png"})
    Image.fromarray(np.where(DISC, 128, 255).astype(np.uint8)).save(root / "train/gts/n0001.png")
    code, output = convert("refuge", root)
    document = read(output / "train.json")
    assert code == 0 and document["images"][0]["vcdr"] == 0.0
    assert document["annotations"][1]["category_id"] == 2 and document["annotations"][1]["area"] == 0

    root = drishti(tmp_path / "drishti", 1)
    next(root.rglob("*cupsegSoftmap.png")).unlink()
    code, output = convert("drishti_gs1", root, "--holdout", "0")
    document = read(output / "train.json")
    assert code == 0 and document["images"][0]["vcdr"] is None
    assert [annotation["category_id"] for annotation in document["annotations"]] == [1]


@pytest.mark.parametrize("nesting", ["", "Drishti-GS1_files", "Drishti-GS1_files/Drishti-GS1_files"])
@pytest.mark.parametrize("images, gt", [("Images", "Test_GT"), ("Images/ALL", "GT"), ("graded", "Test_GT")])
def test_drishti_layouts(tmp_path, nesting, images, gt):
    root = drishti(tmp_path / "in", 4, nesting=nesting, images=images)
    drishti(tmp_path / "in", 2, nesting=nesting, images=images, part="Test", gt=gt, first=5)
    code, output = convert("drishti_gs1", root, "--holdout", "2")
    assert code == 0
    graded = images == "graded"
    assert grades(output / "train.json") == {
        f"drishtiGS_{n:03d}": ("normal" if n % 2 else "glaucoma") if graded else None for n in (1, 2, 3, 4)
    }
    assert list(grades(output / "test.json")) == ["drishtiGS_005", "drishtiGS_006"]
    assert len(grades(output / "fit.json")) == len(grades(output / "val.json")) == 2
    np.testing.assert_array_equal(masks(read(output / "test.json")), [DISC, CUP] * 2)


def test_drishti_grades_from_the_notching_sheet_come_first(tmp_path):
    root = drishti(tmp_path / "in", 3)
    headings = ["IMAGE NUMBER", "TILT(Y/N)", "Notching direction(I/S/N/T/Absent)", "Normal/Glaucomal"]
    rows = [[1, "N", "I", "G"], [2, "Y", "A", "N"]]
    pandas.DataFrame(rows, columns=headings).to_excel(root / "Training/GT/Notching.xlsx", index=False)
    rows = [
        [None, None, "Drishti-GS1", None],
        ["Patient", "Drishti-GS File", "Expert 1", "Total"],
        [None, None, "decision", None],
        [1, "drishtiGS_001'", "x", "Normal"],
        [1, "drishtiGS_003'", "x", "Glaucomatous"],
    ]
    pandas.DataFrame(rows).to_excel(root / "Drishti-GS1_diagnosis.xlsx", index=False, header=False)
    code, output = convert("drishti_gs1", root, "--holdout", "0")
    assert code == 0
    assert list(grades(output / "train.json").values()) == ["glaucoma", "normal", "glaucoma"]
    assert read(output / "train.json")["info"]["grades_from"] == "notching, diagnosis"


@pytest.mark.parametrize("consensus, width", [(2, 8), (3, 6), (4, 4)])
def test_consensus_and_the_rounding_of_soft_maps(tmp_path, consensus, width):
    root = drishti(tmp_path / "in", 1)
    levels = np.zeros(SHAPE, np.uint8)
    # Columns of 1, 2, 3 and 4 experts; some values off by a little, as copies have them.
    for left, value in ((8, 64), (10, 126), (12, 192), (14, 250)):
        levels[10:30, left : left + 2] = levels[10:30, 26 - left : 28 - left] = value
    levels[10:30, 16:18] = 255
    soft_map(next(root.rglob("*ODsegSoftmap.png")), levels)
    soft_map(next(root.rglob("*cupsegSoftmap.png")), np.zeros(SHAPE, np.uint8))
    code, output = convert("drishti_gs1", root, "--holdout", "0", "--consensus", str(consensus))
    document = read(output / "train.json")
    assert code == 0 and document["info"]["options"] == {"consensus": consensus}
    disc = masks(document)[0]
    assert disc.sum() == np.isin(levels, [value for value in (126, 192, 250, 255)][consensus - 2 :]).sum()
    assert disc[:, :13].any(axis=0).sum() <= width


def test_hold_out_is_stratified_and_reproducible(tmp_path):
    images = [
        AnnotatedImage(Path(f"{n:02d}.png"), 1, 1, {}, None, None, "glaucoma" if n % 5 < 3 else "normal")
        for n in range(50)
    ]
    fit, val = hold_out(images, 10, seed=0)
    assert sorted(fit + val, key=images.index) == images and len(val) == 10
    assert sum(image.grade == "glaucoma" for image in val) == 6
    assert hold_out(images, 10, seed=0)[1] == val != hold_out(images, 10, seed=1)[1]
    assert [len(part) for part in hold_out(images[:7], 3, seed=0)] == [4, 3]


def test_the_tool_itself_with_processes_and_a_contact_sheet(tmp_path):
    root = drishti(tmp_path / "in", 12)
    command = [sys.executable, "tools/convert_dataset.py", "drishti_gs1", "--root", str(root), "--processes", "2"]
    command += ["--preview", str(tmp_path / "sheet.png"), "--output", str(tmp_path / "two")]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "no usable photographs for test" in done.stdout
    table = {line.split()[0]: line.split()[1:5] for line in done.stdout.splitlines() if line}
    assert table["train"] == ["12", "12", "12", "0/0/0/12"] and table["val"] == ["10", "10", "10", "0/0/0/10"]
    # 12 photographs: three rows of four tiles of 320 pixels, each with a caption.
    assert Image.open(tmp_path / "sheet.png").size == (1280, 3 * 346)
    # The same bytes from one process.
    assert main(["convert", *command[2:-2], "--processes", "1", "--output", str(tmp_path / "one")]) == 0
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["fit.json", "fit_grading.json", "train.json", "train_grading.json", "val.json", "val_grading.json"]
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in names)
    assert read(tmp_path / "one/val.json")["info"]["options"] == {"consensus": 3, "holdout": 10, "seed": 0}


def test_the_output_may_lie_behind_a_symbolic_link(tmp_path):
    root = drishti(tmp_path / "in", 1)
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep/er", target_is_directory=True)
    assert (
        main(["convert", "drishti_gs1", "--root", str(root), "--output", str(tmp_path / "link"), "--processes", "1"])
        == 0
    )
    image = read(tmp_path / "link/train.json")["images"][0]
    assert Image.open(f"{tmp_path}/link/{image['file_name']}").size == (SHAPE[1], SHAPE[0])


def test_table_of_names_and_depth_of_search(tmp_path):
    assert {name: converter.splits for name, converter in CONVERTERS.items()} == {
        "refuge": ("train", "val", "test"),
        "drishti_gs1": ("train", "test"),
        "rim_one_dl": ("train", "test"),
        "gamma": ("train", "val", "test"),
        "odir": ("train", "val", "test"),
        **dict.fromkeys(SETS, ("train", "val", "test")),
        "graded_folders": ("train", "val", "test"),
        "graded_sheet": ("train", "val", "test"),
        "masked": ("train", "val", "test"),
        "labelme": ("train", "val", "test"),
    }
    photograph(tmp_path / "/".join("abcdefghijkl") / "far.png")
    photograph(tmp_path / "a/near.png")
    assert walk_files(tmp_path) == [Path("a/near.png")]
