"""Photographs of your own with LabelMe's files, which hold outlines of disc and cup.

    [{train,val,test}/]*.json     polygons and circles; several of one structure are joined

The photograph is where the file says (`imagePath`, relative to it), or beside it, by that name or by the file's own.
Labels are optic_disc, disc, OD, ... and optic_cup, cup, OC, ... in any case, and what `--categories` says. What is in
no split's folder becomes `test`, or what `--rest` says.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from fundus_plugins.data.annotations import parse_categories
from fundus_plugins.data.converters.record import Converter, Listing, NotThisDataset, Record
from fundus_plugins.data.converters.splits import SPLITS, splits_within
from fundus_plugins.data.labelme import LABELS, LabelMe, read_labelme
from fundus_plugins.photographs.folders import first_entries, folder_names, unused_pictures, walk_files
from fundus_plugins.photographs.problems import BadInput, Problem


def list_records(root: Path, *, rest: str, categories: Sequence[str] = ()) -> Listing:
    """Photographs with a LabelMe file below `root`; problems for files that cannot be used, and labels that are not.

    Raises NotThisDataset, and ValueError for other `categories` than `disc=NAME` and the like.
    """
    own, listing = parse_categories(categories), Listing()
    every = walk_files(root)
    files: list[LabelMe] = []
    for path in (root / x for x in every if x.suffix.lower() == ".json"):
        try:
            files.append(read_labelme(path))
        except BadInput as error:
            listing.problems.append(error.problem)
    if not files:
        raise NotThisDataset(
            f"{root} does not hold LabelMe's files: looked for *.json with a list of shapes, found "
            f"{len(listing.problems)} other .json files; the folder holds: {first_entries(root)}"
        )
    read: dict[Path, Path] = {}
    for file in files:
        record, problems = _record(file, root, rest, own)
        listing.problems += problems
        if record is None:
            continue
        first = read.setdefault(record.photograph, file.path)
        if first == file.path:
            listing.records.append(record)
        else:
            listing.problems.append(Problem("duplicate id", file.path, f"one file of {record.photograph}", str(first)))
    used = [x.relative_to(root) for x in read if x.is_relative_to(root)]
    listing.problems += unused_pictures(root, every, used, "a LabelMe file for each photograph")
    return listing


def _record(file: LabelMe, root: Path, rest: str, own: Mapping[str, int]) -> tuple[Record | None, list[Problem]]:
    """Of one file; None where there is no photograph, or no one split."""
    splits = set().union(*map(splits_within, folder_names(file.path.relative_to(root))))
    if len(splits) > 1:
        found = " and ".join(sorted(splits))
        return None, [Problem("ambiguous folder", file.path.parent, "one split in the folders' names", found)]
    photograph = file.find_photograph()
    if photograph is None:
        named = file.photograph or file.path.with_suffix(".jpg")
        found = "a copy in the file alone, which is not read" if file.embedded else "none"
        return None, [Problem("missing photograph", file.path, f"its photograph {named}", found)]
    unknown = file.unknown(own)
    problems = (
        [Problem("unknown label", file.path, f"{LABELS}, or --categories", ", ".join(unknown))] if unknown else []
    )
    return Record(next(iter(splits), rest), photograph, None, partial(read_masks, file.path, own)), problems


def read_masks(path: Path, own: Mapping[str, int], shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
    """Disc and cup, boolean (H, W), of a LabelMe file. Raises BadInput."""
    return read_labelme(path).masks(shape, own)


CONVERTER = Converter(
    name="labelme",
    title="photographs with LabelMe's files of outlines",
    splits=SPLITS,
    list_records=list_records,
    options={
        "rest": {"choices": SPLITS, "default": "test", "help": "the split of what is in no split's folder"},
        "categories": {
            "multiple": True,
            "metavar": "disc=NAME",
            "help": "a label beside the usual ones; ignore=NAME for what is neither",
        },
    },
)
