"""Mutated files and folders through the readers and converters: `python -m tests.fuzz.run --folders 1000 --files 1000`.

`--public 2800` draws and mutates the public data sets of `public_sets.py`, each in its turn.

Every file is read to what is well formed, and what it was where it has checksums, or refused in one line. Every data
set is converted to JSON that is true of it, or what is wrong is listed: each photograph's masks and grade differ, and
those in the JSON must be its own. A case is known by its seed and number: `--first 17 --files 1 --folders 0`.
"""

import argparse
import contextlib
import io
import itertools
import json
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas
from PIL import Image
from pycocotools import mask as mask_util

from fundus_plugins.cli.main import main as fundus
from fundus_plugins.data.annotations import disc_and_cup
from fundus_plugins.data.coco import AnnotatedImage, build_grading, build_segmentation, mask_to_rle
from fundus_plugins.data.coco_file import disc_cup_records, grading_records, read_coco
from fundus_plugins.data.converters.record import Listing
from fundus_plugins.data.converters.refuge import read_labels
from fundus_plugins.data.mask_files import MaskSet, list_masks
from fundus_plugins.photographs.masks import read_disc_and_cup, read_mask, read_structure
from fundus_plugins.photographs.photograph import photograph_shape, read_photograph
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.sheets import read_sheet
from tests.data.folders import REFUGE2, REFUGE_LAYOUTS, SHAPE

from . import public_sets
from .drawing import Data, codes_of, draw_eye, noise_picture, saved
from .mutations import PNG, Eye, Known, Rng, digest, mutate_bytes, mutate_folder, one, rewritten_sheet, xlsx

SECONDS = 20  # a case that takes longer hangs
CHECKED: Counter[str] = Counter()  # how many masks, grades, ... of a case were compared with the truth
TOTAL: Counter[str] = Counter()  # the same of all cases


class Failure(Exception):
    """A case that went wrong."""


class Late(BaseException):
    """A case that does not end; no reader may swallow it."""


def require(true: Any, text: str) -> None:
    if not true:
        raise Failure(text)


# Files.


def _picture(rng: Rng, kind: str) -> tuple[bytes, np.ndarray | None]:
    """A photograph, and its pixels where a checksum guards them."""
    pixels = noise_picture(rng)
    if kind == "PNG 16":
        return cv2.imencode(".png", pixels[..., ::-1].astype(np.uint16) * 257)[1].tobytes(), pixels
    if kind == "TIFF 16":
        return saved(pixels[..., 0].astype(np.uint16) * 257, "TIFF"), None
    turned = Image.Exif()
    turned[0x0112] = int(rng.integers(1, 9))
    options: dict = {"exif": turned} if kind == "JPEG" and rng.random() < 0.5 else {}
    options |= {"compression": one(rng, [None, "tiff_lzw", "tiff_deflate"])} if kind == "TIFF" else {}
    return saved(pixels, kind, **options), pixels if kind == "PNG" else None


def _table(rng: Rng, kind: str) -> bytes:
    rows = {"file": [f"images\\{n}.jpg" for n in range(5)], "grade": ["normal", "glaucoma"] * 2 + ["suspect"]}
    if kind == "XLSX":
        return xlsx(pandas.DataFrame(rows))
    if kind == "index.json":
        return json.dumps({str(n): {"ImgName": f"V{n}.jpg", "Label": n % 2} for n in range(4)}).encode()
    return rewritten_sheet(rng, rows)


def _coco(rng: Rng, kind: str) -> bytes:
    eyes = [draw_eye(rng, str(n), "", "normal") for n in range(2)]
    images = [
        AnnotatedImage(Path(f"/x/{e.stem}.jpg"), *SHAPE, *map(mask_to_rle, e.masks.values()), 0.5, e.grade)
        for e in eyes
    ]
    if kind == "grading":
        return json.dumps(build_grading(images, Path("/x"), {})).encode()
    document = build_segmentation(images, Path("/x"), {})
    if kind == "COCO polygons":
        for annotation in document["annotations"]:
            annotation["segmentation"] = [[10, 10, 30, 10, 30, 30.5, 10, 30]]
    if kind == "results":
        document = [annotation | {"score": 0.5} for annotation in document["annotations"]]
    return json.dumps(document, indent=one(rng, [None, 1])).encode()


def read(reader: Callable, path: Path) -> Any:
    """What a reader gives, or None where it refuses, in one line that names the file."""
    try:
        return reader(path)
    except BadInput as error:
        require(len(str(error).splitlines()) == 1, f"refused in several lines: {str(error)!r}")
        require(str(path) in str(error), f"refused without the file's name: {str(error)!r}")
        return None


def check_photograph(path: Path, pixels: np.ndarray | None) -> bool:
    image, shape = read(read_photograph, path), read(photograph_shape, path)
    require((image is None) == (shape is None), f"read_photograph gave {image is not None}, photograph_shape {shape}")
    if image is not None:
        require(image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8, f"{image.shape} {image.dtype}")
        require(image.shape[:2] == shape and min(shape) > 0, f"{image.shape}, and photograph_shape {shape}")
        require(image.flags.writeable and image.flags.c_contiguous, "not to be written to")
        if pixels is not None:
            CHECKED["pixels"] += 1
            same = image.shape == pixels.shape and np.array_equal(image, pixels)
            require(same, "a damaged PNG is read as other pixels")
    return image is not None


def check_masks(path: Path, masks: dict[str, np.ndarray] | None) -> bool:
    """`masks`: what the file must show, where a checksum guards it: disc and cup, or one of them."""
    mask, single, both = (read(lambda x, f=f: f(x, None), path) for f in (read_mask, read_structure, read_disc_and_cup))
    for found in (single, *(both or ())):
        require(
            found is None or found.dtype == bool and mask is not None and found.shape == mask.shape, "a mask's form"
        )
    require(mask is None or mask.ndim == 2 and mask.dtype == np.uint8, "a mask's form")
    require(both is None or not (both[1] & ~both[0]).any(), "a cup outside the disc")
    results = [single] if masks and len(masks) == 1 else both
    if masks and results is not None and results[0] is not None:
        CHECKED["masks of files"] += 1
        for found, truth in zip(results, masks.values(), strict=True):
            require(np.array_equal(found, truth), "a damaged PNG is read as another mask")
    return any(x is not None for x in (mask, single, both))


def check_table(path: Path, kind: str) -> bool:
    rows = read(read_sheet, path)
    require(rows is None or rows and len({len(row) for row in rows}) == 1, "rows of several lengths")
    listing = Listing()
    name = Path(path.name)
    labels = read_labels(path.parent, [name], listing)
    require(
        all(len(str(x).splitlines()) == 1 for x in listing.problems), f"problems {[str(x) for x in listing.problems]}"
    )
    require(set(labels.values()) <= {"normal", "suspicious", "glaucoma"}, f"labels {labels}")
    return rows is not None


def check_coco_file(path: Path, kind: str) -> bool:
    document = read(read_coco, path)
    records = read(lambda x: disc_cup_records(str(x), "/x"), path)
    read(lambda x: grading_records(str(x), "/x"), path)
    truth = MaskSet(document={"images": [{"id": 1, "file_name": "1.jpg", "height": SHAPE[0], "width": SHAPE[1]}]})
    truth.document |= {"categories": [{"id": 1, "name": "disc"}, {"id": 2, "name": "cup"}]}
    listed = read(lambda x: list_masks(x, truth=truth), path)
    for record in records or ():
        size = record["height"], record["width"]
        where = Path(record["file_name"])
        masks = read(lambda x, r=record, s=size: disc_and_cup(r["annotations"], (0, 1), s, x), where)
        require(all(x.shape == size and x.max(initial=0) <= 1 for x in (masks or {}).values()), "a mask's form")
    for reader in (listed.masks if listed else {}).values():
        read(lambda _, reader=reader: reader(), path)
    return any(x is not None for x in (document, listed))


PICTURES = ("JPEG", "PNG", "PNG 16", "TIFF", "TIFF 16", "BMP", "WEBP")
MASKS = ("REFUGE mask", "mask of 0, 1, 2", "disc", "GIF mask", "BMP mask")
TABLES = ("CSV", "XLSX", "index.json")
DOCUMENTS = ("COCO", "COCO polygons", "grading", "results")
FILES = (*PICTURES, *MASKS, *TABLES, *DOCUMENTS)


def file_case(rng: Rng, number: int, folder: Path) -> str:
    kind = FILES[number % len(FILES)]
    pixels, masks, path = None, None, folder / "file"
    if kind in PICTURES:
        data, pixels = _picture(rng, kind)
    elif kind in MASKS:
        eye = draw_eye(rng, "eye")
        codes = (
            eye.masks["disc"] * np.uint8(255)
            if kind == "disc"
            else codes_of(eye, "012" if "012" in kind else "official")
        )
        data = saved(codes, {"GIF mask": "GIF", "BMP mask": "BMP"}.get(kind, "PNG"))
        masks = None if kind in ("GIF mask", "BMP mask") else eye.masks
        masks = {"disc": eye.masks["disc"]} if kind == "disc" else masks
    elif kind in TABLES:
        data, path = _table(rng, kind), folder / {"CSV": "a.csv", "XLSX": "a.xlsx"}.get(kind, kind)
    else:
        data, path = _coco(rng, kind), folder / "file.json"
    if number % 50:  # now and then a sound one
        data = mutate_bytes(
            rng, data, "json" if kind in (*DOCUMENTS, "index.json") else "text" if kind == "CSV" else ""
        )
    path.write_bytes(data)
    if not data.startswith(PNG):
        pixels = masks = None
    # The header may be another's now: every reader of pictures has a look.
    if kind in PICTURES or kind in MASKS:
        done = check_photograph(path, pixels) | check_masks(path, masks)
    else:
        done = check_table(path, kind) if kind in TABLES else check_coco_file(path, kind)
        check_photograph(path, None)
    require(done or number % 50, "a sound file is refused")
    return f"{kind}: {'read' if done else 'refused'}"


# Folders.


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


# All of them.

CASE: list[str] = []  # what the case at hand consists of


def attempt(kind: str, number: int, seed: int = 0) -> str:
    """One case's outcome. Raises Failure."""

    def late(*_):
        raise Late

    case = {"files": file_case, "folders": folder_case, "public": public_case}[kind]
    CASE.clear()
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        signal.signal(signal.SIGALRM, late)
        signal.alarm(SECONDS)
        try:
            return case(
                np.random.default_rng([seed, ("folders", "files", "public").index(kind), number]),
                number,
                Path(folder).resolve(),
            )
        except Failure as error:
            raise Failure(f"{' '.join(CASE)}: {error}") from None
        except Late:
            raise Failure(f"{' '.join(CASE)}: no end after {SECONDS} s; {traceback.format_exc()}") from None
        except Exception:
            raise Failure(f"{' '.join(CASE)}: {traceback.format_exc()}") from None
        finally:
            signal.alarm(0)


def _work(connection: Connection, cases: list[tuple[str, int]], seed: int) -> None:
    for kind, number in cases:
        CHECKED.clear()
        try:
            connection.send((attempt(kind, number, seed), "", CHECKED))
        except Failure as error:
            connection.send(("", str(error), CHECKED))


def attempts(cases: list[tuple[str, int]], seed: int) -> Iterator[tuple[str, int, str, str]]:
    """(kind, number, outcome, what failed) of every case, in a process that may die or hang in a library's code."""
    while cases:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(target=_work, args=(theirs, cases, seed))
        process.start()
        theirs.close()
        while cases:
            try:
                outcome, failure, checked = (
                    ours.recv() if ours.poll(2 * SECONDS) else ("", f"no end after {SECONDS} s", {})
                )
            except EOFError:
                process.join()
                outcome, failure, checked = "", f"the process died: exit code {process.exitcode}", {}
            TOTAL.update(checked)
            (kind, number), cases = cases[0], cases[1:]
            yield kind, number, outcome, failure
            if not outcome and not checked and failure.startswith(("no end", "the process")):
                break
        process.kill()
        process.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--folders", type=int, default=1000)
    parser.add_argument("--public", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case of either kind")
    args = parser.parse_args()
    outcomes: Counter[str] = Counter()
    failed: dict[str, list[int]] = {"files": [], "folders": [], "public": []}
    cases = [(kind, number) for kind in failed for number in range(args.first, args.first + vars(args)[kind])]
    for kind, number, outcome, failure in attempts(cases, args.seed):
        if outcome:
            outcomes[f"{kind}: {outcome}"] += 1
        else:
            failed[kind].append(number)
            print(f"{kind} {number} failed: {_printable(failure)}", flush=True)
    for outcome, times in sorted(outcomes.items()):
        print(f"{times:6}  {outcome}")
    print("compared with the truth:", ", ".join(f"{number} {what}" for what, number in sorted(TOTAL.items())))
    for kind, numbers in failed.items():
        print(f"{kind} failed: {len(numbers)}" + (f", numbers {' '.join(map(str, numbers))}" if numbers else ""))
    return 1 if any(failed.values()) else 0


def _printable(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


if __name__ == "__main__":
    sys.exit(main())
