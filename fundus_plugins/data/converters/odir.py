"""ODIR-5K: both eyes of 5,000 patients with keywords of each eye, of which grades of glaucoma are read.

    full_df.csv                                        a row an eye: ID, Left- and Right-Diagnostic Keywords, filename
    ODIR-5K_Training_Annotations(Updated)_V2.xlsx      a row a patient: ID, Left- and Right-Fundus, ... Keywords
    anywhere below: 12_left.jpg, 12_right.jpg          of `preprocessed_images` only what is nowhere else

The rule, of an eye's own keywords alone (the columns N, D, G, ... are of the patient):

1. `low image quality`, `no fundus image`, `lens dust` or `optic disk photographically invisible`: left out and listed;
2. `suspected glaucoma`: suspicious;
3. any other `glaucoma`: glaucoma;
4. `normal fundus` and nothing else: normal;
5. anything else is another disease: no grade, left out and counted.

The patient is the ID. Which eye it is the file's name tells. A sheet of files, grades and patients is read by
`graded_sheet`.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from fundus_plugins.data.coco import GRADES
from fundus_plugins.data.converters.draws import with_splits
from fundus_plugins.data.converters.graded import DRAW_OPTIONS
from fundus_plugins.data.converters.graded_rows import Row, list_rows
from fundus_plugins.data.converters.official_sheet import find_sheet, place_of
from fundus_plugins.data.converters.record import Converter, Listing, NotThisDataset
from fundus_plugins.photographs.lookup import PhotographsByStem
from fundus_plugins.photographs.problems import BadInput, Problem
from fundus_plugins.photographs.sheets import file_of, normalised

UNUSABLE = ("low image quality", "no fundus image", "lens dust", "optic disk photographically invisible")
_EYES = ("left", "right")
_NEEDED = {"id", *(f"{eye}{kind}" for eye in _EYES for kind in ("fundus", "diagnostickeywords"))}


def grade_of(keywords: str) -> str | None:
    """The grade of an eye by its keywords, one of UNUSABLE where such a keyword stands; None: none of these.

    >>> grade_of("suspected glaucoma，myopia"), grade_of("normal fundus"), grade_of("normal fundus，drusen")
    ('suspicious', 'normal', None)
    """
    words = [" ".join(word.split()) for word in re.split("[,，;]", keywords.lower())]  # most of the commas are Chinese
    text = ",".join(word for word in words if word)
    for reason in UNUSABLE:
        if reason in text:
            return reason
    if "suspected glaucoma" in text:
        return "suspicious"
    if "glaucoma" in text:
        return "glaucoma"
    return "normal" if text == "normal fundus" else None


def list_records(root: Path, *, sheet: str | Path, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Photographs with the grades of their eyes' keywords in `sheet`, or the one that is found below `root`.

    Raises NotThisDataset.
    """
    looked_for = "a sheet with the columns ID, Left-Fundus, Right-Fundus, Left- and Right-Diagnostic Keywords"
    path, rows = find_sheet(root, sheet, lambda headings: _NEEDED <= set(headings), "ODIR", looked_for)
    photographs = PhotographsByStem(root, prefer=lambda file: not re.search("preprocess", str(file.parent).lower()))
    rows_of_eyes, problems = _eyes(path, rows)
    graded, others = [], 0
    for row in rows_of_eyes:
        grade = None if row.grade is None else grade_of(str(row.grade))
        if row.grade is None:
            problems.append(Problem("no keywords", path, f"keywords of {row.file} in row {row.number}", "none"))
        elif grade in UNUSABLE:
            expected = f"a usable photograph in row {row.number}"
            problems.append(Problem(grade, _place(photographs, str(row.file)), expected, repr(row.grade)))
        elif grade is None:
            others += 1
        else:
            graded.append(row)
    listing, _ = list_rows(
        path, graded, find=photographs.find, grade_of=lambda cell: grade_of(str(cell)), expected=GRADES
    )
    listing.problems += problems
    if not listing.records:
        problem = f"; the first problem: {listing.problems[0]}" if listing.problems else ""
        raise NotThisDataset(f"{path}: no row names a photograph below {root} and its grade{problem}")
    listing.notes.append(f"{others} eyes of {path.name} have other keywords, and so no grade: left out")
    return with_splits(listing, root, guess=True, test_percent=test_percent, val_percent=val_percent, seed=seed)


def _place(photographs: PhotographsByStem, cell: str) -> Path:
    """Where a photograph is that is left out anyway."""
    try:
        return photographs.find(cell)
    except BadInput as error:
        return error.problem.file


def _eyes(sheet: Path, rows: Sequence[Sequence]) -> tuple[list[Row], list[Problem]]:
    """A Row for every eye, `grade` its keywords; with a column `filename`, each row is of the eye that this names."""
    headings = [normalised(cell) for cell in rows[0]]
    patient = place_of(headings, {"id"})
    files = {eye: place_of(headings, {f"{eye}fundus"}) for eye in _EYES}
    keywords = {eye: place_of(headings, {f"{eye}diagnostickeywords"}) for eye in _EYES}
    own = headings.index("filename") if "filename" in headings else None
    found, problems = [], []
    for number, cells in enumerate(rows[1:], start=2):
        named = [cells[own]] if own is not None else [cells[files[eye]] for eye in _EYES]
        for file in [x for x in named if x is not None]:
            eye = _eye_of(str(file))
            if eye:
                found.append(Row(number, file, cells[keywords[eye]], patient=cells[patient]))
            else:
                problems.append(Problem("unknown eye", sheet, f"left or right in a name in row {number}", repr(file)))
    return found, problems


def _eye_of(file: str) -> str | None:
    match = re.search("(left|right)$", Path(file_of(file)).stem.lower())
    return match[1] if match else None


CONVERTER = Converter(
    name="odir",
    title="ODIR's photographs and keywords",
    splits=("train", "val", "test"),
    list_records=list_records,
    options={"sheet": {"default": "", "metavar": "FILE", "help": "of keywords, where it is not below --root"}}
    | DRAW_OPTIONS,
)
