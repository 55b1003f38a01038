"""Label sheets: Excel files and text with separators."""

import re
from collections.abc import Sequence
from pathlib import Path

from .problems import BadInput, reason

SHEET_SUFFIXES = (".xlsx", ".xls", ".csv")


def read_sheet(path: Path) -> list[list]:
    """Rows of the first sheet of an Excel file, or of a text file with separators; the suffix is not trusted.

    Empty cells are None. Raises BadInput if it is neither.
    """
    import pandas  # slow to import, and only label sheets want it

    try:
        with open(path, "rb") as file:
            start = file.read(4)
        if start.startswith((b"PK", b"\xd0\xcf")):
            frame = pandas.read_excel(path, header=None, sheet_name=0, dtype=object)
        else:
            frame = pandas.read_csv(path, header=None, sep="[,;\t]", engine="python", dtype=object)
    except Exception as error:  # the readers below pandas raise errors of many families
        raise BadInput("unreadable label sheet", path, "an Excel or CSV file", reason(error)) from None
    return [[None if pandas.isna(cell) else cell for cell in row] for row in frame.to_numpy().tolist()]


def normalised(cell) -> str:
    """Letters and digits of a cell in lower case, to compare headings."""
    return re.sub(r"[^a-z0-9]", "", str(cell).lower())


def find_columns(rows: Sequence[Sequence], names: set[str], values: set[str]) -> tuple[int, int, int | None] | None:
    """(header row, column of names, column of values or None) of the first row with a heading in `names`, or None.

    Headings are compared after `normalised`.
    """
    for number, row in enumerate(rows[:20]):
        headings = [normalised(cell) for cell in row]
        name_column = next((index for index, heading in enumerate(headings) if heading in names), None)
        if name_column is not None:
            return number, name_column, next((i for i, heading in enumerate(headings) if heading in values), None)
    return None
