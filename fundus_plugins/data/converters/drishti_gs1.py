"""Drishti-GS1: 50 + 51 photographs with soft maps that count how many of four experts drew a pixel.

    [Drishti-GS1_files/[Drishti-GS1_files/]]{Training,Test}/Images/[ALL/|GLAUCOMA/|NORMAL/]drishtiGS_001.png
    ... {Training,Test}/{GT,Test_GT}/drishtiGS_001/SoftMap/drishtiGS_001_{ODsegSoftmap,cupsegSoftmap}.png
    ... Notching___Image__level_decisions.xlsx or Drishti-GS1_diagnosis.xlsx, anywhere

A pixel belongs to the disc (cup) where at least `consensus` experts say so. Grades are taken from the notching sheet,
else the diagnosis sheet, else the folder GLAUCOMA or NORMAL.
"""

import re
from functools import partial
from pathlib import Path

import numpy as np

from fundus_plugins.data.converters.record import Converter, Listing, NotThisDataset, Record
from fundus_plugins.photographs.folders import (
    first_entries,
    folder_names,
    group_by_stem,
    is_photograph,
    unused_pictures,
    walk_files,
)
from fundus_plugins.photographs.masks import listed, mask_values, read_mask
from fundus_plugins.photographs.problems import BadInput, Problem
from fundus_plugins.photographs.sheets import SHEET_SUFFIXES, find_columns, normalised, read_sheet

SPLIT_FOLDERS = {"training": "train", "train": "train", "test": "test", "testing": "test"}
SOFT_MAP_LEVELS = np.array([0, 64, 128, 191, 255])  # index = number of experts
SOFT_MAP_TOLERANCE = 8
_SOFT_MAP = re.compile(r"^(?P<stem>.+)_(?P<structure>od|cup)segsoftmap\.png$", re.IGNORECASE)
# Sheet -> headings (normalised) of its column of names and of its column of grades.
_SHEETS = {
    "notching": ("imagenumber", {"normalglaucomal", "normalglaucomatous"}),
    "diagnosis": ("drishtigsfile", {"total"}),
}


def list_records(root: Path, *, consensus: int) -> Listing:
    """Photographs with both soft maps below `root`; problems for those that lack one. Raises NotThisDataset."""
    files, used_files = walk_files(root), []
    listing = Listing()
    photographs: dict[str, list[Path]] = {split: [] for split in CONVERTER.splits}
    soft_maps: dict[tuple[str, str, str], list[Path]] = {}
    for file in files:
        folders = folder_names(file)
        split = next((SPLIT_FOLDERS[folder] for folder in folders if folder in SPLIT_FOLDERS), None)
        match = _SOFT_MAP.match(file.name)
        if split and match:
            soft_maps.setdefault((split, match["stem"].lower(), match["structure"].lower()), []).append(root / file)
            used_files.append(file)
        elif split and "images" in folders and is_photograph(file):
            photographs[split].append(root / file)
            used_files.append(file)
    if not soft_maps or not any(photographs.values()):
        raise NotThisDataset(
            f"{root} does not hold Drishti-GS1: looked for photographs {{Training,Test}}/Images/**/*.png and soft maps "
            f"{{Training,Test}}/**/SoftMap/*_ODsegSoftmap.png, found {sum(map(len, photographs.values()))} "
            f"and {len(soft_maps)}; "
            f"the folder holds: {first_entries(root)}"
        )
    listing.problems += unused_pictures(root, files, used_files, "{Training,Test}/Images or .../SoftMap")
    grades = _read_grades(root, files, listing)
    used = set()
    for split, paths in photographs.items():
        if paths and not any(key[0] == split for key in soft_maps):
            expected = f"soft maps *_ODsegSoftmap.png for {split}"
            listing.problems.append(
                Problem("missing mask", paths[0].parent, expected, f"{len(paths)} photographs without")
            )
            continue
        for stem, found in group_by_stem(paths).items():
            maps = [soft_maps.get((split, stem, structure), []) for structure in ("od", "cup")]
            used |= {(split, stem, "od"), (split, stem, "cup")}
            twice = next((same for same in (found, *maps) if len(same) > 1), None)
            if twice:
                listing.problems.append(Problem("duplicate id", twice[1], f"one {twice[1].name}", f"also {twice[0]}"))
            elif not maps[0]:
                expected = f"a soft map {found[0].stem}_ODsegSoftmap.png below {split}'s folder"
                listing.problems.append(Problem("missing mask", found[0], expected, "none"))
            else:
                read_masks = partial(read_soft_maps, maps[0][0], maps[1][0] if maps[1] else None, consensus)
                grade = grades[stem] if stem in grades else _folder_grade(found[0].relative_to(root))
                listing.records.append(Record(split, found[0], grade, read_masks))
    for key in sorted(soft_maps.keys() - used):
        listing.problems.append(Problem("missing photograph", soft_maps[key][0], f"a photograph {key[1]}.png", "none"))
    return listing


def read_soft_maps(disc: Path, cup: Path | None, consensus: int, shape: tuple[int, int]) -> tuple:
    """Disc and cup where at least `consensus` of four experts agree, boolean (H, W); None for a cup without a map.

    Raises BadInput.
    """
    return tuple(None if path is None else count_experts(path, shape) >= consensus for path in (disc, cup))


def count_experts(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """How many of four experts drew each pixel, (H, W) of 0..4: the nearest level of a soft map.

    Raises BadInput for a value farther than 8 from every level.
    """
    mask = read_mask(path, shape)
    distances = np.abs(np.arange(256)[:, None] - SOFT_MAP_LEVELS)
    values = mask_values(mask)
    unknown = values[distances[values].min(axis=1) > SOFT_MAP_TOLERANCE]
    if unknown.size:
        raise BadInput("unknown mask values", path, "0, 64, 128, 191, 255 (within 8)", listed(unknown))
    if values[-1] and values[-1] <= SOFT_MAP_TOLERANCE:  # labels, or the numbers of colours
        raise BadInput("unknown mask values", path, "0, 64, 128, 191, 255 (within 8)", listed(values))
    return distances.argmin(axis=1).astype(np.uint8)[mask]


def _folder_grade(file: Path) -> str | None:
    folder = file.parent.name.lower()
    return folder if folder in ("glaucoma", "normal") else None


def _read_grades(root: Path, files: list[Path], listing: Listing) -> dict[str, str]:
    """Grades by photograph (lower-case stem) from the sheets below `root`; the notching sheet's where both have one."""
    found: dict[str, dict[str, str]] = {kind: {} for kind in _SHEETS}
    for file in files:
        if file.suffix.lower() not in SHEET_SUFFIXES:
            continue
        try:
            rows = read_sheet(root / file)
        except BadInput as error:
            listing.problems.append(error.problem)
            continue
        for kind, (name_heading, grade_headings) in _SHEETS.items():
            columns = find_columns(rows, {name_heading}, grade_headings)
            if columns and (grade_column := columns[2]) is not None:
                header, name_column, _ = columns
                for row in rows[header + 1 :]:
                    stem, word = _stem(row[name_column]), normalised(row[grade_column])
                    if stem is None or row[grade_column] is None:
                        continue
                    if word[:1] not in ("n", "g"):
                        expected = f"a grade of {stem} that begins with N or G"
                        listing.problems.append(
                            Problem("unknown grade", root / file, expected, repr(row[grade_column]))
                        )
                        continue
                    found[kind][stem] = "normal" if word[0] == "n" else "glaucoma"
    sources = [kind for kind in _SHEETS if found[kind]] or ["folders"]
    listing.facts["grades_from"] = ", ".join(sources)
    return found["diagnosis"] | found["notching"]


def _stem(cell) -> str | None:
    """Lower-case stem of a photograph from `1`, `1.0` or `drishtiGS_001'`; None for anything else."""
    match = (
        re.search(r"^(?:drishtigs_)?(\d+)(\.0+|\.png)?\W*$", str(cell).strip().lower()) if cell is not None else None
    )
    return f"drishtigs_{int(match[1]):03d}" if match else None


CONVERTER = Converter(
    name="drishti_gs1",
    title="Drishti-GS1",
    splits=("train", "test"),
    list_records=list_records,
    options={
        "consensus": {
            "choices": (2, 3, 4),
            "default": 3,
            "help": "how many of the four experts must agree on a pixel",
        }
    },
)
