"""Mutated files and folders through the readers and converters: `python -m tests.fuzz.run --folders 1000 --files 1000`.

Every file is read to something well formed or refused in one line; every folder is converted to JSON that is true, or
what is wrong is listed. A case is known by its number, and runs alone with `--only files 17`.
"""

import argparse
import contextlib
import hashlib
import io
import json
import signal
import sys
import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas
from PIL import Image
from pycocotools import mask as mask_util

from fundus_plugins.cli.main import main as fundus
from fundus_plugins.data.coco import AnnotatedImage, build_segmentation, mask_to_rle
from fundus_plugins.data.coco_file import disc_cup_records, read_coco
from fundus_plugins.photographs.masks import read_disc_and_cup, read_mask, read_structure
from fundus_plugins.photographs.photograph import photograph_shape, read_photograph
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.sheets import read_sheet
from tests.data.folders import CUP, DISC, REFUGE_LAYOUTS, SHAPE, drishti, photograph, refuge
from tests.fuzz.mutations import mutate_bytes, mutate_folder

SECONDS = 20  # a case that takes longer hangs


class Failure(Exception):
    """A case that went wrong."""


def require(true: bool, text: str) -> None:
    if not true:
        raise Failure(text)


# Files.


def _picture(rng: np.random.Generator, kind: str, path: Path) -> None:
    pixels = rng.integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    if kind == "PNG 16":
        cv2.imwrite(str(path.with_suffix(".png")), pixels.astype(np.uint16) * 257)
        path.with_suffix(".png").rename(path)
    elif kind == "TIFF 16":
        Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(path, "TIFF")
    else:
        Image.fromarray(pixels).save(path, kind)


def _text(rng: np.random.Generator, kind: str, path: Path) -> None:
    rows = {"file": [f"images\\{n}.jpg" for n in range(5)], "grade": ["normal", "glaucoma"] * 2 + ["suspect"]}
    if kind == "CSV":
        pandas.DataFrame(rows).to_csv(path, index=bool(rng.integers(2)), sep=",;\t"[int(rng.integers(3))])
    elif kind == "XLSX":
        pandas.DataFrame(rows).to_excel(path.with_suffix(".xlsx"))
        path.with_suffix(".xlsx").rename(path)
    else:
        rles = mask_to_rle(DISC), mask_to_rle(CUP)
        images = [AnnotatedImage(path.parent / f"{n}.jpg", *SHAPE, *rles, 0.5, None) for n in range(2)]
        path.write_text(json.dumps(build_segmentation(images, path.parent, {}), indent=1))


def _try(read, *arguments):
    """What a reader gives, or None where it refuses, in one line that names the file."""
    try:
        return read(*arguments)
    except BadInput as error:
        require("\n" not in str(error) and str(arguments[0]) in str(error), f"refused with {str(error)!r}")
        return None


def file_case(number: int, folder: Path) -> str:
    rng = np.random.default_rng([1, number])
    kinds = (
        "JPEG",
        "PNG",
        "PNG 16",
        "TIFF",
        "TIFF 16",
        "BMP",
        "WEBP",
        "GIF",
        "mask",
        "one mask",
        "CSV",
        "XLSX",
        "COCO",
    )
    kind = kinds[number % len(kinds)]
    path = folder / "file"
    if kind in ("mask", "one mask"):
        codes = np.where(CUP, 0, np.where(DISC, 128, 255)) if kind == "mask" else DISC * 255
        Image.fromarray(codes.astype(np.uint8)).save(path, ("PNG", "BMP")[int(rng.integers(2))])
    elif kind in ("CSV", "XLSX", "COCO"):
        _text(rng, kind, path)
    else:
        _picture(rng, kind, path)
    path.write_bytes(mutate_bytes(rng, path.read_bytes(), text=kind in ("CSV", "COCO")))
    results = _read_all(path)
    return f"{kind}: {'read' if any(x is not None for x in results) else 'refused'}"


def _read_all(path: Path) -> list:
    """Every reader on one file, whatever it is."""
    image, shape = _try(read_photograph, path), _try(photograph_shape, path)
    require((image is None) == (shape is None), "read_photograph and photograph_shape disagree")
    if image is not None:
        require(image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8, f"{image.shape} {image.dtype}")
        require(image.shape[:2] == shape, f"{image.shape} and {shape}")
    mask, one, two = (_try(read, path, None) for read in (read_mask, read_structure, read_disc_and_cup))
    for found in (one, *(two or ())):
        require(found is None or found.dtype == bool and mask is not None and found.shape == mask.shape, "masks")
    require(two is None or not (two[1] & ~two[0]).any(), "a cup outside the disc")
    rows = _try(read_sheet, path)
    require(rows is None or len({len(row) for row in rows}) == 1, "rows of several lengths")
    document, records = _try(read_coco, path), _try(lambda x: disc_cup_records(str(x), "."), path)
    return [image, one, two, rows, document, records]


# Folders.


@dataclass
class Drawn:
    """A data set on disk: what converts it, and grades, where they are known, by digest of the photographs' bytes."""

    arguments: list[str]
    grades: dict[str, str | None]
    digests: dict[str, str]  # stem -> digest
    masks: bool = True


def _mask(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask * np.uint8(255)).save(path)


def draw(rng: np.random.Generator, kind: str, root: Path) -> Drawn:
    grades: dict[str, str | None] = {}
    options: list[str] = []
    if kind == "refuge":
        refuge(root, list(REFUGE_LAYOUTS.values())[int(rng.integers(len(REFUGE_LAYOUTS)))])
        grades = {"g0001": "glaucoma", "n0001": "normal"}
    elif kind == "drishti_gs1":
        drishti(root, 4, images="graded")
        drishti(root, 2, part="Test", gt="Test_GT", first=5)
        options = ["--holdout", "1"]
    elif kind == "rim_one_dl":
        for n, (split, grade) in enumerate(
            (s, g) for s in ("training_set", "test_set") for g in ("normal", "glaucoma")
        ):
            photograph(root / "partitioned_randomly" / split / grade / f"r1_Im00{n}.png")
            for name, mask in (("Disc", DISC), ("Cup", CUP)):
                _mask(root / "RIM-ONE_DL_reference_segmentations" / grade / f"r1_Im00{n}-1-{name}-T.png", mask)
            grades[f"r1_Im00{n}"] = grade
        options = ["--holdout", "1"]
    elif kind == "masked":
        for n, split in enumerate(("train", "train", "val", "test", "test")):
            photograph(root / split / "images" / f"e{n}.png")
            _mask(root / split / "masks" / f"e{n}.png", DISC)
            _mask(root / split / "cup" / f"e{n}.png", CUP)
    else:
        names = [
            (f"{grade}/{grade[0]}{n}.png", grade) for grade in ("normal", "suspicious", "glaucoma") for n in range(4)
        ]
        for name, grade in names:
            photograph(root / name)
            grades[Path(name).stem] = grade
        if kind == "graded_sheet":
            pandas.DataFrame(names, columns=["file", "grade"]).to_csv(root / "grades.csv", index=False)
            options = ["--sheet", str(root / "grades.csv")]
    pictures = {path.stem: _digest(path) for path in root.rglob("*") if path.suffix in (".png", ".jpg")}
    known = {pictures[stem]: grade for stem, grade in grades.items() if stem in pictures}
    return Drawn([kind, *options], known, pictures, masks=not kind.startswith("graded"))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


KINDS = ("refuge", "drishti_gs1", "rim_one_dl", "masked", "graded_folders", "graded_sheet")


def folder_case(number: int, folder: Path) -> str:
    rng = np.random.default_rng([2, number])
    kind = KINDS[number % len(KINDS)]
    root, output = folder / "in", folder / "out"
    root.mkdir()
    drawn = draw(rng, kind, root)
    unsure = {drawn.digests[stem] for stem in mutate_folder(rng, root) if stem in drawn.digests}
    code, errors = run("convert", *drawn.arguments, "--root", root, "--output", output, "--processes", "1")
    require(code in (0, 1, 2), f"exit code {code}")
    require(code == 0 or bool(errors.strip()), f"exit code {code} and nothing on standard error")
    files = sorted(output.iterdir()) if output.exists() else []
    require(all(x.suffix == ".json" and not x.name.startswith(".") for x in files), f"left over: {files}")
    require((code == 2) == (not files), f"exit code {code} and {len(files)} files")
    sides: dict[str, str] = {}
    for path in files:
        check_json(path, drawn, unsure, sides)
    masks = [path for path in files if not path.stem.endswith("_grading")]
    if masks and number % 5 == 0:
        require(run("check", *masks, "--processes", "1")[0] in (0, 1), "fundus check")
    return f"{kind}: exit {code}"


def run(*arguments) -> tuple[int, str]:
    """A command's exit code and what it wrote on standard error."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = fundus([str(x) for x in arguments])
    for text in (out.getvalue(), errors.getvalue()):
        require("Traceback" not in text and "should not happen" not in text, text[-2000:])
    return code, errors.getvalue()


def check_json(path: Path, drawn: Drawn, unsure: set[str], sides: dict[str, str]) -> None:
    """Raise Failure for a JSON that is not true; `sides` collects the split of every photograph's bytes."""
    document = read_coco(path)
    split = path.stem.removesuffix("_grading")
    annotations: dict[int, dict[int, dict]] = {}
    for x in document["annotations"]:
        require(x["category_id"] not in annotations.setdefault(x["image_id"], {}), f"{path.name}: two of a kind")
        annotations[x["image_id"]][x["category_id"]] = x
    for image in document["images"]:
        file = path.parent / image["file_name"]
        size, digest = read_photograph(file).shape[:2], _digest(file)
        require(size == (image["height"], image["width"]), f"{file.name}: size")
        if split not in ("fit", "val") or not (path.parent / "fit.json").exists():
            require(sides.setdefault(digest, split) == split, f"{file.name} in {split} and {sides[digest]}")
        found = annotations.get(image["id"], {})
        if path.stem.endswith("_grading"):
            grade = document["categories"][found[next(iter(found))]["category_id"] - 1]["name"]
            if drawn.grades.get(digest) and digest not in unsure:
                require(grade == drawn.grades[digest], f"{file.name}: {grade}, and it is {drawn.grades[digest]}")
            continue
        masks = {key: mask_util.decode(x["segmentation"]) > 0 for key, x in found.items()}
        require(all(mask.shape == size for mask in masks.values()), f"{file.name}: a mask's size")
        require(all(found[key]["area"] == mask.sum() for key, mask in masks.items()), f"{file.name}: area")
        if 2 in masks:
            require(not (masks[2] & ~masks[1]).any(), f"{file.name}: a cup outside the disc")
        if drawn.masks and digest in drawn.digests.values() and digest not in unsure:
            for key, truth in ((1, DISC), (2, CUP)):
                require(key not in masks or bool((masks[key] == truth).all()), f"{file.name}: another mask {key}")


# All of them.


def attempt(kind: str, number: int) -> str:
    """One case's outcome. Raises Failure."""

    def late(*_):
        raise Failure(f"no end after {SECONDS} s")

    case = {"files": file_case, "folders": folder_case}[kind]
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        signal.signal(signal.SIGALRM, late)
        signal.alarm(SECONDS)
        try:
            return case(number, Path(folder).resolve())
        except Failure:
            raise
        except Exception:
            raise Failure(traceback.format_exc()) from None
        finally:
            signal.alarm(0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--folders", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", nargs=2, metavar=("KIND", "NUMBER"))
    args = parser.parse_args()
    cases = [(kind, n) for kind in ("files", "folders") for n in range(args.first, args.first + vars(args)[kind])]
    outcomes, failures = Counter(), 0
    for kind, number in [(args.only[0], int(args.only[1]))] if args.only else cases:
        try:
            outcomes[f"{kind}: {attempt(kind, number)}"] += 1
        except Failure as error:
            failures += 1
            print(f"{kind} {number} failed: {str(error).encode('ascii', 'backslashreplace').decode()}", flush=True)
    for outcome, times in sorted(outcomes.items()):
        print(f"{times:6}  {outcome}")
    print(f"{failures} failed of {sum(outcomes.values()) + failures}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
