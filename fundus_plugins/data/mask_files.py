"""Disc and cup masks from anywhere, to be scored without a model: a folder of pictures, or COCO JSON."""

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO

from fundus_plugins.data.coco import SEGMENTATION_CATEGORIES
from fundus_plugins.data.converters.record import Listing
from fundus_plugins.data.converters.refuge import grade_of, read_labels, split_of
from fundus_plugins.photographs.folders import group_by_stem, walk_files
from fundus_plugins.photographs.masks import BACKGROUND, CUP, RIM, decode_refuge_mask, listed, mask_values, read_mask
from fundus_plugins.photographs.problems import BadInput, Problem

MASK_SUFFIXES = (".bmp", ".png")
_LABELS = {"normal": 0, "glaucoma": 1}

# Disc and cup, (H, W) bool; None where there is no annotation. Raises BadInput.
Masks = Callable[[], tuple[np.ndarray | None, np.ndarray | None]]


@dataclass
class MaskSet:
    """Masks and, where known, labels (1 glaucoma, 0 normal) by lower-case name of the photograph without suffix.

    `document` is the COCO JSON they came from, if they did.
    """

    masks: dict[str, Masks] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    document: dict | None = None


def list_masks(path: Path, *, labels: Path | None = None, truth: MaskSet | None = None) -> MaskSet:
    """Find masks in a folder (searched deeper) of .bmp or .png files, in a COCO JSON, or in COCO results.

    Files are coded 0 cup, 128 rim, 255 background. Their labels come from `labels` and from what a REFUGE folder has:
    label sheets, folders' names, file names. In COCO JSON the categories are `optic_disc` and `optic_cup`, and an
    image's `grade` is its label. COCO results are read with the images of `truth`. Of several masks of a kind, the
    highest `score` counts.

    Raises BadInput if there are no masks to be had at all; what is wrong with single files is in `problems`.
    """
    if path.is_dir():
        found = _list_folder(path)
    elif path.suffix.lower() == ".json":
        found = _list_coco(path, truth)
    else:
        there = "another file" if path.exists() else "nothing there"
        raise BadInput("no masks", path, "a folder of .bmp or .png masks, or a .json in COCO's format", there)
    if not found.masks:
        raise BadInput("no masks", path, "masks of at least one photograph", "none")
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
        found.labels |= {stem: _LABELS[grade] for (_, stem), grade in sheet.items()}
    return found


def _list_folder(root: Path) -> MaskSet:
    found, files, listing = MaskSet(), walk_files(root), Listing()
    sheet = read_labels(root, files, listing)
    found.problems += listing.problems
    masks = [file for file in files if file.suffix.lower() in MASK_SUFFIXES]
    for stem, same in group_by_stem(masks).items():
        if len(same) > 1:
            found.problems.append(
                Problem("duplicate id", root / same[1], f"one mask named {stem}", f"also {root / same[0]}")
            )
            continue
        found.masks[stem] = partial(_read_file, root / same[0])
        try:
            grade = grade_of(root, split_of(same[0]), same[0], same[0], sheet)
        except BadInput as error:
            found.problems.append(error.problem)
            continue
        if grade is not None:
            found.labels[stem] = _LABELS[grade]
    return found


def _read_file(path: Path) -> tuple[np.ndarray, np.ndarray]:
    mask = read_mask(path, None)
    values = mask_values(mask)
    if not set(values) <= {CUP, RIM, BACKGROUND}:
        raise BadInput("unknown mask values", path, "0 cup, 128 rim, 255 background", listed(values))
    return decode_refuge_mask(mask)


def _list_coco(path: Path, truth: MaskSet | None) -> MaskSet:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(document, list):
            if truth is None or truth.document is None:
                expected = "a ground truth in COCO JSON beside COCO results, which know photographs by id only"
                raise BadInput("COCO results", path, expected, "none" if truth is None else "a folder of masks")
            # COCO results have no ids of their own.
            results = [{"iscrowd": 0} | x | {"id": i} for i, x in enumerate(document, start=1)]
            document = truth.document | {"annotations": results}
        coco = COCO()
        coco.dataset = document
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
            coco.createIndex()
        names = {category["id"]: category["name"] for category in document["categories"]}
        found, unknown = MaskSet(document=document), {x["image_id"] for x in document["annotations"]} - set(coco.imgs)
        for image in document["images"]:
            stem = Path(image["file_name"]).stem.lower()
            if stem in found.masks:
                raise BadInput("duplicate id", path, f"one photograph named {stem}", "two")
            found.masks[stem] = partial(_coco_masks, coco, image["id"], names, path)
            if image.get("grade") in _LABELS:
                found.labels[stem] = _LABELS[image["grade"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput("unreadable COCO JSON", path, "COCO's format", f"{type(error).__name__}: {error}") from None
    wanted = {category["name"] for category in SEGMENTATION_CATEGORIES}
    if not wanted <= set(names.values()):
        raise BadInput("other categories", path, " and ".join(sorted(wanted)), ", ".join(names.values()) or "none")
    if unknown:
        found.problems.append(
            Problem("unknown photograph", path, "image ids of the ground truth", listed(sorted(unknown)))
        )
    return found


def _coco_masks(coco: COCO, image_id: int, names: dict[int, str], path: Path) -> tuple:
    masks = []
    for wanted in (category["name"] for category in SEGMENTATION_CATEGORIES):
        same = [x for x in coco.imgToAnns[image_id] if names.get(x["category_id"]) == wanted]
        try:
            best = max(same, key=lambda x: x.get("score", 1.0), default=None)
            masks.append(None if best is None else coco.annToMask(best).astype(bool))
        except Exception as error:  # pycocotools raises what it likes for a broken RLE
            found = f"{type(error).__name__}: {error}"
            raise BadInput("unreadable mask", path, f"the {wanted} of image {image_id}", found) from None
    return tuple(masks)
