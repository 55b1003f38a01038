"""What INPUT.DISC_CROP asks for, and the detected discs that it names."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from detectron2.config import CfgNode

from fundus_plugins.data.annotations import DISC, structures_of
from fundus_plugins.data.coco_file import read_coco
from fundus_plugins.photographs.problems import BadInput

ABOUT = ("none", "true", "detected")


def check_disc_crop(cfg: CfgNode) -> None:
    """Raise ValueError where INPUT.DISC_CROP makes no sense, or the model does not paste back what it sees."""
    node = cfg.INPUT.DISC_CROP
    if node.ABOUT not in ABOUT:
        raise ValueError(f"INPUT.DISC_CROP.ABOUT {node.ABOUT!r}: expected one of {', '.join(ABOUT)}")
    if node.ABOUT == "none":
        return
    if cfg.MODEL.META_ARCHITECTURE != "DiscCupSegmentor" or cfg.INPUT.TARGETS != "disc_cup":
        raise ValueError(
            "INPUT.DISC_CROP needs MODEL.META_ARCHITECTURE DiscCupSegmentor, which pastes back, and INPUT.TARGETS "
            f"disc_cup; found {cfg.MODEL.META_ARCHITECTURE} and {cfg.INPUT.TARGETS}"
        )
    if cfg.INPUT.RANDOM_AFFINE.SIDE:
        raise ValueError("INPUT.DISC_CROP and INPUT.RANDOM_AFFINE.SIDE both frame the photograph: set one of them")
    if node.ABOUT == "detected" and cfg.DATASETS.TEST and not node.DISCS:
        raise ValueError(
            "INPUT.DISC_CROP.ABOUT detected: evaluation reads the discs from INPUT.DISC_CROP.DISCS, COCO JSON such as "
            "predictions.coco.json of `fundus predict PHOTOGRAPHS --write coco`; found none"
        )


class DetectedDisc(NamedTuple):
    """What was found in a photograph of so many pixels: a box (4,), XYXY in these pixels, or None."""

    box: np.ndarray | None
    height: int
    width: int


def detected_discs(path: str | Path) -> dict[str, DetectedDisc]:
    """The discs in a COCO JSON, by the file names, without their folders, of all photographs in it.

    Of several discs of a photograph the one of the highest score counts.

    Raises:
        BadInput: no such document, photographs of the same name, or discs without a box.
    """
    path = Path(path)
    document = read_coco(path)
    numbers = [x["id"] for x in document["categories"]]
    structure = dict(zip(numbers, structures_of([x["name"] for x in document["categories"]], path)))
    names = {x["id"]: Path(x["file_name"]).name for x in document["images"]}
    if len(set(names.values())) < len(names):
        raise BadInput("duplicate id", path, "photographs of different file names", "some more than once")
    best: dict[str, Mapping] = {}
    for x in document["annotations"]:
        name = names[x["image_id"]]
        if structure[x["category_id"]] != DISC:
            continue
        if len(x.get("bbox") or ()) != 4:
            raise BadInput("no box", path, f"a bbox of the disc of {name}", repr(x.get("bbox")))
        if name not in best or x.get("score", 0) > best[name].get("score", 0):
            best[name] = x
    boxes = {name: np.array(x["bbox"], float) + [0, 0, *x["bbox"][:2]] for name, x in best.items()}
    return {
        names[x["id"]]: DetectedDisc(boxes.get(names[x["id"]]), x["height"], x["width"]) for x in document["images"]
    }


def check_detected(discs: Mapping[str, DetectedDisc], records: Iterable[Mapping]) -> None:
    """Raise BadInput where one of Detectron2's records is of a photograph in which no disc was looked for.

    That is one that is not in `discs`, or that has another size there.
    """
    for record in records:
        path = Path(record["file_name"])
        if path.name not in discs:
            found = f"it is not among {len(discs)} photographs"
            raise BadInput("no detection", path, "it in the JSON that INPUT.DISC_CROP.DISCS names", found)
        _, height, width = discs[path.name]
        if (height, width) != (record["height"], record["width"]):
            found = f"{record['width']} x {record['height']}"
            raise BadInput("no detection", path, f"{width} x {height} pixels, as in INPUT.DISC_CROP.DISCS", found)
