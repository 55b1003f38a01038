"""Photographs of your own, or of a small public set, with mask pictures of the same names.

    [{train,val,test}/]images/*.jpg                 or .png, .bmp, .tif, as all of these
    [{train,val,test}/]{disc,discs,masks}/*.png     not 0 on the disc
    [{train,val,test}/]{cup,cups}/*.png             not 0 on the cup; may be missing, then the cups are unknown

What is in no split's folder becomes `test`: few sets like these are large enough to train on.
"""

from functools import partial
from pathlib import Path

import numpy as np

from fundus_plugins.data.converters.record import Converter, Listing, NotThisDataset, Record
from fundus_plugins.photographs.folders import PHOTOGRAPH_SUFFIXES, first_entries, folder_names, walk_files
from fundus_plugins.photographs.masks import listed, mask_values, read_mask
from fundus_plugins.photographs.problems import BadInput, Problem

_SPLITS = ("train", "val", "test")
_SUFFIXES = (*PHOTOGRAPH_SUFFIXES, ".bmp", ".tif", ".tiff")
_KINDS = {"images": "photograph", "disc": "disc", "discs": "disc", "masks": "disc", "cup": "cup", "cups": "cup"}


def list_records(root: Path) -> Listing:
    """Photographs with a disc mask below `root`; problems for those that lack one. Raises NotThisDataset."""
    files: dict[str, dict[tuple[str, str], list[Path]]] = {"photograph": {}, "disc": {}, "cup": {}}
    for file in walk_files(root):
        folders = folder_names(file)
        kind = next((_KINDS[folder] for folder in reversed(folders) if folder in _KINDS), None)
        split = next((folder for folder in folders if folder in _SPLITS), "test")
        if kind and file.suffix.lower() in _SUFFIXES:
            files[kind].setdefault((split, file.stem.lower()), []).append(root / file)
    if not files["photograph"].keys() & files["disc"].keys():
        raise NotThisDataset(
            f"{root} does not hold photographs with masks: looked for images/<name>.jpg and masks/<name>.png, found "
            f"{len(files['photograph'])} and {len(files['disc'])}, no pair of one name; "
            f"the folder holds: {first_entries(root)}"
        )
    listing = Listing()
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


def read_mask_pair(disc: Path, cup: Path | None, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
    """Disc and cup, boolean (H, W), of two files of 0 and at most one other value. Raises BadInput for others."""
    masks = {path: read_mask(path, shape) for path in (disc, cup) if path is not None}
    for path, mask in masks.items():
        if len(values := mask_values(mask)) > 2 or values[0] != 0:
            raise BadInput("unknown mask values", path, "0 and one other value", listed(values))
    return masks[disc] > 0, None if cup is None else masks[cup] > 0


CONVERTER = Converter(
    name="masked",
    title="photographs with a folder of disc masks, and maybe one of cup masks",
    splits=_SPLITS,
    list_records=list_records,
)
