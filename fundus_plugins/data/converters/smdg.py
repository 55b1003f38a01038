"""SMDG (SMDG-19): nineteen public sets in one layout, 512 x 512, many with masks.

    full-fundus/[full-fundus/]BEH-1.png      optic-disc/[optic-disc/]BEH-1.png      optic-cup/[optic-cup/]BEH-1.png
    metadata - standardized.csv: names, types, ..., original_name, patient_id

Types are 0 healthy, 1 glaucoma, -1 suspect; in older copies (metadata.csv) 0 healthy, 1 suspect, 2 glaucoma, which the
sheet's values tell. Masks are 0 and 255, or soft maps of several experts, of which half and more is inside. A patient
is `patient_id` or what the original name tells, within the set that a name begins with. Photographs without masks
are kept for their grades. Parts of other data sets' test sets are among them: `fundus check` finds copies of files
alone, and these are resized.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fundus_plugins.data.converters import readings
from fundus_plugins.data.converters.graded import DRAW_OPTIONS
from fundus_plugins.data.converters.label_sheets import no_sheet, stem_of, word_of
from fundus_plugins.data.converters.layout import PICTURE, SPLITS, About, Key, Layout, Source, list_layout
from fundus_plugins.data.converters.patients import patient_of
from fundus_plugins.data.converters.record import Converter, Listing
from fundus_plugins.photographs.problems import BadInput, Problem
from fundus_plugins.photographs.sheets import normalised, read_sheet

_SHEET = re.compile(r"(?:^|/)metadata( - standardized)?\.(?:csv|xlsx?)$", re.IGNORECASE)
_TYPES = {"0": "normal", "1": "glaucoma", "-1": "suspicious"}
_OLD_TYPES = {"0": "normal", "1": "suspicious", "2": "glaucoma"}
LAYOUT = Layout(
    title="SMDG",
    photographs=rf"(?:^|/)full-fundus/(?P<id>[^/]+){PICTURE}",
    sources=(
        Source(
            "optic-disc/*.png and optic-cup/*.png",
            rf"(?:^|/)optic-(?P<structure>disc|cup)/(?P<id>[^/]+){PICTURE}",
            readings.soft_structure,
        ),
    ),
    looked_for="full-fundus/*.png, optic-disc/*.png and optic-cup/*.png",
    unmasked=True,
    ignored=r"(?:^|/)(?:blood-vessel|artery|vein|fundus-fov|fov|oct|onh)s?/",
)


def list_records(root: Path, *, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Photographs with their masks, if they have some, and types, below `root`. Raises NotThisDataset."""
    return list_layout(LAYOUT, root, _about, test_percent=test_percent, val_percent=val_percent, seed=seed)


def _about(root: Path, files: Sequence[Path], listing: Listing) -> dict[Key, About]:
    sheets = [file for file in files if _SHEET.search(file.as_posix())]
    found: dict[Key, About] = {}
    listing.warnings += [] if sheets else [no_sheet("metadata - standardized.csv", root)]
    for file in sheets[:1]:
        try:
            rows = read_sheet(root / file)
        except BadInput as error:
            listing.problems.append(error.problem)
            continue
        headings = [normalised(cell) for cell in rows[0]]
        if headings.count("names") != 1 or headings.count("types") != 1:
            there = ", ".join(map(str, rows[0]))[:80]
            listing.problems.append(Problem("unreadable label sheet", root / file, "columns names and types", there))
            continue
        found = _rows(rows, headings, root / file, listing)
    for file in sheets[1:]:
        listing.problems.append(Problem("second sheet", root / file, "one sheet of metadata", f"also {sheets[0]}"))
    return found


def _rows(rows: Sequence[Sequence], headings: list[str], path: Path, listing: Listing) -> dict[Key, About]:
    name, kind = headings.index("names"), headings.index("types")
    person = headings.index("patientid") if "patientid" in headings else None
    original = headings.index("originalname") if "originalname" in headings else None
    cells = {word_of(row[kind]) for row in rows[1:] if row[kind] is not None}
    if {"-1", "2"} <= cells:
        expected = "types of 0, 1 and -1, or of 0, 1 and 2"
        listing.problems.append(Problem("unknown grade", path, expected, "both -1 and 2"))
        return {}
    grades = _OLD_TYPES if "2" in cells else _TYPES
    names = Counter(stem_of(row[name]) for row in rows[1:] if row[name] is not None)
    found: dict[Key, About] = {}
    for number, row in enumerate(rows[1:], start=2):
        if row[name] is None:
            continue
        stem, grade = stem_of(row[name]), grades.get(word_of(row[kind])) if row[kind] is not None else None
        if names[stem] > 1:
            listing.problems.append(Problem("duplicate id", path, f"{row[name]} once", f"again in row {number}"))
            continue
        if grade is None and row[kind] is not None:
            expected = f"one of {', '.join(grades)} in row {number}"
            listing.problems.append(Problem("unknown grade", path, expected, repr(row[kind])))
        whose = str(row[person]) if person is not None and row[person] is not None else ""
        if not whose and original is not None and row[original] is not None:
            whose = patient_of(stem_of(row[original])) or ""
        database = stem.rpartition("-")[0]
        found["", "", stem] = About(grade, "", f"{database} {whose}" if whose else "")
    return found


CONVERTER = Converter("smdg", "SMDG", SPLITS, list_records, DRAW_OPTIONS)
