"""Every kind of bad input: named, counted, left out, told by the exit code; and fatal with --strict."""

import json
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image

from fundus_plugins.cli.main import main
from tests.data.folders import CUP, DISC, SHAPE, drishti, photograph, refuge_mask, soft_map


def convert(dataset: str, root: Path, *options: str) -> int:
    return main(
        ["convert", dataset, "--root", str(root), "--output", str(root.parent / "out"), "--processes", "1", *options]
    )


def names(root: Path) -> list[str]:
    document = json.loads((root.parent / "out" / "train.json").read_text())
    return [Path(image["file_name"]).stem for image in document["images"]]


@pytest.fixture
def refuge_root(tmp_path):
    """Three good photographs g0001..g0003 in REFUGE's layout."""
    for n in (1, 2, 3):
        photograph(tmp_path / f"in/train/Images/g000{n}.png")
        refuge_mask(tmp_path / f"in/train/gts/g000{n}.png")
    return tmp_path / "in"


def no_mask(root):
    (root / "train/gts/g0002.png").unlink()
    return "missing mask", "g0002.png", "a mask g0002.bmp or .png in train", "none"


def no_photograph(root):
    (root / "train/Images/g0002.png").unlink()
    return "missing photograph", "gts/g0002.png", "a photograph g0002.jpg", "none"


def other_size(root):
    refuge_mask(root / "train/gts/g0002.png", disc=DISC[:40], cup=CUP[:40])
    return "size mismatch", "gts/g0002.png", "40 x 44 pixels", "40 x 40 pixels"


def no_image(root):
    (root / "train/Images/g0002.png").write_text("not a picture")
    return "unreadable photograph", "Images/g0002.png", "an image file", "cannot identify"


def cut_off(root):
    file = root / "train/Images/g0002.png"
    file.write_bytes(file.read_bytes()[:2000])
    return "unreadable photograph", "Images/g0002.png", "an image file", "truncated"


def unreadable_mask(root):
    (root / "train/gts/g0002.png").write_bytes(b"")
    return "unreadable mask", "gts/g0002.png", "an image file", "cannot identify"


def inverted_mask(root):
    Image.fromarray(np.where(CUP, 255, np.where(DISC, 128, 0)).astype(np.uint8)).save(root / "train/gts/g0002.png")
    return "unknown mask values", "gts/g0002.png", "255 background", "0, 128, 255 (most of the border would be disc)"


def foreign_values(root):
    Image.fromarray(np.where(CUP, 60, np.where(DISC, 128, 255)).astype(np.uint8)).save(root / "train/gts/g0002.png")
    return "unknown mask values", "gts/g0002.png", "0 cup, 128 rim", "60, 128, 255"


def binary_mask(root):
    Image.fromarray(np.where(DISC, 0, 255).astype(np.uint8)).save(root / "train/gts/g0002.png")
    return "unknown mask values", "gts/g0002.png", "0 cup, 128 rim", "0, 255"


def coloured_mask(root):
    photograph(root / "train/gts/g0002.png")
    return "unknown mask values", "gts/g0002.png", "at most 8 colours", " colours"


def deep_mask(root):
    Image.fromarray(np.where(DISC, 128, 60000).astype(np.uint16)).save(root / "train/gts/g0002.png")
    return "unknown mask values", "gts/g0002.png", "8 bits", "16"


def empty_mask(root):
    refuge_mask(root / "train/gts/g0002.png", disc=DISC & False, cup=CUP & False)
    return "empty disc", "g0002.png", "a mask with a disc", "none"


def twice(root):
    photograph(root / "train/Images/again/g0002.png")
    return "duplicate id", "Images/g0002.png", "one g0002 in train", "also"


def two_grades(root):
    (root / "train/index.json").write_text(json.dumps({"0": {"ImgName": "g0002.png", "Label": 1}}))
    for kind in ("Images", "gts"):
        (root / f"train/{kind}/Non-Glaucoma").mkdir()
        (root / f"train/{kind}/g0002.png").rename(root / f"train/{kind}/Non-Glaucoma/g0002.png")
    return "conflicting grades", "g0002.png", "one grade", "glaucoma and normal"


BREAKAGES = [
    no_mask,
    no_photograph,
    other_size,
    no_image,
    cut_off,
    unreadable_mask,
    inverted_mask,
    foreign_values,
    binary_mask,
    coloured_mask,
    deep_mask,
    empty_mask,
    twice,
    two_grades,
]


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_bad_input_is_named_and_the_rest_goes_on(refuge_root, capsys, breakage):
    kind, file, expected, found = breakage(refuge_root)
    assert convert("refuge", refuge_root, "--strict") == 2
    assert not (refuge_root.parent / "out").exists()
    assert convert("refuge", refuge_root) == 1
    assert names(refuge_root) == ["g0001", "g0003"]
    lines = capsys.readouterr().err.splitlines()
    (line,) = {line for line in lines if line.startswith("left out: ")}
    assert line.startswith(f"left out: {kind}: {refuge_root.resolve()}")
    before, after = line.split(": expected ")
    assert before.endswith(file) and expected in after.split(", found ")[0] and found in after.split(", found ", 1)[1]
    assert lines[-1] == f"1 x {kind}"


@pytest.mark.parametrize(
    "name, content, kind", [("glaucoma.csv", "FileName,Glaucoma Risk\ng0001.png,7\n", "unknown grade")]
    + [(name, "no sheet", "unreadable label sheet") for name in ("index.json", "labels.xlsx")]
)  # fmt: skip
def test_a_bad_label_is_told_and_the_photographs_stay(refuge_root, capsys, name, content, kind):
    content = b"PK\x03\x04 cut off" if name.endswith("xlsx") else content.encode()
    (refuge_root / "train" / name).write_bytes(content)
    assert convert("refuge", refuge_root) == 1
    assert names(refuge_root) == ["g0001", "g0002", "g0003"]
    assert f"left out: {kind}: {refuge_root.resolve() / 'train' / name}: expected" in capsys.readouterr().err


def test_a_split_without_any_masks_is_one_line(refuge_root, capsys):
    for n in range(30):
        photograph(refuge_root / f"Test400/T{n:04d}.png")
    assert convert("refuge", refuge_root) == 1
    captured = capsys.readouterr()
    assert captured.err.count("left out:") == 1 and "30 photographs without any" in captured.err
    assert "no usable photographs for test" in captured.out

    root = drishti(refuge_root.parent / "drishti", 3)
    for n in (7, 8):
        photograph(root / f"Test/Images/drishtiGS_00{n}.png")
    assert convert("drishti_gs1", root) == 1
    captured = capsys.readouterr()
    assert captured.err.count("left out:") == 1 and "2 photographs without" in captured.err
    assert "cannot hold out 10 of 3" in captured.out


@pytest.mark.parametrize("outside, code", [(0, 0), (1, 0), (9, 1)])
def test_a_cup_outside_the_disc_is_clipped_or_left_out(tmp_path, capsys, outside, code):
    root = drishti(tmp_path / "in", 2)
    cup = np.zeros(SHAPE, bool)
    cup[12:28, 12:28] = True  # 256 pixels
    cup[35, :outside] = True
    soft_map(next(root.rglob("drishtiGS_002_cupsegSoftmap.png")), cup)
    assert convert("drishti_gs1", root) == code
    errors = capsys.readouterr().err
    assert names(root) == ["drishtiGS_001"] + ["drishtiGS_002"] * (code == 0)
    if outside == 1:
        assert "repaired: cup clipped to disc" in errors and "1 of 257 pixels outside" in errors
        document = json.loads((tmp_path / "out/train.json").read_text())
        assert document["annotations"][3]["area"] == 256
        assert convert("drishti_gs1", root, "--strict") == 2
    elif outside:
        assert "left out: cup outside disc" in errors and "9 of 265 pixels outside" in errors


def test_soft_maps_with_other_values_and_stray_parts(tmp_path, capsys):
    root = drishti(tmp_path / "in", 5)
    levels = np.where(DISC, 255, 0).astype(np.uint8)
    levels[20, 20], levels[20, 21] = 100, 55
    soft_map(next(root.rglob("drishtiGS_001_ODsegSoftmap.png")), levels)
    next(root.rglob("drishtiGS_002_ODsegSoftmap.png")).unlink()
    next(root.rglob("Images/drishtiGS_003.png")).unlink()
    photograph(root / "Training/Images/ALL/drishtiGS_004.png")
    frame = pandas.DataFrame({"IMAGE NUMBER": [5, 1], "Normal/Glaucomal": ["G", "?"]})
    frame.to_excel(root / "Training/GT/Notching.xlsx", index=False)
    assert convert("drishti_gs1", root) == 1
    assert names(root) == ["drishtiGS_005"]
    errors = capsys.readouterr().err
    assert "expected 0, 64, 128, 191, 255 (within 8), found 55, 100" in errors
    assert "expected a soft map drishtiGS_002_ODsegSoftmap.png" in errors
    counted = set(errors.splitlines()[-5:])
    assert counted == {
        "1 x unknown mask values",
        "1 x missing mask",
        "2 x missing photograph",
        "1 x duplicate id",
        "1 x unknown grade",
    }


@pytest.mark.parametrize("dataset, other", [("refuge", "drishti_gs1"), ("drishti_gs1", "refuge"), ("refuge", None)])
def test_a_folder_that_is_not_the_set(tmp_path, refuge_root, capsys, dataset, other):
    root = {"refuge": refuge_root, None: tmp_path / "void"}.get(other) or drishti(tmp_path / "drishti", 3)
    root.mkdir(exist_ok=True)
    assert convert(dataset, root) == 2
    errors = capsys.readouterr().err.strip()
    assert "\n" not in errors and str(root) in errors and "looked for" in errors
    assert errors.endswith(
        {"refuge": "the folder holds: train", None: "nothing"}.get(other, "the folder holds: Training")
    )
    assert not (tmp_path / "out").exists()


def test_no_folder_at_all_and_an_output_that_cannot_be(tmp_path, refuge_root, capsys):
    assert convert("refuge", tmp_path / "nowhere") == 2
    assert "nowhere is not a folder" in capsys.readouterr().err
    (tmp_path / "out").write_text("a file is in the way")
    assert convert("refuge", refuge_root) == 2
    assert "out" in capsys.readouterr().err.splitlines()[-1]


def test_nothing_usable_writes_nothing(refuge_root, capsys):
    for mask in (refuge_root / "train/gts").iterdir():
        mask.write_bytes(b"")
    assert convert("refuge", refuge_root) == 2
    assert not (refuge_root.parent / "out").exists()
    errors = capsys.readouterr().err
    assert "3 x unreadable mask" in errors and errors.strip().endswith("nothing was written")


def test_options_out_of_range(tmp_path, capsys):
    for options in (["--consensus", "5"], ["--holdout", "-1"], ["--processes", "0"]):
        assert convert("drishti_gs1", tmp_path, *options) == 2
        assert f"error: Invalid value for '{options[0]}'" in capsys.readouterr().err
