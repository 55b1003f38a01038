"""PAPILA: both eyes of 244 people, disc and cup by two experts.

    FundusImages/RET002OD.jpg
    ExpertsSegmentations/Contours/RET002OD_{disc,cup}_exp{1,2}.txt      x y in each line
    ClinicalData/patient_data_{od,os}.xlsx            #002, Diagnosis: 0 healthy, 1 glaucoma, 2 suspect

Eyes of a patient stay together. Two readers have no majority but what both drew: `--expert 1` or `2` takes one's.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from fundus_plugins.data.converters import readings
from fundus_plugins.data.converters.graded import DRAW_OPTIONS
from fundus_plugins.data.converters.label_sheets import no_sheet, word_of
from fundus_plugins.data.converters.layout import PICTURE, SPLITS, About, Key, Layout, Source, list_layout
from fundus_plugins.data.converters.readers import expert_option
from fundus_plugins.data.converters.record import Converter, Listing
from fundus_plugins.photographs.problems import BadInput, Problem
from fundus_plugins.photographs.sheets import normalised, read_sheet

READERS = ("1", "2")
_GRADES = {"0": "normal", "1": "glaucoma", "2": "suspicious"}  # not in the order of their numbers
_SHEET = re.compile(r"(?:^|/)patient_data_(o[ds])\.(?:xlsx?|csv)$", re.IGNORECASE)
LAYOUT = Layout(
    title="PAPILA",
    photographs=rf"(?:^|/)fundusimages/(?P<id>ret\d+o[ds]){PICTURE}",
    sources=(
        Source(
            "Contours/RET002OD_disc_exp1.txt",
            r"(?:^|/)contours/(?P<id>ret\d+o[ds])_(?P<structure>disc|cup)_exp(?P<reader>[12])\.txt$",
            readings.contour,
        ),
    ),
    looked_for="FundusImages/RET002OD.jpg and ExpertsSegmentations/Contours/RET002OD_disc_exp1.txt",
    readers=READERS,
    ignored=r"(?:^|/)expertssegmentations/|(?:^|/)helpcode/",
    patient=lambda key: key[2][:-2],
)


def list_records(root: Path, *, expert: str, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Photographs with both experts' outlines, and diagnoses, below `root`. Raises NotThisDataset."""
    return list_layout(
        LAYOUT, root, _about, expert=expert, test_percent=test_percent, val_percent=val_percent, seed=seed
    )


def _about(root: Path, files: Sequence[Path], listing: Listing) -> dict[Key, About]:
    found: dict[Key, About] = {}
    conflicting: set[Key] = set()
    sides = {match[1].lower() for file in files if (match := _SHEET.search(file.as_posix()))}
    listing.warnings += [no_sheet(f"patient_data_{side}.xlsx", root) for side in ("od", "os") if side not in sides]
    for file in files:
        match = _SHEET.search(file.as_posix())
        if not match:
            continue
        try:
            rows = read_sheet(root / file)
            first, column = _columns(rows, root / file)
        except BadInput as error:
            listing.problems.append(error.problem)
            continue
        for number, row in enumerate(rows[first:], start=first + 1):
            if row[0] is None or row[column] is None:
                continue
            person, grade = re.fullmatch(r"#?0*(\d+)(?:\.0)?", str(row[0]).strip()), _GRADES.get(word_of(row[column]))
            if person is None or grade is None:
                expected = f"#002 and a diagnosis of 0, 1 or 2 in row {number}"
                text = f"{row[0]!r} and {row[column]!r}"
                listing.problems.append(Problem("unknown grade", root / file, expected, text))
                continue
            key = ("", "", f"ret{int(person[1]):03d}{match[1].lower()}")
            if found.setdefault(key, About(grade)) != About(grade):
                conflicting.add(key)
                text = f"another in row {number}"
                listing.problems.append(Problem("conflicting grades", root / file, f"one diagnosis of {row[0]}", text))
    return {key: about for key, about in found.items() if key not in conflicting}


def _columns(rows: Sequence[Sequence], path: Path) -> tuple[int, int]:
    """The first row of people, after that which begins with ID, and the column of diagnoses, named in a row above."""
    last = next((i for i, row in enumerate(rows[:6]) if normalised(row[0]) == "id"), None)
    named = [i for row in rows[: (last or 0) + 1] for i, cell in enumerate(row) if normalised(cell) == "diagnosis"]
    if last is None or len(set(named)) != 1:
        expected = "rows of headings, one with Diagnosis, the last one beginning with ID"
        raise BadInput("unreadable label sheet", path, expected, ", ".join(map(str, rows[0]))[:80])
    return last + 1, named[0]


CONVERTER = Converter("papila", "PAPILA", SPLITS, list_records, expert_option(READERS) | DRAW_OPTIONS)
