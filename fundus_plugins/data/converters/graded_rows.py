"""Rows of a sheet that names photographs and their grades, to records."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fundus_plugins.data.converters.record import Listing, Record
from fundus_plugins.data.converters.splits import SPLITS, split_named
from fundus_plugins.photographs.problems import BadInput, Problem


@dataclass(frozen=True)
class Row:
    """A row's number in the sheet, from 1, and its cells, None where they are empty."""

    number: int
    file: Any
    grade: Any
    split: Any = None
    patient: Any = None


def list_rows(
    sheet: Path,
    rows: Sequence[Row],
    *,
    find: Callable[[str], Path],
    grade_of: Callable[[Any], str | None],
    expected: Sequence[str],
    pattern: str = "",
) -> tuple[Listing, set[Path]]:
    """A record for every photograph that has one grade, and a problem for each row that gives an unknown one.

    Photographs whose grade is empty are left out, their number a note.

    Args:
        find: from a file's cell to the photograph; may raise BadInput.
        grade_of: from a grade's cell to the grade; None where it is unknown.
        expected: what a grade's cell may be, for messages.
        pattern: a regular expression for patients in files' names, for rows without one.

    Returns:
        what was found, and the photographs that rows name.
    """
    listing = Listing()
    seen: dict[Path, tuple[int, str]] = {}
    conflicting: set[Path] = set()
    ungraded: set[Path] = set()
    for row in rows:
        problem = None
        if row.file is None:
            listing.problems.append(Problem("no photograph", sheet, f"a file in row {row.number}", "none"))
            continue
        try:
            file = find(str(row.file).strip())
        except BadInput as error:
            listing.problems += [error.problem] if row.grade is not None else []
            continue
        if row.grade is None:
            ungraded.add(file)
            continue
        grade = grade_of(row.grade)
        split = "" if row.split is None else split_named(row.split)
        if grade is None or split is None:
            kind, cell = ("grade", row.grade) if grade is None else ("split", row.split)
            what = " or ".join(expected if grade is None else SPLITS)
            problem = Problem(f"unknown {kind}", sheet, f"{what} in row {row.number}", repr(cell))
        elif file in seen:
            before, its_grade = seen[file]
            if its_grade != grade:
                conflicting.add(file)
            kind = "duplicate id" if its_grade == grade else "conflicting grades"
            found = f"also in row {row.number}, as {grade}"
            problem = Problem(kind, sheet, f"{file.name} once, in row {before} as {its_grade}", found)
        elif not os.path.isfile(file):
            problem = Problem("missing photograph", file, f"the file of {sheet.name} row {row.number}", "none")
        if problem or grade is None or split is None:
            listing.problems += [problem] if problem else []
            continue
        seen[file] = row.number, grade
        given = None if row.patient is None else str(row.patient).strip()
        listing.records.append(record(split, file, grade, given, pattern))
    listing.records = [x for x in listing.records if x.photograph not in conflicting]
    if ungraded:
        listing.notes.append(f"{len(ungraded)} photographs of {sheet.name} have no grade: left out")
    return listing, set(seen) | ungraded


def record(split: str, file: Path, grade: str, patient: str | None, pattern: str) -> Record:
    """A graded photograph's record, its patient given, or else what `pattern` finds in its name."""
    match = re.search(pattern, file.stem) if pattern and patient is None else None
    if match:
        patient = match[1] if match.re.groups else match[0]
    return Record(split, file, grade, None, patient=patient or "")
