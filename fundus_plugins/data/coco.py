"""COCO JSON for fundus photographs: what is in it, and writing it.

Two files per split. `<split>.json` holds exact masks of the optic disc, cup included, and of the cup.
`<split>_grading.json` holds one grade per photograph, as an annotation whose box is the whole photograph; photographs
of unknown grade are not in it.

A cup that nobody drew ("unknown") has no annotation. A cup that was looked for and is not there ("empty") has one
with an empty RLE, area 0 and box [0, 0, 0, 0]: Detectron2's `load_coco_json` carries that through, while a field of
the image would be lost there.

Where several readers drew the masks, `<split>.json` holds one disc and one cup all the same: one reader's, or what
they agree on. What each of them drew is in a file of its own, `<split>_reader_<name>.json`, of the same format and
with the same image ids, whose annotations have `reader`.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as mask_util

from fundus_plugins.files import atomic_write
from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio

FORMAT_VERSION = "1"
READER = "_reader_"  # between the split and a reader's name, in a file's name

SEGMENTATION_CATEGORIES: list[dict[str, Any]] = [
    {"id": 1, "name": "optic_disc", "supercategory": "fundus"},
    {"id": 2, "name": "optic_cup", "supercategory": "fundus"},
]
# Ordinal, in this order; a set with two grades leaves the middle one empty.
GRADING_CATEGORIES: list[dict[str, Any]] = [
    {"id": 1, "name": "normal", "supercategory": "grade"},
    {"id": 2, "name": "suspicious", "supercategory": "grade"},
    {"id": 3, "name": "glaucoma", "supercategory": "grade"},
]
GRADES: tuple[str, ...] = tuple(category["name"] for category in GRADING_CATEGORIES)

# RGB, as Detectron2's Visualizer wants them.
SEGMENTATION_COLORS = [[0, 200, 0], [255, 200, 0]]
GRADING_COLORS = [[0, 160, 0], [255, 200, 0], [220, 0, 0]]


@dataclass(frozen=True)
class AnnotatedImage:
    """One photograph and what is known of it; sizes and masks in pixels of the photograph, masks as compressed RLE.

    `disc` is None when there are no masks, `cup` and `vcdr` when the cup was not annotated, `grade`, one of GRADES
    or of the set's own, when not known, `patient` "" when nothing tells. `readers` has disc and cup of everyone who
    drew them, where there are several.
    """

    photograph: Path
    height: int
    width: int
    disc: dict | None
    cup: dict | None
    vcdr: float | None
    grade: str | None
    patient: str = ""
    readers: Mapping[str, tuple[dict, dict | None]] = field(default_factory=dict)


def reader_file(folder: Path, split: str, reader: str) -> Path:
    """Where a reader's masks of a split are."""
    return folder / f"{split}{READER}{reader}.json"


def mask_to_rle(mask: np.ndarray) -> dict:
    """Exact compressed RLE of a mask (H, W), non-zero inside: `{"size": [H, W], "counts": str}`, ready for JSON."""
    rle = mask_util.encode(np.asfortranarray(np.asarray(mask) != 0, dtype=np.uint8))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def mask_annotation(rle: dict, *, category_id: int, image_id: int, annotation_id: int) -> dict:
    """COCO annotation of a compressed RLE; `bbox` is XYWH and `area` counts pixels, all zero for an empty mask."""
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": category_id,
        "iscrowd": 0,
        "bbox": [float(side) for side in mask_util.toBbox(rle)],
        "area": int(mask_util.area(rle)),
        "segmentation": rle,
    }


def _image_entry(image: AnnotatedImage, image_id: int, folder: Path) -> dict:
    return {
        "id": image_id,
        "file_name": Path(os.path.relpath(image.photograph, folder)).as_posix(),
        "height": image.height,
        "width": image.width,
        "grade": image.grade,
        "vcdr": None if image.vcdr is None else round(image.vcdr, 6),
    } | ({"patient": image.patient} if image.patient else {})


def build_segmentation(
    images: Sequence[AnnotatedImage], folder: Path, info: dict, *, reader: str = "", masked: bool = False
) -> dict:
    """COCO document with disc and cup; images get the ids 1..n in the order given, paths are relative to `folder`.

    Args:
        masked: leave out photographs without a disc; the others keep their ids.
        reader: whose masks; "" for the photographs' own. Photographs of which this reader has none are not in it.
    """
    entries = []
    annotations: list[dict] = []
    about: dict = {"reader": reader} if reader else {}
    for image_id, image in enumerate(images, start=1):
        masks = image.readers.get(reader, (None, None)) if reader else (image.disc, image.cup)
        if masks[0] is None and (masked or reader):
            continue
        entry = _image_entry(image, image_id, folder)
        if reader and masks[0] is not None:
            entry["vcdr"] = None if masks[1] is None else round(_vcdr(masks[0], masks[1]), 6)
        entries.append(entry)
        for category, rle in zip(SEGMENTATION_CATEGORIES, masks, strict=True):
            if rle is not None:
                ids = {"category_id": category["id"], "image_id": image_id, "annotation_id": len(annotations) + 1}
                annotations.append(mask_annotation(rle, **ids) | about)
    return {"info": info, "images": entries, "annotations": annotations, "categories": SEGMENTATION_CATEGORIES}


def _vcdr(disc: dict, cup: dict) -> float:
    return vertical_cup_to_disc_ratio(mask_util.decode(disc), mask_util.decode(cup))


def build_grading(images: Sequence[AnnotatedImage], folder: Path, info: dict, grades: Sequence[str] = GRADES) -> dict:
    """COCO document with one grade per image whose grade is known; image ids are those of `build_segmentation`.

    `grades`, in order, are its categories.
    """
    own = [{"id": i, "name": name, "supercategory": "grade"} for i, name in enumerate(grades, start=1)]
    entries = []
    annotations: list[dict] = []
    for image_id, image in enumerate(images, start=1):
        if image.grade is None:
            continue
        entries.append(_image_entry(image, image_id, folder))
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": image_id,
                "category_id": list(grades).index(image.grade) + 1,
                "iscrowd": 0,
                "bbox": [0.0, 0.0, float(image.width), float(image.height)],
                "area": image.width * image.height,
            }
        )
    return {"info": info, "images": entries, "annotations": annotations, "categories": own}


def write_json(documents: dict[Path, dict]) -> None:
    """Write JSON documents so that none is ever seen half-written: all under temporary names first, then renamed.

    Folders are made. Equal documents give equal bytes. Raises OSError; files that were there before are then as they
    were.
    """
    with ExitStack() as files:
        opened = [files.enter_context(atomic_write(path)) for path in documents]
        for file, document in zip(opened, documents.values(), strict=True):
            json.dump(document, file, indent=1)
            file.write("\n")
            file.flush()  # a full disk shows here, before anything is renamed
