"""GAMMA: whole photographs in three grades of glaucoma, 100 of them with grades, and masks of disc and cup, published.

    multi-modality_images/0001/0001.jpg   glaucoma_grading_training_GT.xlsx: data, non, early, mid_advanced
    photographs/0001.jpg                  grades.csv: file, grade (normal, early, mid_advanced)
    .../training/fundus color images/0001.jpg, .../training/Disc_Cup_Mask/0001.png      0 cup, 128 rim, 255 background

The rule: no glaucoma is normal, **early glaucoma is suspicious**, intermediate and advanced glaucoma (mid_advanced) is
glaucoma. So the middle grade is another one than in sets of suspects: glaucoma that is there, and slight. One of the
three columns of the Excel file is 1. Its numbers mean the photograph in the folder of that number; slices of the OCT
are not read. Where there are masks (task 3 of the challenge), the photograph of their number gets them; without a sheet
the photographs are those of task 3, and have no grade. Nothing tells which photographs are of one patient, so each
counts as one; a column patient of a sheet in the other layout does.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from fundus_plugins.data.converters.draws import with_splits
from fundus_plugins.data.converters.grade_names import GradeNames
from fundus_plugins.data.converters.graded import DRAW_OPTIONS, sheet_listing
from fundus_plugins.data.converters.graded_rows import Row, list_rows
from fundus_plugins.data.converters.official_sheet import find_sheet, place_of
from fundus_plugins.data.converters.record import Converter, Listing, NotThisDataset, Record
from fundus_plugins.photographs.folders import walk_files
from fundus_plugins.photographs.lookup import PhotographsByStem
from fundus_plugins.photographs.masks import read_disc_and_cup
from fundus_plugins.photographs.problems import Problem
from fundus_plugins.photographs.sheets import normalised

GRADE_OF = {"normal": "normal", "early": "suspicious", "mid_advanced": "glaucoma"}
_COLUMNS = {"non": "normal", "early": "early", "midadvanced": "mid_advanced"}
_MASK = re.compile(r"(?:^|/)disc_cup_masks?/0*(\d+)\.(?:png|bmp|jpg)$", re.IGNORECASE)
_TASK_3 = re.compile(r"(?:^|/)training/fundus color images/0*(\d+)\.(?:jpg|jpeg|png)$", re.IGNORECASE)
_FILES = {"data", "file", "filename", "image", "id"}


def list_records(root: Path, *, sheet: str | Path, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Photographs with the grades of `sheet`, or of the one that is found below `root`, and their masks.

    Raises NotThisDataset.
    """
    masks, problems = _masks(root)
    try:
        listing = _graded(root, sheet)
    except NotThisDataset:
        if sheet or not masks:
            raise
        listing = _ungraded(root)
    listing.problems += problems
    if masks:
        listing.records = [_with_masks(record, masks, listing) for record in listing.records]
        for number, path in masks.items():
            listing.problems.append(Problem("missing photograph", path, f"a photograph of number {number}", "none"))
    return with_splits(listing, root, guess=False, test_percent=test_percent, val_percent=val_percent, seed=seed)


def _masks(root: Path) -> tuple[dict[int, Path], list[Problem]]:
    """Task 3's masks by their numbers."""
    found: dict[int, list[Path]] = {}
    for file in walk_files(root):
        if match := _MASK.search(file.as_posix()):
            found.setdefault(int(match[1]), []).append(root / file)
    twice = [x for x in found.values() if len(x) > 1]
    problems = [Problem("duplicate id", x[1], "one mask of a number", f"also {x[0]}") for x in twice]
    return {number: x[0] for number, x in found.items() if len(x) == 1}, problems


def _with_masks(record: Record, masks: dict[int, Path], listing: Listing) -> Record:
    stem = record.photograph.stem
    path = masks.pop(int(stem), None) if stem.isdecimal() else None
    if path is None:
        expected = f"a mask Disc_Cup_Mask/{stem}.png"
        listing.problems.append(Problem("missing mask", record.photograph, expected, "none"))
        return record
    return replace(record, read_masks=partial(read_disc_and_cup, path))


def _ungraded(root: Path) -> Listing:
    """Task 3's photographs."""
    listing = Listing(notes=["no sheet of grades was found"])
    seen: dict[int, Path] = {}
    for file in walk_files(root):
        match = _TASK_3.search(file.as_posix())
        if match and (first := seen.setdefault(int(match[1]), file)) != file:
            found = f"also {root / first}"
            listing.problems.append(Problem("duplicate id", root / file, "one photograph of a number", found))
        elif match:
            listing.records.append(Record("", root / file, None, None))
    if not listing.records:
        raise NotThisDataset(
            f"{root} does not hold GAMMA: looked for training/fundus color images/0001.jpg beside masks "
            "Disc_Cup_Mask/0001.png, found none"
        )
    return listing


def _graded(root: Path, sheet: str | Path) -> Listing:
    looked_for = "a sheet with the columns data, non, early, mid_advanced, or file, grade"
    path, rows = find_sheet(root, sheet, lambda headings: _one_hot(headings) or _simple(headings), "GAMMA", looked_for)
    photographs = PhotographsByStem(root, prefer=_preferred(root))
    headings = [normalised(cell) for cell in rows[0]]
    if not _one_hot(headings):
        names = GradeNames([f"{name}={grade}" for name, grade in GRADE_OF.items()])
        files = [root / file for file in photographs.files if not _MASK.search(file.as_posix())]
        return sheet_listing(root, path, names, photographs.find, files, expected=list(GRADE_OF))
    listing, _ = list_rows(
        path,
        list(_rows(rows, headings)),
        find=photographs.find,
        grade_of=lambda cell: GRADE_OF.get(cell),
        expected=["a 1 for one of non, early, mid_advanced"],
    )
    if not listing.records:
        problem = f"; the first problem: {listing.problems[0]}" if listing.problems else ""
        raise NotThisDataset(f"{path}: no row names a photograph below {root} and its grade{problem}")
    return listing


def _preferred(root: Path):
    """Which of several files of a number is the photograph: a slice of the OCT may have it, too, but lies deeper."""

    def own(file: Path) -> bool:
        return file.parent.name in (file.stem, "photographs")

    return own if any(map(own, walk_files(root))) else lambda file: bool(_TASK_3.search(file.as_posix()))


def _one_hot(headings: Sequence[str]) -> bool:
    return _COLUMNS.keys() <= set(headings) and bool(_FILES & set(headings))


def _simple(headings: Sequence[str]) -> bool:
    return {"file", "grade"} <= set(headings)


def _rows(rows: Sequence[Sequence], headings: Sequence[str]):
    file = place_of(headings, _FILES)
    for number, cells in enumerate(rows[1:], start=2):
        if any(cell is not None for cell in cells):
            shares = {name: str(cells[headings.index(column)]) for column, name in _COLUMNS.items()}
            ones = [name for name, share in shares.items() if share in ("1", "1.0", "True")]
            zeros = [name for name, share in shares.items() if share in ("0", "0.0", "False", "None")]
            certain = len(ones) == 1 and len(zeros) == 2
            yield Row(number, cells[file], ones[0] if certain else ", ".join(shares.values()))


CONVERTER = Converter(
    name="gamma",
    title="GAMMA's photographs",
    splits=("train", "val", "test"),
    list_records=list_records,
    options={"sheet": {"default": "", "metavar": "FILE", "help": "of grades, where it is not below --root"}}
    | DRAW_OPTIONS,
)
