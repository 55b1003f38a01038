"""GAMMA: whole photographs in three grades of glaucoma, 100 of them with their grades published.

    multi-modality_images/0001/0001.jpg   glaucoma_grading_training_GT.xlsx: data, non, early, mid_advanced
    photographs/0001.jpg                  grades.csv: file, grade (normal, early, mid_advanced)

The rule: no glaucoma is normal, **early glaucoma is suspicious**, intermediate and advanced glaucoma (mid_advanced) is
glaucoma. So the middle grade is another one than in sets of suspects: glaucoma that is there, and slight. One of the
three columns of the Excel file is 1. Its numbers mean the photograph in the folder of that number; slices of the OCT
are not read. Nothing tells which photographs are of one patient, so each counts as one; a column patient of a sheet in
the other layout does.
"""

from collections.abc import Sequence
from pathlib import Path

from fundus_plugins.data.converters.draws import with_splits
from fundus_plugins.data.converters.grade_names import GradeNames
from fundus_plugins.data.converters.graded import DRAW_OPTIONS, sheet_listing
from fundus_plugins.data.converters.graded_rows import Row, list_rows
from fundus_plugins.data.converters.official_sheet import find_sheet, place_of
from fundus_plugins.data.converters.record import Converter, Listing, NotThisDataset
from fundus_plugins.photographs.lookup import PhotographsByStem
from fundus_plugins.photographs.sheets import normalised

GRADE_OF = {"normal": "normal", "early": "suspicious", "mid_advanced": "glaucoma"}
_COLUMNS = {"non": "normal", "early": "early", "midadvanced": "mid_advanced"}
_FILES = {"data", "file", "filename", "image", "id"}


def list_records(root: Path, *, sheet: str | Path, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Photographs with the grades of `sheet`, or of the one that is found below `root`.

    Raises NotThisDataset.
    """
    looked_for = "a sheet with the columns data, non, early, mid_advanced, or file, grade"
    path, rows = find_sheet(root, sheet, lambda headings: _one_hot(headings) or _simple(headings), "GAMMA", looked_for)
    # A slice of the OCT may have a photograph's number, but lies deeper.
    photographs = PhotographsByStem(root, prefer=lambda file: file.parent.name in (file.stem, "photographs"))
    headings = [normalised(cell) for cell in rows[0]]
    if _one_hot(headings):
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
    else:
        names = GradeNames([f"{name}={grade}" for name, grade in GRADE_OF.items()])
        files = [root / file for file in photographs.files]
        listing = sheet_listing(root, path, names, photographs.find, files, expected=list(GRADE_OF))
    return with_splits(listing, root, guess=False, test_percent=test_percent, val_percent=val_percent, seed=seed)


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
    title="GAMMA's graded photographs",
    splits=("train", "val", "test"),
    list_records=list_records,
    options={"sheet": {"default": "", "metavar": "FILE", "help": "of grades, where it is not below --root"}}
    | DRAW_OPTIONS,
)
