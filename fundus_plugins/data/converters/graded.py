"""Photographs of your own with a grade each and no masks: a folder per grade, or a sheet of files and grades.

    [{train,val,test}/]{normal,suspicious,glaucoma}/*.jpg        graded_folders
    --sheet grades.csv: columns file, grade [, split] [, patient]   graded_sheet

Folders and grades may have other usual names (healthy, suspects, non-glaucoma, ...), and any that `--grades
early=suspicious ...` tells; folders of other names, or of two grades at once, are listed and left out. Where no split
is given, about `--test-percent` of the photographs become test, and `--val-percent` of the rest val; every split gets
its share of each grade, a patient's being the highest. The eyes of one patient never part: the patient is the sheet's,
else what `--patient` finds in the name, else read from it as in known sets (RET002OD, 12_left). A guess that makes
more than a few photographs one patient is refused.
"""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from fundus_plugins.data.coco import GRADES
from fundus_plugins.data.converters.draws import with_splits
from fundus_plugins.data.converters.grade_names import USUAL_NAMES, GradeNames
from fundus_plugins.data.converters.graded_rows import Row, list_rows, record
from fundus_plugins.data.converters.record import Converter, Listing, NotThisDataset
from fundus_plugins.data.converters.splits import split_named, splits_within
from fundus_plugins.photographs.folders import (
    PHOTOGRAPH_SUFFIXES,
    first_entries,
    is_photograph,
    unused_pictures,
    walk_files,
)
from fundus_plugins.photographs.lookup import NamedPhotographs
from fundus_plugins.photographs.problems import BadInput, Problem
from fundus_plugins.photographs.sheets import normalised, read_sheet

_PATIENT_HEADING = re.compile(r"^(patient|subject|person|participant)|^(mrn|pid|case|caseid|caseno)$")
_COLUMNS = {
    "file": {"file", "filename", "image", "imagename", "imgname", "path", "photograph"},
    "grade": {"grade", "label", "diagnosis", "class"},
    "split": {"split", "set", "part", "subset", "partition", "datasplit", "splitname", "usage", "traintest"},
    "patient": {"patient", "patientid", "subject", "subjectid"},
}


def list_folders(
    root: Path,
    *,
    grades: Sequence[str] = (),
    grade_names: Sequence[str] = (),
    patient: str,
    test_percent: float,
    val_percent: float,
    seed: int,
) -> Listing:
    """Photographs in folders named after a grade, within folders named after a split if there are any.

    Raises NotThisDataset.
    """
    _check_pattern(patient)
    names = GradeNames(grades, grade_names)
    listing, files, used = Listing(grades=names.grades), walk_files(root), []
    photographs = [file for file in files if is_photograph(file)]
    common = os.path.commonpath([file.parent for file in photographs]) if photographs else ""
    ambiguous: dict[Path, tuple[str, int]] = {}
    for file in photographs:
        # A folder about all of them is the set's own name, unless nothing below it says more.
        words = names.within(file.parent.relative_to(common).parts) or names.within(Path(common).parts)
        found = set(words.values())
        splits = set().union(*map(splits_within, file.parent.relative_to(common).parts))
        # Of the set's own folders only a name that says nothing else: glaucoma_test may be all of a set.
        splits = splits or {split for name in Path(common).parts if (split := split_named(name))}
        if len(found) > 1 or len(splits) > 1 or None in found:
            both = " and ".join(sorted(words if len(splits) < 2 else splits))
            ambiguous[file.parent] = both, ambiguous.get(file.parent, ("", 0))[1] + 1
            used.append(file)
        elif grade := next(iter(found), None):
            listing.records.append(record(next(iter(splits), ""), root / file, grade, None, patient))
            used.append(file)
    listing.warnings += names.warnings()
    _warn_of_pattern(listing, patient)
    expected = "one grade, and one split at most, in the folders' names (rename them)"
    for folder, (both, number) in ambiguous.items():
        listing.problems.append(Problem("ambiguous folder", root / folder, expected, f"{both}: {number} photographs"))
    usual = ", ".join(f"{grade} ({', '.join(usual[1:4])}, ...)" for grade, usual in USUAL_NAMES.items())
    usual = usual if names.grades == GRADES else ", ".join(names.grades)
    listing.problems += unused_pictures(root, files, used, f"a folder named after a grade: {usual}")
    if not listing.records:
        problem = f"; the first problem: {listing.problems[0]}" if listing.problems else ""
        raise NotThisDataset(
            f"{root} does not hold a folder for each grade: looked for photographs ({', '.join(PHOTOGRAPH_SUFFIXES)}) "
            f"below folders named {', '.join(names.grades[:-1])} or {names.grades[-1]}, found none; "
            f"the folder holds: {first_entries(root)}{problem}"
        )
    return with_splits(listing, root, guess=not patient, test_percent=test_percent, val_percent=val_percent, seed=seed)


def list_sheet(
    root: Path,
    *,
    sheet: str | Path,
    grades: Sequence[str] = (),
    grade_names: Sequence[str] = (),
    patient: str,
    test_percent: float,
    val_percent: float,
    seed: int,
) -> Listing:
    """Photographs named, with their grades, by a CSV or Excel sheet; paths are relative to `root`.

    Raises NotThisDataset.
    """
    names, photographs = GradeNames(grades, grade_names), NamedPhotographs(root)
    files = [root / file for file in photographs.files]
    listing = sheet_listing(root, Path(sheet), names, photographs.find, files, names.grades, patient)
    listing.grades = names.grades
    listing.warnings += names.warnings()
    return with_splits(listing, root, guess=not patient, test_percent=test_percent, val_percent=val_percent, seed=seed)


def sheet_listing(
    root: Path,
    sheet: Path,
    names: GradeNames,
    find: Callable[[str], Path],
    files: Sequence[Path],
    expected: Sequence[str] = GRADES,
    patient: str = "",
) -> Listing:
    """What a sheet with the columns file and grade names, before splits are drawn.

    Args:
        find: from a cell to the photograph; may raise BadInput.
        files: the photographs below `root`, to tell how many are not used.
        expected: names of grades, for messages.
        patient: a regular expression, for files' names.

    Raises NotThisDataset.
    """
    try:
        rows = read_sheet(sheet, alone=True)
    except BadInput as error:
        raise NotThisDataset(str(error.problem)) from None
    headings = [normalised(cell) for cell in rows[0]] if rows else []
    columns = {key: next((i for i, h in enumerate(headings) if h in usual), None) for key, usual in _COLUMNS.items()}
    if columns["file"] is None or columns["grade"] is None:
        found = ", ".join(map(str, rows[0])) if rows else "nothing"
        raise NotThisDataset(f"{sheet}: expected a first row with the columns file and grade, found {found}")
    columns = _columns_by_values(columns, rows, headings)
    _refuse_two_columns(sheet, rows, headings)
    _check_pattern(patient)
    cells = [
        Row(number, **{key: None if column is None else row[column] for key, column in columns.items()})
        for number, row in enumerate(rows[1:], start=2)
        if any(cell is not None for cell in row)
    ]
    listing, named = list_rows(sheet, cells, find=find, grade_of=names.of_cell, expected=expected, pattern=patient)
    _warn_of_pattern(listing, patient)
    if (lost := names.read_as_empty()) and any(x.grade is None for x in cells):
        text = (
            f"cells such as {lost[0]!r} are read as empty, and so as no grade: call it something else in {sheet.name}"
        )
        listing.warnings.append(text)
    if not listing.records:
        problem = f"; the first problem: {listing.problems[0]}" if listing.problems else ""
        raise NotThisDataset(f"{sheet}: no row names a photograph below {root} and its grade{problem}")
    blank = [x.photograph.name for x in listing.records if not x.patient]
    if columns["patient"] is not None and blank and not patient:
        listing.warnings.append(f"{len(blank)} rows of {sheet.name} have no patient, such as that of {blank[0]}")
    unused = [str(cell) for i, cell in enumerate(rows[0]) if cell is not None and i not in columns.values()]
    if unused:
        listing.notes.append(f"columns of {sheet.name} that are not used: {', '.join(unused)}")
    unnamed = len(set(files) - named)
    if unnamed:
        listing.notes.append(f"{unnamed} photographs below {root} are not used by {sheet.name}")
    return listing


def _columns_by_values(columns: dict, rows: Sequence[Sequence], headings: Sequence[str]) -> dict:
    """With the split's and the patient's columns found by what is in them, where their headings are unusual."""
    free = [i for i in range(len(headings)) if i not in columns.values()]
    if columns["split"] is None:
        cells = {i: [row[i] for row in rows[1:] if row[i] is not None] for i in free}
        columns = columns | {"split": next((i for i in free if cells[i] and all(map(split_named, cells[i]))), None)}
    if columns["patient"] is None:
        columns = columns | {"patient": next((i for i in free if _PATIENT_HEADING.search(headings[i])), None)}
    return columns


def _refuse_two_columns(sheet: Path, rows: Sequence[Sequence], headings: Sequence[str]) -> None:
    """Raise NotThisDataset where two columns are of one meaning, and differ."""
    for key, names in _COLUMNS.items():
        columns = [i for i, heading in enumerate(headings) if heading in names]
        if len({tuple(row[i] for row in rows[1:]) for i in columns}) > 1:
            found = " and ".join(str(rows[0][i]) for i in columns)
            raise NotThisDataset(f"{sheet}: expected one column for the {key}, found {found}, which differ")


def _warn_of_pattern(listing: Listing, pattern: str) -> None:
    """Raise NotThisDataset where --patient finds nobody; warn where it does not find all."""
    without = [x.photograph.name for x in listing.records if not x.patient] if pattern else []
    if not without:
        return
    if len(without) == len(listing.records):
        raise NotThisDataset(f"--patient {pattern}: expected a patient in names such as {without[0]}, found none")
    listing.warnings.append(
        f"--patient {pattern} finds nobody in {len(without)} names, such as {without[0]}: each counts as a patient"
    )


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise NotThisDataset(f"--patient {pattern}: expected a regular expression, found {error}") from None


DRAW_OPTIONS: dict[str, dict] = {
    "test_percent": {"type": float, "default": 20.0, "help": "for test, where no split is given"},
    "val_percent": {"type": float, "default": 15.0, "help": "of train for val, where there is none"},
    "seed": {"type": int, "default": 0, "help": "of the draw"},
}
_OWN_OPTIONS: dict[str, dict] = {
    "grades": {
        "several": True,
        "metavar": "SOURCE=GRADE",
        "help": f"what a name here means, beside the usual ones; GRADE: {', '.join(GRADES)}, or of --grade-names",
    },
    "grade_names": {
        "several": True,
        "metavar": "GRADE",
        "help": f"the grades, in order, where they are others than {', '.join(GRADES)}",
    },
    "patient": {
        "default": "",
        "metavar": "REGEX",
        "help": "of the file's name; its first group is the patient. '.+': every photograph has its own",
    },
}
_OPTIONS = _OWN_OPTIONS | DRAW_OPTIONS
FOLDERS = Converter(
    name="graded_folders",
    title="photographs in a folder for each grade",
    splits=("train", "val", "test"),
    list_records=list_folders,
    options=_OPTIONS,
)
SHEET = Converter(
    name="graded_sheet",
    title="photographs that a sheet of files and grades names",
    splits=("train", "val", "test"),
    list_records=list_sheet,
    options={"sheet": {"required": True, "help": "CSV or Excel: file, grade [, split, patient]"}} | _OPTIONS,
)
