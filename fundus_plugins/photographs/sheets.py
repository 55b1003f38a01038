"""Label sheets: Excel files and text with separators, as spreadsheets, R, pandas and people write them."""

import csv
import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from .problems import BadInput, reason
from .regular import read_regular

SHEET_SUFFIXES = (".xlsx", ".xls", ".csv", ".tsv")
MAX_BYTES = 1 << 28
MAX_CELLS = 1 << 22  # of an Excel sheet, empty ones between them too

_SEPARATORS = ",;\t|"
_EMPTY = {"", "na", "n/a", "nan", "null", "none", "#n/a", "<na>"}


def read_sheet(path: Path, *, alone: bool = False) -> list[list]:
    """Rows of the first sheet of an Excel file, or of a text file with separators; the suffix is not trusted.

    Text is UTF-8 or UTF-16, with or without a byte-order mark, or Windows' western encoding; the separator is that of
    the first lines; cells may be quoted. Cells of text have no blanks about them; empty ones, NA and the like are
    None. Where every row but the first begins with one cell more, R has written their numbers: the first row gets an
    empty cell. Raises BadInput if it is neither, and, with `alone`, where an Excel file has several sheets with rows.
    """
    try:
        data = read_regular(path, MAX_BYTES)
        if data.startswith(b"PK"):
            _refuse_far_cells(data)
        if data.startswith((b"PK", b"\xd0\xcf")):
            import pandas  # slow to import, and only Excel's files want it

            sheets = pandas.read_excel(io.BytesIO(data), header=None, sheet_name=None, dtype=object)
            filled = [name for name, sheet in sheets.items() if len(sheet)]
            if alone and len(filled) > 1:
                raise ValueError(f"several sheets: {', '.join(map(str, filled))}; save one of them alone")
            frame = next(iter(sheets.values()))
            rows = [[None if pandas.isna(cell) else cell for cell in row] for row in frame.to_numpy().tolist()]
            return [[as_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
        rows = _text_rows(_decode(data))
    except Exception as error:  # the readers below pandas raise errors of many families
        raise BadInput("unreadable label sheet", path, "an Excel or CSV file", reason(error)) from None
    if not rows:
        raise BadInput("unreadable label sheet", path, "an Excel or CSV file", "no rows")
    return rows


def normalised(cell) -> str:
    """Letters and digits of a cell in lower case, to compare headings."""
    return re.sub(r"[^a-z0-9]", "", str(cell).lower())


def file_of(cell) -> str:
    """The file that a cell names, with slashes, whichever way they lean."""
    return str(cell).strip().replace("\\", "/")


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


def _refuse_far_cells(data: bytes) -> None:
    """Raise ValueError for an Excel file whose cells span more than MAX_CELLS: all between them would be kept."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        sheets = [x for x in file.infolist() if x.filename.startswith("xl/") and x.filename.endswith(".xml")]
        if sum(x.file_size for x in sheets) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES >> 20} MiB when it is unpacked")
        for sheet in sheets:
            places = re.findall(rb'\br="([A-Z]{1,3})(\d{1,7})"', file.read(sheet))
            columns = max((_number(letters) for letters in {x for x, _ in places}), default=0)
            rows = max((int(row) for _, row in places), default=0)
            if rows * columns > MAX_CELLS:
                raise ValueError(f"{rows} rows of {columns} columns; at most {MAX_CELLS:,} cells are read")


def _number(column: bytes) -> int:
    """Of a column's letters: A is 1, AA 27."""
    number = 0
    for letter in column:
        number = 26 * number + letter - 64
    return number


def _decode(data: bytes) -> str:
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("neither text nor an Excel file")
    for encoding in ("utf-16",) if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _text_rows(text: str) -> list[list]:
    separator = _separator(text)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    rows = [[as_cell(cell) for cell in row] for row in lines]
    rows = [row for row in rows if any(cell is not None for cell in row)]
    if len(rows) > 1 and all(len(row) == len(rows[0]) + 1 for row in rows[1:]):
        rows[0] = [None, *rows[0]]
    width = max(map(len, rows), default=0)
    return [row + [None] * (width - len(row)) for row in rows]


def _separator(text: str) -> str:
    """The separator that the first lines have most often outside of quotes; blanks where they are R's, quoted."""
    lines = [re.sub(r'"[^"]*"', "x", line) for line in text.splitlines()[:10]]
    best = max(_SEPARATORS, key=lambda x: (lines[0].count(x) if lines else 0, sum(line.count(x) for line in lines)))
    if any(best in line for line in lines):
        return best
    return " " if '" "' in text[:1000] else ","


def as_cell(cell: str) -> str | None:
    """A cell's text without blanks about it; None for NA and the like."""
    cell = cell.strip()
    return None if cell.lower() in _EMPTY else cell
