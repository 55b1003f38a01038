"""Small data sets on disk for the tests of the converters: 40 x 44 pixels, a disc 20 high, a cup 10 high."""

import json
import os
import zlib
from pathlib import Path

import numpy as np
import pandas
from PIL import Image

SHAPE = (44, 40)
DISC = np.zeros(SHAPE, bool)
DISC[10:30, 9:31] = True
CUP = np.zeros(SHAPE, bool)
CUP[15:25, 14:24] = True

# A layout: photograph -> its mask, and label sheet -> its columns (index.json -> its text).
SHEET = {"ImgName": ["V0001.jpg", "V0002.jpg"], "Glaucoma Label": [1, 0], "Fovea_X": [3, 4]}
TEST_SHEET = {"ID": [1, 2], "ImgName": ["T0001.jpg", "T0002.jpg"], "Label(Glaucoma=1)": [0, 1]}
INDEX = {"0": {"ImgName": "V0001.jpg", "Label": 1, "Size_X": 40}, "1": {"ImgName": "V0002.jpg", "Label": 0}}
REFUGE_LAYOUTS = {
    "official": {
        "Training400/Glaucoma/g0001.jpg": "Annotation-Training400/Disc_Cup_Masks/Glaucoma/g0001.bmp",
        "Training400/Non-Glaucoma/n0001.jpg": "Annotation-Training400/Disc_Cup_Masks/Non-Glaucoma/n0001.bmp",
        "REFUGE-Validation400/V0001.jpg": "REFUGE-Validation400-GT/Disc_Cup_Masks/V0001.bmp",
        "REFUGE-Validation400/V0002.jpg": "REFUGE-Validation400-GT/Disc_Cup_Masks/V0002.bmp",
        "Test400/T0001.jpg": "REFUGE-Test-GT/Disc_Cup_Masks/N/T0001.bmp",
        "Test400/T0002.jpg": "REFUGE-Test-GT/Disc_Cup_Masks/G/T0002.bmp",
        "REFUGE-Validation400-GT/Fovea_locations.xlsx": SHEET,
        "Annotation-Training400/Fovea_location.xlsx": {"ImgName": ["g0001.jpg"], "Fovea_X": [1], "Fovea_Y": [0]},
    },
    "official, archive folders doubled, flat test masks": {
        "REFUGE-Training400/REFUGE-Training400/Training400/Glaucoma/g0001.jpg": (
            "Annotation-Training400/Annotation-Training400/Disc_Cup_Masks/Glaucoma/g0001.bmp"
        ),
        "REFUGE-Training400/REFUGE-Training400/Training400/Non-Glaucoma/n0001.jpg": (
            "Annotation-Training400/Annotation-Training400/Disc_Cup_Masks/Non-Glaucoma/n0001.bmp"
        ),
        "REFUGE-Validation400/REFUGE-Validation400/V0001.jpg": (
            "REFUGE-Validation400-GT/REFUGE-Validation400-GT/Disc_Cup_Masks/V0001.bmp"
        ),
        "REFUGE-Validation400/REFUGE-Validation400/V0002.jpg": (
            "REFUGE-Validation400-GT/REFUGE-Validation400-GT/Disc_Cup_Masks/V0002.bmp"
        ),
        "REFUGE-Test400/Test400/T0001.jpg": "REFUGE-Test-GT/Disc_Cup_Masks/T0001.bmp",
        "REFUGE-Test400/Test400/T0002.jpg": "REFUGE-Test-GT/Disc_Cup_Masks/T0002.bmp",
        "REFUGE-Validation400-GT/Fovea_locations.xlsx": SHEET,
        "REFUGE-Test-GT/Glaucoma_label_and_Fovea_location.xlsx": TEST_SHEET,
    },
    "Kaggle, gts": {
        "train/Images/g0001.jpg": "train/gts/g0001.bmp",
        "train/Images/n0001.jpg": "train/gts/n0001.bmp",
        "val/Images/V0001.jpg": "val/gts/V0001.png",
        "val/Images/V0002.jpg": "val/gts/V0002.png",
        "val/index.json": INDEX,
        "test/Images/T0001.jpg": "test/gts/T0001.png",
        "test/index.json": {"0": {"ImgName": "T0001.jpg", "Fovea_X": 1.0}},
    },
    "Kaggle, Masks": {
        "REFUGE/train/Images/g0001.jpg": "REFUGE/train/Masks/g0001.png",
        "REFUGE/train/Images/n0001.jpg": "REFUGE/train/Masks/n0001.png",
        "REFUGE/val/Images/V0001.jpg": "REFUGE/val/Masks/V0001.png",
        "REFUGE/val/Images/V0002.jpg": "REFUGE/val/Masks/V0002.png",
        "REFUGE/val/index.json": INDEX,
        "REFUGE/test/Images/T0001.jpg": "REFUGE/test/Masks/T0001.png",
    },
}
REFUGE_GRADES = {
    "train": {"g0001": "glaucoma", "n0001": "normal"},
    "val": {"V0001": "glaucoma", "V0002": "normal"},
    "test": {"T0001": "normal", "T0002": "glaucoma"},
}
REFUGE2 = {
    "Train/REFUGE1-train/Training400/Glaucoma/g0001.jpg": "Train/REFUGE1-train/Disc_Cup_Masks/Glaucoma/g0001.bmp",
    "Train/REFUGE1-val/REFUGE-Validation400/V0001.jpg": "Train/REFUGE1-val/Disc_Cup_Masks/V0001.bmp",
    "Train/REFUGE1-val/Fovea_locations.xlsx": {"ImgName": ["V0001.jpg"], "Glaucoma Label": [0]},
    "Train/REFUGE1-test/Test400/T0001.jpg": "Train/REFUGE1-test/Disc_Cup_Masks/T0001.bmp",
    "Train/REFUGE1-test/Glaucoma_label_and_Fovea_location.xlsx": TEST_SHEET,
    "Validation/Images/V0001.jpg": "Validation/Disc_Masks/V0001.png",
    "Validation/glaucoma.csv": {"FileName": ["V0001.jpg"], "Glaucoma Risk": [1]},
    "Validation/fovea.csv": {"FileName": ["V0001.jpg"], "Fovea_X": [5], "Fovea_Y": [6]},
    "Test/refuge2-test/T0001.jpg": "Test/Disc_Mask/T0001.png",
}


def photograph(path: Path, shape: tuple[int, int] = SHAPE) -> Path:
    """Write a photograph of noise, another for every path; its end counts, for temporary folders change their names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(zlib.crc32(os.fsencode("/".join(path.parts[-4:])))).integers(
        0, 255, (*shape, 3), dtype=np.uint8
    )
    Image.fromarray(pixels).save(path)
    return path


def refuge_mask(path: Path, *, coding: str = "official", disc: np.ndarray = DISC, cup: np.ndarray = CUP) -> Path:
    """Write a mask in REFUGE's coding, or in that of a repack (0 background, 1 rim, 2 cup)."""
    inside, rim, outside = (0, 128, 255) if coding == "official" else (2, 1, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.where(cup, inside, np.where(disc, rim, outside)).astype(np.uint8)).save(path)
    return path


def soft_map(path: Path, levels: np.ndarray) -> Path:
    """Write a soft map; a boolean array is four experts or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((levels * np.uint8(255) if levels.dtype == bool else levels).astype(np.uint8)).save(path)
    return path


def drishti(
    root: Path,
    number: int,
    *,
    nesting: str = "",
    images: str = "Images",
    part: str = "Training",
    gt: str = "GT",
    first: int = 1,
) -> Path:
    """Write photographs and soft maps in Drishti-GS1's layout; `images="graded"`: even numbers are GLAUCOMA."""
    for n in range(first, first + number):
        stem, folder = f"drishtiGS_{n:03d}", root / nesting / part
        below = f"Images/{'NORMAL' if n % 2 else 'GLAUCOMA'}" if images == "graded" else images
        photograph(folder / below / f"{stem}.png")
        soft_map(folder / gt / stem / "SoftMap" / f"{stem}_ODsegSoftmap.png", DISC)
        soft_map(folder / gt / stem / "SoftMap" / f"{stem}_cupsegSoftmap.png", CUP)
    return root


def refuge(root: Path, layout: dict) -> Path:
    """Write one of REFUGE_LAYOUTS: photographs with their masks, and label sheets. Returns root."""
    for file, content in layout.items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            photograph(path)
            refuge_mask(root / content, coding="012" if "/Masks/" in content else "official")
        elif path.suffix == ".json":
            path.write_text(json.dumps(content))
        elif path.suffix == ".csv":
            pandas.DataFrame(content).to_csv(path, index=False)
        else:
            pandas.DataFrame(content).to_excel(path, index=False)
    return root
