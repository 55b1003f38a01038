"""Mutated data sets, converted: JSON that is true of them, or what is wrong is listed."""

import contextlib
import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pycocotools import mask as mask_util

from fundus_plugins.cli.main import main as fundus
from fundus_plugins.data.coco_file import read_coco
from fundus_plugins.photographs.photograph import read_photograph

from . import public_sets
from .drawing import Data
from .drawn_sets import SETS
from .mutated_bytes import Rng, digest
from .mutations import Eye, Known, mutate_folder
from .outcome import CASE, CHECKED, require

PUBLIC = public_sets.SETS
_LINES = re.compile(r"left out: |repaired: |warning: |\d+ x |error: |nothing was written|no contact sheet")


def folder_case(rng: Rng, number: int, folder: Path) -> str:
    return _convert_mutated(SETS, rng, number, folder)


def public_case(rng: Rng, number: int, folder: Path) -> str:
    return _convert_mutated(PUBLIC, rng, number, folder)


def _convert_mutated(sets: dict[str, Callable], rng: Rng, number: int, folder: Path) -> str:
    kind = list(sets)[number % len(sets)]
    root, output = folder / "in", folder / "out"
    root.mkdir()
    data = Data(rng, root)
    sets[kind](data)
    known = data.known
    sound = known.sound = number % 25 == 0
    mutate_folder(rng, known, 0 if sound else int(rng.integers(1, 5)))
    CASE[:] = [kind, *known.done]
    code, errors = run("convert", kind, *data.options, "--root", root, "--output", output, "--processes", "1")
    require(code in (0, 1, 2), f"exit code {code}")
    require(code == 0 or bool(errors.strip()), f"exit code {code} and nothing on standard error")
    for line in errors.splitlines():
        require(_LINES.match(line) or line.startswith(f"{kind}: "), f"a line that begins with no word: {line!r}")
    files = sorted(x for x in output.iterdir() if x.name != "photographs") if output.exists() else []
    require(all(x.suffix == ".json" and not x.name.startswith(".") for x in files), f"left over: {files}")
    lost = known.sheets and not any(map(known.is_there, known.sheets))
    require(code or known.moved or not lost, "sheets that are gone without a word")
    require((code == 2) == (not files), f"exit code {code} and {len(files)} files")
    photographs = {path: check_json(path, kind, known) for path in files}
    check_splits({path.stem: found for path, found in photographs.items()})
    there = {x for found in photographs.values() for x in found}
    require(not sound or "left out" not in errors and there == set(known.eyes), f"a sound set: {code}, {errors}")
    masks = [path for path in files if not path.stem.endswith("_grading") and "_reader_" not in path.stem]
    if masks and number % 5 == 0:
        require(run("check", *masks, "--processes", "1")[0] in (0, 1), "fundus check")
    return f"{kind}: exit {code}"


def run(*arguments) -> tuple[int, str]:
    """A command's exit code and what it wrote on standard error."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = fundus([str(x) for x in arguments])
    for text in (out.getvalue(), errors.getvalue()):
        require("Traceback" not in text and "should not happen" not in text, text[-3000:])
    return code, errors.getvalue()


def check_json(path: Path, kind: str, known: Known) -> list[str]:
    """Digests of the photographs in a JSON. Raises Failure where it is not true."""
    document = read_coco(path)
    names = {x["id"]: x["name"] for x in document["categories"]}
    annotations: dict[int, dict[str, dict]] = {x["id"]: {} for x in document["images"]}
    for x in document["annotations"]:
        require(names[x["category_id"]] not in annotations[x["image_id"]], f"{path.name}: two of a kind")
        annotations[x["image_id"]][names[x["category_id"]]] = x
    split, _, reader = path.stem.removesuffix("_grading").partition("_reader_")
    digests: list[str] = []
    for image in document["images"]:
        file = Path(os.path.normpath(path.parent / image["file_name"]))
        size = read_photograph(file).shape[:2]
        require(size == (image["height"], image["width"]), f"{file.name}: size {size}")
        digests.append(digest(file))
        eye = known.eyes.get(digests[-1])
        require(eye or digests[-1] in known.masks, f"{file.name} is no photograph that was drawn")
        if not eye:  # a mask's picture in the place of a photograph
            continue
        if eye.split and split not in ("fit", "val") and not known.moved and not (kind == "origa" and known.unsorted()):
            require(eye.split == split, f"{file.name} of {eye.split} is in {split}")
        check_grade(image["grade"], file, eye, kind, known)
        found = annotations[image["id"]]
        if path.stem.endswith("_grading"):
            require(list(found) == [image["grade"]], f"{file.name}: {list(found)} and {image['grade']}")
        else:
            check_masks_of(file, eye, size, image["vcdr"], found, known, reader)
    require(len(set(digests)) == len(digests), f"{path.name}: a photograph twice")
    return digests


def check_grade(grade: str | None, file: Path, eye: Eye, kind: str, known: Known) -> None:
    """It must be the photograph's own; where names have changed, one that folders, sheet or name say of it now."""
    if known.relabelled or grade is None:
        CHECKED["grades not compared"] += 1
        return
    CHECKED["grades"] += 1
    if kind == "graded_sheet":
        place = file.relative_to(known.root).as_posix() if file.is_relative_to(known.root) else file.name
        places = {place.lower(), place.lower().rpartition(".")[0] + ".png"}
        allowed = set().union(*(known.labels.get(x, set()) for x in places))
    elif kind == "graded_folders":
        allowed = grades_of_folders(file, known.root) if known.moved else {eye.grade}
    else:
        stem = file.stem.lower() if known.moved else eye.stem.lower()
        allowed = set(known.labels.get(stem, ())) | _grade_of_name(stem)
        if known.moved:
            allowed |= set().union(*(grades_of_folders(x, known.root) for x in (file, *mask_files(stem, known))))
    require(grade in allowed, f"{file}: {grade}, and it is {allowed}")


def _grade_of_name(stem: str) -> set[str]:
    match = re.match(r"([gn])\d{4}$|r3_([nsg])[-_]", stem)
    return {{"g": "glaucoma", "n": "normal", "s": "suspicious"}[match[1] or match[2]]} if match else set()


_WORDS = {"normal": "normal", "normals": "normal", "suspicious": "suspicious", "suspects": "suspicious"}
_WORDS |= {"glaucoma": "glaucoma", "glaucomas": "glaucoma", "non-glaucoma": "normal", "g": "glaucoma", "n": "normal"}


def grades_of_folders(file: Path, root: Path) -> set[str]:
    folders = [x.strip().lower() for x in Path(os.path.relpath(file, root)).parent.parts]
    return {_WORDS[x] for x in folders if x in _WORDS}


def mask_stem(file: Path) -> str:
    """Of the photograph that a mask belongs to by its name."""
    stem = re.sub(r"_(od|cup)segsoftmap$|-1-(disc|cup)-t$", "", file.stem.lower())
    return public_sets.mask_stem(stem)


def mask_files(stem: str, known: Known) -> list[Path]:
    """Those that a photograph of this stem may have."""
    return [x for x in known.root.rglob("*") if mask_stem(x) == stem and x.is_file() and digest(x) in known.masks]


def check_masks_of(
    file: Path, eye: Eye, size: tuple, vcdr: float | None, found: dict[str, dict], known: Known, reader: str
) -> None:
    masks = {}
    for name, x in found.items():
        mask = masks[name.removeprefix("optic_")] = mask_util.decode(x["segmentation"]) > 0
        require(mask.shape == size, f"{file.name}: a mask of {mask.shape}")
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = [columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1] if len(rows) else [0] * 4
        require(x["area"] == mask.sum() and x["bbox"] == box, f"{file.name}: {x['area']}, {x['bbox']}, and it is {box}")
    require("disc" in masks and masks["disc"].any(), f"{file.name}: no disc")
    require("cup" not in masks or not (masks["cup"] & ~masks["disc"]).any(), f"{file.name}: a cup outside the disc")
    heights = [int(x.sum(0).max()) for x in masks.values()]
    require((vcdr is None) == ("cup" not in masks), f"{file.name}: vCDR {vcdr}")
    require(vcdr is None or abs(vcdr - heights[-1] / heights[0]) < 1e-5, f"{file.name}: vCDR {vcdr}, heights {heights}")
    there = [known.masks[digest(x)] for x in mask_files(file.stem.lower(), known)]
    for name, mask in masks.items():
        fitting = [x for x in there if name in x.structures or known.moved]
        if any(x.vague for x in fitting):
            CHECKED["masks not compared"] += 1
            continue
        what = "readers' masks" if reader else "masks"
        CHECKED[f"{what} of other names" if known.moved else what] += 1
        truths = [(truth, x.exact) for x in fitting for truth in x.masks()]
        if not known.moved:
            exact = all(x.exact for x in fitting)
            # Readers' masks lie within each other, so what most of some of them drew is one of them.
            all_of_them = [x[name] for x in eye.readers.values() if name in x] or [eye.masks[name]]
            own = [eye.readers[reader][name]] if reader else [eye.masks[name]] if known.sound else all_of_them
            truths = [(truth, exact) for truth in own]
        if known.moved and eye.readers and not reader:
            # What most of several readers drew, some of whom may have drawn another eye by now.
            whole, common = np.any([x for x, _ in truths], 0), np.all([x for x, _ in truths], 0)
            same = len(truths) and not (mask & ~whole).any() and not (common & ~mask).any()
            require(same, f"{file.name}: a {name} that nobody drew")
            continue
        same = any(_same(mask, truth, masks["disc"] if name == "cup" else None, exact) for truth, exact in truths)
        require(same, f"{file.name}: another {name}, of {mask.sum()} pixels, and it is {[t.sum() for t, _ in truths]}")


def _same(mask: np.ndarray, truth: np.ndarray, disc: np.ndarray | None, exact: bool) -> bool:
    if mask.shape != truth.shape:
        return False
    if exact:
        return np.array_equal(mask, truth) or disc is not None and np.array_equal(mask, truth & disc)
    return np.count_nonzero(mask ^ truth) <= 0.3 * truth.sum()


def check_splits(photographs: dict[str, list[str]]) -> None:
    """No photograph is on two sides; fit and val, where they were drawn, are train."""
    for suffix in ("", "_grading"):
        parts = {x: set(photographs.get(x + suffix, ())) for x in ("train", "val", "test", "fit")}
        drawn = "fit" + suffix in photographs
        if drawn:
            both = parts["fit"] | parts["val"]
            require(both == parts["train"] and not parts["fit"] & parts["val"], f"fit and val are not train{suffix}")
        for first, other in (("train", "test"), ("val", "test"), *([] if drawn else [("train", "val")])):
            require(not parts[first] & parts[other], f"a photograph in {first} and {other}")
