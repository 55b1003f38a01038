"""REFUGE: the official archives and the usual repacks of them; also data drawn in REFUGE's layout.

Every file belongs to the split that its outermost folder with a split's name says (`Training400`,
`REFUGE-Validation400-GT`, `Test400`, `train`, `val`, ...). Masks are the images below `Disc_Cup_Masks`,
`Disc_Mask(s)`, `gts`, `Masks` and the like, photographs the others, and both are joined by name. A root `X` thus may
hold `X/X/`, masks may be flat or in `G/`, `N/`, `Glaucoma/`, `Non-Glaucoma/`. In REFUGE2's repack `Train/` holds
REFUGE1's three parts, so they become one `train`; `--root <REFUGE2>/Train` gives REFUGE1's own splits.

Masks: 0 cup, 128 rim, 255 background, read with some tolerance; or 0 background, 1 rim, 2 cup. Grades: the folder,
else the label sheet (`index.json`, Excel or CSV with a column of labels, `task1.xls`), else the names g0001, n0001.
Drawn data may have a sheet with the column `Grade`; what is suspicious there is normal in folders and labels.
"""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fundus_plugins.data.coco import GRADES
from fundus_plugins.data.coco_file import read_json
from fundus_plugins.data.converters.record import Converter, Listing, NotThisDataset, Record
from fundus_plugins.photographs.folders import (
    MASK_SUFFIXES,
    first_entries,
    folder_names,
    group_by_stem,
    is_photograph,
    unused_pictures,
    walk_files,
)
from fundus_plugins.photographs.masks import read_disc_and_cup
from fundus_plugins.photographs.problems import BadInput, Problem
from fundus_plugins.photographs.sheets import SHEET_SUFFIXES, file_of, find_columns, normalised, read_sheet

_SPLITS = {
    "train": re.compile(r"(^|[-_])train(ing)?(?![a-z])"),
    "val": re.compile(r"(^|[-_])val(id|idation)?(?![a-z])"),
    "test": re.compile(r"(^|[-_])test(ing)?(?![a-z])"),
}
# Where a photograph has masks in both codings, the original one comes first.
_MASK_FOLDERS = (re.compile(r"^(disc(_cup)?_masks?|gts?|annotation.*|.*-gt)$"), re.compile(r"^masks?$"))
_GRADE_FOLDERS = {"glaucoma": "glaucoma", "g": "glaucoma", "non-glaucoma": "normal", "n": "normal"}
_NAME_COLUMNS = {"imgname", "filename", "imagename"}
_LABEL_COLUMNS = {"glaucomalabel", "labelglaucoma1", "label", "glaucomarisk", "grade", "glaucoma", "diagnosis"}
_LABELS = {"0": "normal", "0.0": "normal", "1": "glaucoma", "1.0": "glaucoma"}


def list_records(root: Path) -> Listing:
    """Photographs with a mask of the same name below `root`; problems for those without. Raises NotThisDataset."""
    files = without_illustrations(walk_files(root))
    photographs: dict[str, list[Path]] = {split: [] for split in CONVERTER.splits}
    masks: dict[str, list[Path]] = {split: [] for split in CONVERTER.splits}
    for file in files:
        split, folders = split_of(file), folder_names(file)
        if split is None:
            continue
        if any(pattern.match(folder) for pattern in _MASK_FOLDERS for folder in folders):
            if file.suffix.lower() in MASK_SUFFIXES:
                masks[split].append(file)
        elif is_photograph(file):
            photographs[split].append(file)
    _check_is_refuge(root, photographs, masks)

    listing = Listing()
    used = [file for group in (photographs, masks) for part in group.values() for file in part]
    listing.problems += unused_pictures(root, files, used, "a folder of a split: Training400, train, val, Test400, ...")
    labels = read_labels(root, files, listing)
    stems = {file.stem.lower() for part in photographs.values() for file in part}
    if labels and not stems & {stem for _, stem in labels}:
        listing.warnings.append(
            f"none of the {len(labels)} names in label sheets is a photograph's: {min(stem for _, stem in labels)}, ..."
        )
    for split in CONVERTER.splits:
        _list_split(root, split, photographs[split], masks[split], labels, listing)
    if any(_SPLITS["val"].search(folder) for file in photographs["train"] for folder in folder_names(file)):
        listing.facts["edition"] = "REFUGE2"
        listing.notes.append(
            "these are REFUGE2's splits, train holds all of REFUGE1; --root <REFUGE2>/Train gives REFUGE1's own splits"
        )
    return listing


def _list_split(root: Path, split: str, photographs: list, masks: list, labels: dict, listing: Listing) -> None:
    masks_by_stem = group_by_stem(masks)
    if photographs and not masks:
        folder = root / photographs[0].parts[0]
        found = f"{len(photographs)} photographs without any"
        listing.problems.append(
            Problem("missing mask", folder, "a folder of masks (Disc_Cup_Masks, gts, Masks)", found)
        )
        return
    for stem, same in group_by_stem(photographs).items():
        candidates = masks_by_stem.pop(stem, [])
        best = min(map(_coding_rank, candidates), default=0)
        candidates = [file for file in candidates if _coding_rank(file) == best]
        twice = next((group for group in (same, candidates) if len(group) > 1), None)
        if twice:
            problem = Problem("duplicate id", root / twice[1], f"one {stem} in {split}", f"also {root / twice[0]}")
        elif not candidates:
            problem = Problem("missing mask", root / same[0], f"a mask {same[0].stem}.bmp or .png in {split}", "none")
        else:
            try:
                grade = grade_of(root, split, same[0], candidates[0], labels)
                listing.records.append(
                    Record(split, root / same[0], grade, partial(read_disc_and_cup, root / candidates[0]))
                )
                continue
            except BadInput as error:
                problem = error.problem
        listing.problems.append(problem)
    for files in masks_by_stem.values():
        listing.problems.append(
            Problem("missing photograph", root / files[0], f"a photograph {files[0].stem}.jpg in {split}", "none")
        )


def without_illustrations(files: Sequence[Path]) -> list[Path]:
    """REFUGE's archives have a picture that explains the masks."""
    return [file for file in files if "illustration" not in file.name.lower()]


def split_of(file: Path) -> str | None:
    for folder in folder_names(file):
        for split, pattern in _SPLITS.items():
            if pattern.search(folder):
                return split
    return None


def _coding_rank(file: Path) -> int:
    """0 for a folder of the original coding, 1 for one of 0/1/2; the innermost folder of masks decides."""
    for folder in reversed(folder_names(file)):
        for rank, pattern in enumerate(_MASK_FOLDERS):
            if pattern.match(folder):
                return rank
    raise AssertionError(f"{file} is in no folder of masks")


def _check_is_refuge(root: Path, photographs: dict[str, list], masks: dict[str, list]) -> None:
    stems = [{(split, file.stem.lower()) for split in files for file in files[split]} for files in (photographs, masks)]
    if not stems[0] & stems[1]:
        raise NotThisDataset(
            f"{root} does not hold REFUGE: looked for photographs (Training400, REFUGE-Validation400, Test400 or "
            f"{{train,val,test}}/Images) and masks of the same names (Disc_Cup_Masks, Disc_Masks, gts or Masks), "
            f"found {len(stems[0])} and {len(stems[1])}, no pair of one name; "
            f"the folder holds: {first_entries(root)}"
        )


def grade_of(root: Path, split: str | None, photograph: Path, mask: Path, labels: dict) -> str | None:
    stem = photograph.stem.lower()
    folders = {file.parent.name.lower() for file in (photograph, mask)}
    said = {_GRADE_FOLDERS[folder] for folder in folders & _GRADE_FOLDERS.keys()}
    said |= {labels[key] for key in ((split, stem), (None, stem)) if key in labels}
    if not said and re.fullmatch(r"[gn]\d{4}", stem):
        said = {"glaucoma" if stem[0] == "g" else "normal"}
    if "suspicious" in said:
        said.discard("normal")  # REFUGE knows no such grade and files it there
    if len(said) > 1:
        raise BadInput(
            "conflicting grades", root / photograph, "one grade", "glaucoma and normal in folders and label sheets"
        )
    return said.pop() if said else None


def read_labels(root: Path, files: list[Path], listing: Listing) -> dict[tuple[str | None, str], str]:
    """Grades by (split or None, lower-case stem) from every label sheet below `root`."""
    labels: dict[tuple[str | None, str], str] = {}
    conflicting = set()
    for file in files:
        is_index = file.name.lower() == "index.json"
        if not is_index and file.suffix.lower() not in SHEET_SUFFIXES:
            continue
        try:
            rows = _index_rows(root / file) if is_index else read_sheet(root / file)
        except BadInput as error:
            listing.problems.append(error.problem)
            continue
        try:
            labelled = _labelled(rows, root / file)
        except BadInput as error:
            listing.problems.append(error.problem)
            continue
        for name, label in labelled:
            if label is None:
                continue
            text = str(label).strip().lower()
            grade = _LABELS.get(text, text)
            if grade not in GRADES:
                listing.problems.append(Problem("unknown grade", root / file, f"0 or 1 for {name}", repr(label)))
                continue
            key = split_of(file), Path(file_of(name)).stem.lower()
            if labels.setdefault(key, grade) != grade:
                found = f"{labels[key]} and {grade}"
                listing.problems.append(Problem("conflicting grades", root / file, f"one grade of {name}", found))
                conflicting.add(key)
    return {key: grade for key, grade in labels.items() if key not in conflicting}


def _labelled(rows: list[list], path: Path) -> list[tuple]:
    """(name, label) of the rows of a sheet; none if the sheet has no labels (REFUGE's sheets of fovea positions)."""
    columns = find_columns(rows, _NAME_COLUMNS, _LABEL_COLUMNS)
    if columns:
        header, name, label = columns
        same = [i for i, cell in enumerate(rows[header]) if normalised(cell) in _LABEL_COLUMNS]
        named = [i for i in same if "glaucoma" in normalised(rows[header][i])]
        if len(named) == 1:
            label = named[0]
        elif len({tuple(str(row[i]) for row in rows[header + 1 :]) for i in same}) > 1:
            found = " and ".join(str(rows[header][i]) for i in same)
            raise BadInput("two label columns", path, "one column of labels", f"{found}, which differ")
        return [] if label is None else [(row[name], row[label]) for row in rows[header + 1 :] if row[name] is not None]
    # task1.xls has no heading: a name and a label.
    if rows and len(rows[0]) == 2 and re.match(r"[a-z]\d+", str(rows[0][0]).lower()):
        return [tuple(row) for row in rows if row[0] is not None]
    return []


def _index_rows(path: Path) -> list[list]:
    try:
        entries = list(read_json(path).values())
        return [["ImgName", "Label"], *([entry["ImgName"], entry.get("Label")] for entry in entries)]
    except (BadInput, AttributeError, KeyError, TypeError) as error:
        found = error.problem.found if isinstance(error, BadInput) else f"{type(error).__name__}: {error}"
        raise BadInput("unreadable label sheet", path, '{"0": {"ImgName": ..., "Label": ...}, ...}', found) from None


CONVERTER = Converter(name="refuge", title="REFUGE", splits=("train", "val", "test"), list_records=list_records)
