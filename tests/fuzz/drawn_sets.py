"""Data sets drawn in the layouts of their converters, with all that is then known of them."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.data.folders import REFUGE2, REFUGE_LAYOUTS

from .drawing import Data, codes_of
from .mutated_bytes import one


def draw_refuge(data: Data) -> None:
    """One of its layouts; the grades are those of the sheets and folders there."""
    layout = one(data.rng, [*REFUGE_LAYOUTS.values(), REFUGE2])
    named = {"glaucoma": "glaucoma", "g": "glaucoma", "non-glaucoma": "normal", "n": "normal"}
    for name, content in layout.items():
        if isinstance(content, str):
            first = name.lower()
            split = next(s for s in ("train", "val", "test") if s in first.split("/")[0] or s == first.split("/")[1])
            eye = data.photograph(name, split)
            coding = "012" if "/Masks/" in content else "official"
            data.mask(content, eye, codes_of(eye, coding), "disc", "cup")
            for folder in (Path(name).parent.name.lower(), Path(content).parent.name.lower()):
                if folder in named:
                    data.label(eye.stem, named[folder])
        elif name.endswith(".json"):
            data.write(name, json.dumps(content).encode())
        else:
            data.sheet(name, content)
        if not isinstance(content, str):
            entries = list(content.values()) if name.endswith(".json") else _entries(content)
            for entry in entries:
                label = next((x for key, x in entry.items() if "label" in key.lower() or "risk" in key.lower()), None)
                if label is not None:
                    data.label(Path(entry.get("ImgName") or entry["FileName"]).stem, ("normal", "glaucoma")[label])


def _entries(columns: dict[str, list]) -> list[dict]:
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def draw_drishti(data: Data) -> None:
    graded = data.rng.random() < 0.5
    rows = []
    for number in range(1, 7):
        stem, part, gt = f"drishtiGS_{number:03d}", *(("Training", "GT") if number < 5 else ("Test", "Test_GT"))
        grade = "normal" if number % 2 else "glaucoma"
        folder = grade.upper() if graded else "ALL"
        eye = data.photograph(f"{part}/Images/{folder}/{stem}.png", {"Training": "train", "Test": "test"}[part])
        for name, structure in (("OD", "disc"), ("cup", "cup")):
            levels = eye.masks[structure] * np.uint8(255)
            data.mask(f"{part}/{gt}/{stem}/SoftMap/{stem}_{name}segSoftmap.png", eye, levels, structure)
        rows.append((number, grade[0].upper()))
        data.label(stem, grade)
    if not graded:
        columns = dict(zip(("IMAGE NUMBER", "Normal/Glaucomal"), map(list, zip(*rows))))
        data.sheet("Training/GT/Notching.xlsx", columns)
    data.options = ["--holdout", "1"]


def draw_rim_one(data: Data) -> None:
    names = [("r1_Im001", "normal"), ("r1_Im002", "glaucoma"), ("r3_N-1-L", "normal"), ("r3_S-2-R", "glaucoma")]
    for (stem, folder), split in itertools.product(names, ("train", "test")):
        stem = stem if split == "train" else stem.replace("Im0", "Im1").replace("-L", "4-L").replace("-R", "4-R")
        grade = {"r3_N": "normal", "r3_S": "suspicious"}.get(stem[:4], folder)
        eye = data.photograph(
            f"partitioned_randomly/{split}ing_set/{folder}/{stem}.png".replace("testing", "test"), split
        )
        data.label(stem, grade)
        for name in ("Disc", "Cup"):
            codes = (eye.masks[name.lower()] ^ (data.rng.random() < 0.3)) * np.uint8(255)
            data.mask(f"RIM-ONE_DL_reference_segmentations/{folder}/{stem}-1-{name}-T.png", eye, codes, name.lower())
    data.options = ["--holdout", "1"]


def draw_masked(data: Data) -> None:
    discs, cups = one(data.rng, [("masks", "cup"), ("disc", "cup"), ("OD", "OC")])
    suffix = one(data.rng, [".png", ".jpg"])
    for number, split in enumerate(("train", "train", "val", "test", "test")):
        eye = data.photograph(f"{split}/images/e{number}{suffix}", split)
        for folder, structure in ((discs, "disc"), (cups, "cup")):
            codes = eye.masks[structure] * np.uint8(one(data.rng, [1, 255]))
            data.mask(f"{split}/{folder}/e{number}.{one(data.rng, ['png', 'bmp'])}", eye, codes, structure)


_GRADED = ("normal", "suspicious", "glaucoma")


def _draw_graded(data: Data, given: bool) -> list[tuple[str, str, str]]:
    rows = []
    for number, grade in itertools.product(range(6), _GRADED):
        patient = f"{10 * number + _GRADED.index(grade)}"
        split = ("train", "val", "test")[number % 3] if given else ""
        for eye in ("left", "right")[: int(data.rng.integers(1, 3))]:
            name = f"{split}/{grade}/{patient}_{eye}.png".strip("/")
            data.photograph(name, split, grade)
            rows.append((name, grade, patient))
    return rows


def draw_graded_folders(data: Data) -> None:
    _draw_graded(data, bool(data.rng.integers(2)))


def draw_graded_sheet(data: Data) -> None:
    rows = _draw_graded(data, False)
    data.known.sheet = {"file": [x[0] for x in rows], "grade": [x[1] for x in rows]}
    if data.rng.random() < 0.5:
        data.known.sheet["patient"] = [x[2] for x in rows]
    for name, grade, _ in rows:
        data.label(name, grade)
    name = one(data.rng, ["grades.csv", "grades.csv", "grades.xlsx"])
    data.sheet(name, data.known.sheet)
    data.options = ["--sheet", str(data.known.root / name)]


SETS: dict[str, Callable[[Data], None]] = {
    "refuge": draw_refuge,
    "drishti_gs1": draw_drishti,
    "rim_one_dl": draw_rim_one,
    "masked": draw_masked,
    "graded_folders": draw_graded_folders,
    "graded_sheet": draw_graded_sheet,
}
