"""What can be measured of one photograph and its annotations, to find what is wrong or strange."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fundus_plugins.data.annotations import CUP, DISC, disc_and_cup
from fundus_plugins.data.reading import read_record
from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio
from fundus_plugins.measures.shape import ellipse_iou
from fundus_plugins.photographs.picture import open_picture, orientation
from fundus_plugins.photographs.problems import BadInput

NAN = float("nan")


@dataclass
class Examined:
    """One photograph of a set; measures of the disc are nan where there is none.

    Attributes:
        file_name, digest: of the photograph; the digest is of its bytes, "" where they cannot be read.
        problem: (kind, expected, found) of what makes it unusable; None where it is usable.
        grade: contiguous id of the category; None without one, or where these are masks.
        patient: "" where nothing tells.
        turned: the number by which EXIF or TIFF data turn it; 1: not at all.
        brightness, spread: mean and standard deviation of the grey values, 0 to 255.
        disc_share: of the picture.
        vcdr: nan without a cup, too.
        ellipse: how much like an ellipse the disc is (`ellipse_iou`).
        pieces: the part of the disc that is not in its largest region.
        at_edge: whether the picture's edge cuts the disc off.
        contrast: of the green channel, the mean within the disc less that about it, in grey levels.
        masks: a digest of the masks; "" without.
        square: whether the photograph is one, so that no size tells a turn.
    """

    file_name: str
    digest: str = ""
    problem: tuple[str, str, str] | None = None
    grade: int | None = None
    patient: str = ""
    turned: int = 1
    brightness: float = NAN
    spread: float = NAN
    disc_share: float = NAN
    vcdr: float = NAN
    ellipse: float = NAN
    pieces: float = NAN
    at_edge: bool = False
    contrast: float = NAN
    masks: str = ""
    square: bool = False


def examine(record: dict[str, Any], structures: Sequence[int | None] | None) -> Examined:
    """Read a record's photograph, and its masks by `structures` (as `disc_cup_structures` gives them; None: grades)."""
    found = Examined(record["file_name"], patient=record.get("patient", ""))
    try:
        data, opened = open_picture(Path(record["file_name"]), "unreadable photograph")
        found.digest = hashlib.sha256(data).hexdigest()
        image = read_record(dict(record), "RGB")
        found.turned = orientation(opened)
        found.square = image.shape[0] == image.shape[1]
        small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
        found.brightness, found.spread = float(small.mean()), float(small.std())
        if structures is None:
            grades = {x["category_id"] for x in record.get("annotations", ())}
            found.grade = grades.pop() if len(grades) == 1 else None
            return found
        masks = disc_and_cup(record.get("annotations", ()), structures, image.shape[:2], record["file_name"])
        _measure(found, image, masks.get(DISC), masks.get(CUP))
    except BadInput as error:
        found.problem = (error.problem.kind, error.problem.expected, error.problem.found)
    return found


def as_row(found: Examined) -> dict[str, Any]:
    """For JSON."""
    return {key: None if isinstance(x, float) and x != x else x for key, x in asdict(found).items()}


def from_row(row: dict[str, Any]) -> Examined:
    """The inverse."""
    floats = ("brightness", "spread", "disc_share", "vcdr", "ellipse", "pieces", "contrast")
    row = {key: NAN if key in floats and value is None else value for key, value in row.items()}
    return Examined(**row | {"problem": tuple(row["problem"]) if row["problem"] else None})


def _measure(found: Examined, image: np.ndarray, disc: np.ndarray | None, cup: np.ndarray | None) -> None:
    if disc is None:
        return
    if not disc.any():
        raise BadInput("empty disc", Path(found.file_name), "a mask with a disc", "none of its pixels is disc")
    both = np.stack([disc, disc if cup is None else cup])
    found.masks = hashlib.sha256(np.packbits(both).tobytes()).hexdigest()
    found.disc_share = float(disc.mean())
    found.ellipse = ellipse_iou(disc > 0)
    found.at_edge = bool(disc[[0, -1]].any() or disc[:, [0, -1]].any())
    if cup is not None:
        found.vcdr = vertical_cup_to_disc_ratio(disc, cup)
    left, top, width, height = cv2.boundingRect(disc)
    areas = cv2.connectedComponentsWithStats(disc[top : top + height, left : left + width])[2][1:, cv2.CC_STAT_AREA]
    found.pieces = float(1 - areas.max() / areas.sum())
    reach = max(width, height) // 2
    window = (
        slice(max(0, top - reach), top + height + reach),
        slice(max(0, left - reach), left + width + reach),
    )
    green, inside = image[window][..., 1], disc[window] > 0
    about = ~inside & (green > 10)  # what is black lies outside of the camera's field
    found.contrast = float(green[inside].mean() - green[about].mean()) if about.any() else NAN
