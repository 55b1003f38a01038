"""Photographs of your own with a grade each and no masks: a folder per grade, or a sheet of files and grades.

    [{train,val,test}/]{normal,suspicious,glaucoma}/*.jpg        graded_folders
    --sheet grades.csv: columns file, grade [, split] [, patient]   graded_sheet

Folders and grades may have other usual names (healthy, suspect, non-glaucoma, ...). Where no split is given, about
`--test-percent` of the photographs become test, and `--val-percent` of the rest val. The eyes of one patient never
part: the patient is the sheet's, else what `--patient` finds in the name, else read from it as in known sets
(RET002OD, 12_left).
"""

import re
from dataclasses import replace
from pathlib import Path

from fundus_plugins.data.converters.patients import augmented_copy, draw_patients, patient_of
from fundus_plugins.data.converters.record import Converter, Listing, NotThisDataset, Record
from fundus_plugins.photographs.folders import PHOTOGRAPH_SUFFIXES, first_entries, walk_files
from fundus_plugins.photographs.problems import BadInput, Problem
from fundus_plugins.photographs.sheets import normalised, read_sheet

_SPLITS = {
    "train": ("train", "training", "trainset", "trainingset"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing", "testset"),
}
_GRADES = {
    "normal": ("normal", "healthy", "nonglaucoma", "noglaucoma", "notglaucoma", "negative", "nrg"),
    "suspicious": ("suspicious", "suspect", "suspected", "glaucomasuspect", "suspectedglaucoma", "glaucomasuspected"),
    "glaucoma": ("glaucoma", "glaucomatous", "definiteglaucoma", "positive", "rg"),
}
_SPLIT_OF = {name: split for split, names in _SPLITS.items() for name in names}
_GRADE_OF = {name: grade for grade, names in _GRADES.items() for name in names}
_COLUMNS = {
    "file": {"file", "filename", "image", "imagename", "imgname", "path", "photograph"},
    "grade": {"grade", "label", "diagnosis", "class"},
    "split": {"split", "set", "part"},
    "patient": {"patient", "patientid", "subject", "subjectid"},
}


def list_folders(root: Path, *, patient: str, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Photographs in folders named after a grade, within folders named after a split if there are any.

    Raises NotThisDataset.
    """
    listing = Listing()
    for file in walk_files(root):
        if file.suffix.lower() not in PHOTOGRAPH_SUFFIXES:
            continue
        folders = [normalised(folder) for folder in reversed(file.parent.parts)]  # the innermost decides
        grade = next((_GRADE_OF[folder] for folder in folders if folder in _GRADE_OF), None)
        split = next((_SPLIT_OF[folder] for folder in folders if folder in _SPLIT_OF), "")
        if grade:
            _add(listing, split, root / file, grade, _patient(file.stem, patient))
    if not listing.records:
        raise NotThisDataset(
            f"{root} does not hold a folder for each grade: looked for photographs (.jpg, .jpeg, .png) below folders "
            f"named normal, suspicious or glaucoma, found none; the folder holds: {first_entries(root)}"
        )
    return _with_splits(listing, test_percent, val_percent, seed)


def list_sheet(
    root: Path, *, sheet: str | Path, patient: str, test_percent: float, val_percent: float, seed: int
) -> Listing:
    """Photographs named, with their grades, by a CSV or Excel sheet; paths are relative to `root`.

    Raises NotThisDataset.
    """
    sheet = Path(sheet)
    try:
        rows = read_sheet(sheet)
    except BadInput as error:
        raise NotThisDataset(str(error.problem)) from None
    headings = [normalised(cell) for cell in rows[0]] if rows else []
    columns = {key: next((i for i, h in enumerate(headings) if h in names), None) for key, names in _COLUMNS.items()}
    if columns["file"] is None or columns["grade"] is None:
        found = ", ".join(map(str, rows[0])) if rows else "nothing"
        raise NotThisDataset(f"{sheet}: expected a first row with the columns file and grade, found {found}")
    listing = Listing()
    seen: dict[Path, int] = {}
    for number, row in enumerate(rows[1:], start=2):
        cells = {key: None if column is None else row[column] for key, column in columns.items()}
        if cells["file"] is None:
            continue
        file = root / str(cells["file"]).strip()
        grade = _GRADE_OF.get(normalised(cells["grade"]))
        split = _SPLIT_OF.get(normalised(cells["split"]), "" if cells["split"] is None else None)
        if grade is None or split is None:
            kind, cell = ("grade", cells["grade"]) if grade is None else ("split", cells["split"])
            expected = " or ".join(_GRADES if grade is None else _SPLITS)  # numbers: nobody knows their order
            listing.problems.append(Problem(f"unknown {kind}", sheet, f"{expected} in row {number}", repr(cell)))
        elif file in seen:
            listing.problems.append(
                Problem("duplicate id", sheet, f"{file.name} once, in row {seen[file]}", f"also in row {number}")
            )
        elif not file.is_file():
            listing.problems.append(
                Problem("missing photograph", file, f"the file of {sheet.name} row {number}", "none")
            )
        else:
            seen[file] = number
            whose = _patient(file.stem, patient) if cells["patient"] is None else str(cells["patient"]).strip()
            _add(listing, split, file, grade, whose)
    if not listing.records:
        problem = f"; the first problem: {listing.problems[0]}" if listing.problems else ""
        raise NotThisDataset(f"{sheet}: no row names a photograph below {root} and its grade{problem}")
    return _with_splits(listing, test_percent, val_percent, seed)


def _add(listing: Listing, split: str, file: Path, grade: str, patient: str) -> None:
    problem = augmented_copy(file)
    if problem:
        listing.problems.append(problem)
    else:
        listing.records.append(Record(split, file, grade, None, patient=patient))


def _patient(stem: str, pattern: str) -> str:
    match = re.search(pattern, stem) if pattern else None
    if not match:
        return patient_of(stem)
    return match[1] if match.re.groups else match[0]


def _with_splits(listing: Listing, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Every record with a split: drawn where there is none of that kind. No patient is on two sides."""
    records = listing.records
    _refuse_parted_patients(listing)
    if not any(record.split for record in records):
        _draw(listing, "test", test_percent, seed)
    listing.records = [replace(record, split=record.split or "train") for record in listing.records]
    if not any(record.split == "val" for record in records):
        _draw(listing, "val", val_percent, seed)
    return listing


def _draw(listing: Listing, split: str, percent: float, seed: int) -> None:
    """Move about `percent` of the records of train to `split`."""
    pool = [i for i, record in enumerate(listing.records) if record.split in ("", "train")]
    patients, grades = ([getattr(listing.records[i], key) for i in pool] for key in ("patient", "grade"))
    drawn = draw_patients(patients, grades, percent / 100, seed)
    for i in (i for i, chosen in zip(pool, drawn, strict=True) if chosen):
        listing.records[i] = replace(listing.records[i], split=split)
    listing.notes.append(f"no {split} was given: {int(drawn.sum())} of {len(pool)} photographs drawn, patients whole")


def _refuse_parted_patients(listing: Listing) -> None:
    """What a patient has in an earlier one of test, val and train stays; the rest is left out."""
    order = ("test", "val", "train", "")
    kept: dict[str, Record] = {}
    for record in sorted(listing.records, key=lambda record: order.index(record.split)):
        first = kept.setdefault(record.patient, record)
        if first.split != record.split:
            expected, found = f"patient {record.patient} in one split", f"{first.photograph.name} is in {first.split}"
            listing.problems.append(Problem("parted patient", record.photograph, expected, found))
    listing.records = [record for record in listing.records if kept[record.patient].split == record.split]


_OPTIONS: dict[str, dict] = {
    "patient": {
        "default": "",
        "metavar": "REGEX",
        "help": "of the file's name; its first group is the patient",
    },
    "test_percent": {"type": float, "default": 20.0, "help": "for test, where no split is given"},
    "val_percent": {"type": float, "default": 15.0, "help": "of train for val, where there is none"},
    "seed": {"type": int, "default": 0, "help": "of the draw"},
}
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
