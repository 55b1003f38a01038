"""Disc and cup masks from anywhere, to be scored without a model: a folder of pictures, or COCO JSON."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from fundus_plugins.data.annotations import CUP, DISC, disc_and_cup, structures_of
from fundus_plugins.data.coco_file import check_coco, read_json
from fundus_plugins.data.converters.record import Listing
from fundus_plugins.data.converters.refuge import grade_of, read_labels, split_of, without_illustrations
from fundus_plugins.photographs.anatomy import refuse_impossible
from fundus_plugins.photographs.folders import (
    MASK_SUFFIXES,
    folder_names,
    structure_of_folder,
    walk_files,
)
from fundus_plugins.photographs.masks import read_disc_and_cup, read_structure
from fundus_plugins.photographs.problems import BadInput, Problem

_LABELS = {"normal": 0, "glaucoma": 1}

# Disc and cup, (H, W) bool; None where there is no annotation. Raises BadInput.
Masks = Callable[[], tuple[np.ndarray | None, np.ndarray | None]]


@dataclass
class MaskSet:
    """Masks and, where known, labels (1 glaucoma, 0 normal) by lower-case name of the photograph without suffix.

    `document` is the COCO JSON they came from, if they did; `files` are those of each name, in a folder.
    """

    masks: dict[str, Masks] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    document: dict | None = None
    files: dict[str, tuple[Path, ...]] = field(default_factory=dict)


def list_masks(
    path: Path,
    *,
    labels: Path | None = None,
    truth: MaskSet | None = None,
    categories: Mapping[str, int] | None = None,
    true: bool = True,
    by_path: bool = False,
) -> MaskSet:
    """Find masks in a folder (searched deeper) of pictures, in a COCO JSON, or in COCO results.

    Files hold disc and cup as `read_disc_and_cup` reads them; or the disc alone or the cup alone, where their folders
    are called `disc` and `cup`, `OD` and `OC` or the like. Their labels come from `labels` and from what a REFUGE
    folder has: label sheets, folders' names, file names. In COCO JSON the names of the categories tell disc and cup,
    and an image's `grade` is its label. COCO results are read with the images of `truth`. Of several predicted masks of
    a kind, the highest `score` counts; true ones are joined.

    Args:
        categories: names of categories beside the usual ones, as `parse_categories` gives them.
        true: whether these are true masks, which must be such that an eye can have them.
        by_path: names are with folders, but for those of a structure, so that there may be two of one name.

    Raises BadInput if there are no masks to be had at all; what is wrong with single files is in `problems`.
    """
    if path.is_dir():
        found = _list_folder(path, true, by_path)
    elif path.suffix.lower() == ".json":
        found = _list_coco(path, truth, categories, true, by_path)
    else:
        there = "another file" if path.exists() else "nothing there"
        raise BadInput("no masks", path, "a folder of masks, or a .json in COCO's format", there)
    if not found.masks:
        why = f"none that can be used; the first problem: {found.problems[0]}" if found.problems else "none"
        raise BadInput("no masks", path, "masks of at least one photograph", why)
    if labels is not None:
        listing = Listing()
        sheet = read_labels(labels.parent, [Path(labels.name)], listing)
        if not sheet and listing.problems:
            problem = listing.problems[0]
            raise BadInput(problem.kind, problem.file, problem.expected, problem.found)
        if not sheet:
            expected = "an Excel, CSV or index.json file with columns ImgName and Label, or as REFUGE names them"
            raise BadInput("no labels", labels, expected, "no such columns")
        found.problems += listing.problems
        found.labels |= {stem: _LABELS[grade] for (_, stem), grade in sheet.items() if grade in _LABELS}
        if not found.labels.keys() & found.masks.keys():
            raise BadInput("no labels", labels, "names of the masks' photographs", f"others, such as {min(sheet)[1]}")
    return found


def _list_folder(root: Path, true: bool, by_path: bool) -> MaskSet:
    found, files, listing = MaskSet(), without_illustrations(walk_files(root)), Listing()
    sheet = read_labels(root, files, listing)
    found.problems += listing.problems
    masks = [file for file in files if file.suffix.lower() in MASK_SUFFIXES]
    groups: dict[str, list[Path]] = {}
    for file in sorted(masks):
        groups.setdefault(_path_of(file) if by_path else file.stem.lower(), []).append(file)
    for stem, same in groups.items():
        parts: dict[int | None, list[Path]] = {}
        for file in same:
            parts.setdefault(_structure_of(file), []).append(file)
        several = next((group for group in parts.values() if len(group) > 1), None)
        if several is None and len(parts) > 1 and None in parts:
            several = [file for group in parts.values() for file in group]
        if several:
            problem = Problem("duplicate id", root / several[1], f"one mask named {stem}", f"also {root / several[0]}")
            found.problems.append(problem)
            continue
        found.files[stem] = tuple(root / file for file in same)
        if None in parts:
            found.masks[stem] = partial(_read_file, root / same[0], true)
        elif DISC in parts:
            cup = root / parts[CUP][0] if CUP in parts else None
            found.masks[stem] = partial(_read_files, root / parts[DISC][0], cup, true)
        else:
            found.problems.append(Problem("missing mask", root / same[0], f"a disc beside the cup of {stem}", "none"))
            continue
        try:
            grade = grade_of(root, split_of(same[0]), same[0], same[0], sheet)
        except BadInput as error:
            found.problems.append(error.problem)
            continue
        if grade in _LABELS:
            found.labels[stem] = _LABELS[grade]
    return found


def _structure_of(file: Path) -> int | None:
    """DISC or CUP where the folders' names say so; the innermost decides."""
    said = (structure_of_folder(folder) for folder in reversed(folder_names(file)))
    return {"disc": DISC, "cup": CUP}.get(next((name for name in said if name), ""))


def _path_of(file: Path) -> str:
    """Without suffix and folders of a structure, lower case."""
    folders = [x for x in folder_names(file) if not structure_of_folder(x)]
    return "/".join([*folders, file.stem.lower()])


def _read_file(path: Path, true: bool) -> tuple[np.ndarray, np.ndarray]:
    disc, cup = read_disc_and_cup(path, None)
    if true:
        refuse_impossible(path, disc, cup)
    return disc, cup


def _read_files(disc: Path, cup: Path | None, true: bool) -> tuple[np.ndarray, np.ndarray | None]:
    found = read_structure(disc, None)
    within = None if cup is None else read_structure(cup, found.shape)
    if true:
        refuse_impossible(disc, found, within)
    return found, within


def _list_coco(
    path: Path, truth: MaskSet | None, categories: Mapping[str, int] | None, true: bool, by_path: bool
) -> MaskSet:
    document = read_json(path)
    unknown: set = set()
    if isinstance(document, list):
        if truth is None or truth.document is None:
            expected = "a ground truth in COCO JSON beside COCO results, which know photographs by id only"
            raise BadInput("COCO results", path, expected, "none" if truth is None else "a folder of masks")
        if not all(isinstance(x, Mapping) for x in document):
            raise BadInput("unreadable COCO JSON", path, "COCO results, a list of objects", "something else in it")
        results = document
        there = {image["id"] for image in truth.document["images"]}
        ids = [x.get("image_id") for x in results]
        is_known = [isinstance(x, int | str) and x in there for x in ids]
        unknown = {str(x) for x, known in zip(ids, is_known, strict=True) if not known}
        document = truth.document | {"annotations": [x for x, known in zip(results, is_known, strict=True) if known]}
    document = check_coco(document, path)
    names = {category["id"]: category["name"] for category in document["categories"]}
    structures = dict(zip(names, structures_of(list(names.values()), path, categories), strict=True))
    by_image: dict = {image["id"]: [] for image in document["images"]}
    for annotation in document["annotations"]:
        by_image[annotation["image_id"]].append(annotation)
    found = MaskSet(document=document)
    for image in document["images"]:
        name = image["file_name"].lower()
        stem = os.path.splitext(name)[0] if by_path else Path(name).stem
        if stem in found.masks:
            raise BadInput("duplicate id", path, f"one photograph named {stem}", "two")
        found.masks[stem] = partial(_coco_masks, by_image[image["id"]], structures, image, path, true)
        grade = str(image.get("grade")).lower()
        if grade in _LABELS:
            found.labels[stem] = _LABELS[grade]
    if unknown:
        found.problems.append(
            Problem("unknown photograph", path, "image ids of the ground truth", ", ".join(sorted(unknown)[:6]))
        )
    return found


def _coco_masks(annotations: list[dict], structures: dict, image: dict, path: Path, true: bool) -> tuple:
    where = f"{path}: image {image['id']}, {image['file_name']}"
    size = image["height"], image["width"]
    masks = disc_and_cup(annotations, structures, size, where, true=true)
    return tuple(masks[x] > 0 if x in masks else None for x in (DISC, CUP))
