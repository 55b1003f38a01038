"""The sheets that come with public data sets: a column of photographs' names, one of grades, perhaps others."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fundus_plugins.data.converters.layout import About, Key
from fundus_plugins.data.converters.record import Listing
from fundus_plugins.photographs.problems import BadInput, Problem
from fundus_plugins.photographs.sheets import SHEET_SUFFIXES, file_of, normalised, read_sheet

_PICTURE = re.compile(r"\.(?:jpe?g|png|tiff?|bmp)(?:$|[^a-z].*)", re.IGNORECASE)


def stem_of(cell) -> str:
    """The lower-case name that a cell means, without folders and suffix, and without what follows a suffix.

    >>> stem_of("Images\\\\001.JPG"), stem_of("Image101.jpg-Image101-1.jpg")
    ('001', 'image101')
    """
    return _PICTURE.sub("", file_of(cell).rpartition("/")[2]).lower()


def read_labels(
    root: Path,
    files: Sequence[Path],
    listing: Listing,
    *,
    title: str,
    pattern: str,
    names: set[str],
    grades: set[str],
    values: Mapping[str, str],
    splits: tuple[set[str], Mapping[str, str]] = (set(), {}),
    key: Callable[[str, re.Match], Key] = lambda stem, match: ("", "", stem),
) -> dict[Key, About]:
    """What the sheets whose path fits `pattern` tell of photographs, by their keys; problems go to the listing.

    Args:
        title: a sheet's name, for the warning where there is none.
        names, grades: headings (`normalised`) of the columns of photographs and of grades.
        values: a grade's cell (`normalised`) to the grade.
        splits: headings of a column of splits, and its cells (`normalised`) to splits.
        key: from a name and the sheet's match to the photograph's key.
    """
    found: dict[Key, About] = {}
    if not any(re.search(pattern, file.as_posix(), re.IGNORECASE) for file in files):
        listing.warnings.append(no_sheet(title, root))
    conflicting: set[Key] = set()
    for file in files:
        match = re.search(pattern, file.as_posix(), re.IGNORECASE)
        if not match or file.suffix.lower() not in SHEET_SUFFIXES:
            continue
        try:
            rows = read_sheet(root / file)
        except BadInput as error:
            listing.problems.append(error.problem)
            continue
        columns = [_columns(rows[0], headings) for headings in (names, grades, splits[0])]
        if len(columns[0]) != 1 or len(columns[1]) != 1 or splits[0] and len(columns[2]) > 1:
            wanted = f"one column {' or '.join(sorted(names))} and one {' or '.join(sorted(grades))}"
            there = ", ".join(map(str, rows[0]))[:80]
            listing.problems.append(Problem("unreadable label sheet", root / file, wanted, there))
            continue
        for number, row in enumerate(rows[1:], start=2):
            name, cell = row[columns[0][0]], row[columns[1][0]]
            if name is None or cell is None:
                continue
            grade = values.get(word_of(cell))
            split = "" if not columns[2] else splits[1].get(word_of(row[columns[2][0]]))
            if grade is None or split is None:
                what, text = ("grade", cell) if grade is None else ("split", row[columns[2][0]])
                expected = f"one of {', '.join(values if grade is None else splits[1])} in row {number}"
                listing.problems.append(Problem(f"unknown {what}", root / file, expected, repr(text)))
                continue
            its_key = key(stem_of(name), match)
            about = found.setdefault(its_key, About(grade, split))
            if about != About(grade, split):
                conflicting.add(its_key)
                expected, text = f"one grade and split of {name}", f"another in row {number}"
                listing.problems.append(Problem("conflicting grades", root / file, expected, text))
    return {its_key: about for its_key, about in found.items() if its_key not in conflicting}


def no_sheet(title: str, root: Path) -> str:
    """The warning that a data set's own sheet is missing."""
    return f"there is no {title} below {root}: what it tells, grades above all, is not known"


def word_of(cell) -> str:
    """A cell `normalised`, whole numbers without their point: 1.0 is 1, and -1 keeps its sign."""
    text = str(cell).strip()
    if re.fullmatch(r"-?\d+(\.0+)?", text):
        return text.partition(".")[0]
    return normalised(text)


def _columns(headings: Sequence, wanted: set[str]) -> list[int]:
    return [i for i, heading in enumerate(headings) if normalised(heading) in wanted]
