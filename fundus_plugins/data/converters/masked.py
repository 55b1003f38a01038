"""Photographs of your own, or of a small public set, with mask pictures of the same names.

    [{train,val,test}/]images/*.jpg                    or .png, .bmp, .tif, ..., as all of these
    [{train,val,test}/]{disc,discs,od,masks}/*.png     two values, of which the border has the one outside
    [{train,val,test}/]{cup,cups,oc}/*.png             the same; may be missing, then the cups are unknown

Folders with other pictures are listed. What is in no split's folder becomes `test`, or what `--rest` says: few sets
like these are large enough to train on alone.
"""

from functools import partial
from pathlib import Path

import numpy as np

from fundus_plugins.data.converters.record import Converter, Listing, NotThisDataset, Record
from fundus_plugins.data.converters.splits import SPLITS, splits_within
from fundus_plugins.photographs.folders import (
    MASK_SUFFIXES,
    first_entries,
    folder_names,
    is_photograph,
    structure_of_folder,
    unused_pictures,
    walk_files,
)
from fundus_plugins.photographs.masks import read_structure
from fundus_plugins.photographs.problems import Problem

_PHOTOGRAPHS = ("images", "image", "img", "imgs", "photographs", "photos", "fundus")
_KINDS = dict.fromkeys(_PHOTOGRAPHS, "photograph") | {"masks": "disc", "mask": "disc"}


def list_records(root: Path, *, rest: str) -> Listing:
    """Photographs with a disc mask below `root`; problems for those that lack one. Raises NotThisDataset."""
    files: dict[str, dict[tuple[str, str], list[Path]]] = {"photograph": {}, "disc": {}, "cup": {}}
    every, used = walk_files(root), []
    parted: dict[Path, set[str]] = {}
    for file in every:
        folders = folder_names(file)
        kind = _kind_of(folders)
        splits = set().union(*map(splits_within, folders))
        split = next(iter(splits), rest)
        if len(splits) > 1:
            parted.setdefault(file.parent, splits)
            used.append(file)
        elif kind and (is_photograph(file) or kind != "photograph" and file.suffix.lower() in MASK_SUFFIXES):
            files[kind].setdefault((split, file.stem.lower()), []).append(root / file)
            used.append(file)
    if not files["photograph"].keys() & files["disc"].keys():
        raise NotThisDataset(
            f"{root} does not hold photographs with masks: looked for images/<name>.jpg and masks/<name>.png, found "
            f"{len(files['photograph'])} and {len(files['disc'])}, no pair of one name; "
            f"the folder holds: {first_entries(root)}"
        )
    listing = Listing()
    listing.problems += unused_pictures(root, every, used, "a folder images, masks (disc, od) or cup (oc)")
    for folder, splits in parted.items():
        expected, found = "one split in the folders' names", " and ".join(sorted(splits))
        listing.problems.append(Problem("ambiguous folder", root / folder, expected, found))
    for key in sorted(files["photograph"].keys() | files["disc"].keys() | files["cup"].keys()):
        photographs, discs, cups = (files[kind].get(key, []) for kind in ("photograph", "disc", "cup"))
        twice = next((same for same in (photographs, discs, cups) if len(same) > 1), None)
        if twice:
            problem = Problem("duplicate id", twice[1], f"one {key[1]} in {key[0]}", f"also {twice[0]}")
        elif not photographs:
            problem = Problem("missing photograph", (discs or cups)[0], f"images/{key[1]}.jpg", "none")
        elif not discs:
            problem = Problem("missing mask", photographs[0], f"masks/{key[1]}.png", "none")
        else:
            read_masks = partial(read_mask_pair, discs[0], cups[0] if cups else None)
            listing.records.append(Record(key[0], photographs[0], None, read_masks))
            continue
        listing.problems.append(problem)
    return listing


def _kind_of(folders: list[str]) -> str | None:
    """What is in a folder, by the names of those above, outermost first; a structure goes before `masks`."""
    structures = [structure_of_folder(folder) for folder in folders]
    for folder, structure in zip(reversed(folders), reversed(structures), strict=True):
        if structure or _KINDS.get(folder) == "photograph":
            return structure or "photograph"
    return next((_KINDS[folder] for folder in reversed(folders) if folder in _KINDS), None)


def read_mask_pair(disc: Path, cup: Path | None, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
    """Disc and cup, boolean (H, W), of two files of two values each. Raises BadInput for others."""
    return read_structure(disc, shape), None if cup is None else read_structure(cup, shape)


CONVERTER = Converter(
    name="masked",
    title="photographs with a folder of disc masks, and maybe one of cup masks",
    splits=SPLITS,
    list_records=list_records,
    options={"rest": {"choices": SPLITS, "default": "test", "help": "the split of what is in no split's folder"}},
)
