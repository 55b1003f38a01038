"""What converters once did wrong with exit code 0, of masks: suffixes, polarity, turns."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from tests.data.converting import convert, grades, masks, save
from tests.data.folders import CUP, DISC, photograph, refuge_mask


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


def test_masks_that_are_no_discs_are_told(tmp_path, capsys):
    for n in range(2):
        photograph(tmp_path / "in/images" / f"{n}.png")
        thin = np.zeros((44, 40), bool)
        thin[np.arange(5, 40), np.arange(3, 38)] = True
        save(tmp_path / "in/masks" / f"{n}.png", thin * 255)
    assert convert("masked", tmp_path / "in")[0] == 1
    assert "2 of 2 masks have not the size or the shape of a disc" in capsys.readouterr().err
