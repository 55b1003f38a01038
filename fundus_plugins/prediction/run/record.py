"""What a run keeps of one photograph: a record of plain values, and its row in the table."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from fundus_plugins.measures.morphometry import vertical_diameter
from fundus_plugins.measures.nerve_head import NerveHead
from fundus_plugins.photographs.field import Field, find_field
from fundus_plugins.photographs.laterality import eye_of_place
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.sources import CONTRADICTION, Known, Source, place_of
from fundus_plugins.prediction.result import MEASURED, FundusPrediction

FAILED = "failed"
EYE_BY_PLACE = 0.99  # about how often that is right: docs/results/eye_side.md
_SURE = 0.3  # half widths of the field, from which on the disc's place may contradict what is known
_HEIGHTS = 0.8, 3.5  # millimetres that a disc's vertical diameter may have; with another, the scale is wrong
EYES, SCALE = "contradictory sides", "unlikely scale"

_HEAD = tuple(x.name for x in fields(NerveHead) if x.name not in ("vcdr", "rim_profile"))
_PROFILE = tuple(f"rim_{angle:03d}" for angle in range(0, 360, 10))
COLUMNS = (
    "id", "path", "patient", "patient_source", "eye", "eye_source", "eye_confidence", "width", "height",
    "mm_per_pixel", "scale_source",
    "field_degrees", "status", "flagged", "reasons", "error", "gradability",
    "vcdr", "vcdr_low", "vcdr_high", "agreement", "ellipse", "score", "outlines", "model_vcdr",
    "grade", "grade_reason", "p_normal", "p_suspicious", "p_glaucoma", "p_above_normal", "p_above_suspicious",
    "grade_contradiction", "screen_85", "screen_95",
    *_HEAD, *_PROFILE,
    "seconds", "weights", "version",
)  # fmt: skip


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TEXTS = {"id", "path", "patient", "eye", "eye_source", "scale_source", "status", "reasons", "error", "outlines"}
_TEXTS |= {"weights", "version", "patient_source", "grade", "grade_reason"}
_COUNTS = {"width", "height", "disc_height", "disc_width", "disc_area", "cup_height", "cup_width", "cup_area"}
_COUNTS |= {"rim_narrowest_angle", "rim_absent", "ddls"}
_TRUTHS = {"flagged", "isnt", "grade_contradiction", "screen_85", "screen_95"}


def kind_of(column: str) -> str:
    """What a column holds: "text", "count", "truth" or "number"."""
    if column in _TEXTS:
        return "text"
    return "count" if column in _COUNTS else "truth" if column in _TRUTHS else "number"


def make_record(source: Source, known: Known, image: np.ndarray, prediction: FundusPrediction) -> dict[str, Any]:
    """The record of a photograph, (H, W, 3) uint8 RGB, that was predicted; docs/predict.md explains its fields.

    Raises BadInput for a fovea that is not in it.
    """
    about = about_source(source) | about_photograph(known, image)
    doubts = []
    if known.fovea and not all(0 <= x < size for x, size in zip(known.fovea, image.shape[1::-1])):
        found = f"({known.fovea[0]:g}, {known.fovea[1]:g}) of {image.shape[1]} x {image.shape[0]} pixels"
        raise BadInput("fovea of a list", Path(source.where), "a place in the photograph", found)
    if prediction.status == MEASURED:  # the disc of what cannot be graded may be anywhere
        about |= _eye(known, prediction.field or find_field(image), prediction.disc)
        if known.mm_per_pixel and not _likely(vertical_diameter(prediction.disc) * known.mm_per_pixel):
            about |= {"mm_per_pixel": None, "scale_source": ""}
            doubts.append(SCALE)
    if about["eye_source"] == CONTRADICTION:
        doubts.append(EYES)
    record = about | prediction.to_dict(eye=about["eye"], mm_per_pixel=about["mm_per_pixel"], fovea=known.fovea)
    if prediction.status != MEASURED:
        record["grade_reason"] = prediction.flags[0] if prediction.ungradable else prediction.status
    if doubts:
        record |= {"flagged": True, "reasons": [*record["reasons"], *doubts]}
    return record


def _eye(known: Known, field: Field | None, disc: np.ndarray) -> dict[str, Any]:
    """Which eye it is, by what is known and by the disc's place; nobody knows where these contradict each other."""
    if known.eye_source == CONTRADICTION:
        return {}
    columns = np.flatnonzero(disc.any(axis=0))
    eye, distance = ("", 0.0) if field is None else eye_of_place(float(columns.mean()), field)
    if known.fovea and not columns[0] <= known.fovea[0] <= columns[-1]:  # it is temporal of the disc
        temporal = "OD" if known.fovea[0] < columns[0] else "OS"
        if temporal != (known.eye or eye or temporal):
            return {"eye": "", "eye_source": CONTRADICTION}
    if not known.eye:
        return {"eye": eye, "eye_source": "image" if eye else "", "eye_confidence": EYE_BY_PLACE if eye else None}
    if eye and eye != known.eye and distance >= _SURE:
        return {"eye": "", "eye_source": CONTRADICTION}
    return {}


def _likely(height_mm: float) -> bool:
    return _HEIGHTS[0] <= height_mm <= _HEIGHTS[1]


def failed_record(source: Source, error: str) -> dict[str, Any]:
    """The record of a photograph that could not be predicted, and why."""
    return about_source(source) | {"status": FAILED, "flagged": False, "reasons": [], "error": error}


def about_source(source: Source) -> dict[str, Any]:
    """The fields that say which photograph it is."""
    return {"id": source.id, "path": place_of(source)}


def about_photograph(known: Known, image: np.ndarray) -> dict[str, Any]:
    """The fields that are known before anything is looked for."""
    height, width = image.shape[:2]
    return {
        "patient": known.patient,
        "patient_source": known.patient_source,
        "eye": known.eye,
        "eye_source": known.eye_source,
        "eye_confidence": None,
        "width": width,
        "height": height,
        "mm_per_pixel": known.mm_per_pixel,
        "scale_source": known.scale_source,
        "field_degrees": known.field_degrees,
    }


def row(record: Mapping[str, Any]) -> list[str]:
    """The cells of a record under COLUMNS; empty where there is no value.

    Text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    profile = record.get("rim_profile") or ()
    values = {**flat(record), **dict(zip(_PROFILE, profile)), "reasons": "; ".join(record.get("reasons", ()))}
    return [_cell(values.get(name)) for name in COLUMNS]


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record whose grade is in columns of its own."""
    grade = record.get("grade") or {}
    columns = {f"p_{name}": x for name, x in grade.get("probabilities", {}).items()}
    columns |= {f"p_above_{name}": x for name, x in grade.get("above", {}).items()}
    columns |= {f"screen_{name}": x for name, x in grade.get("screening", {}).items()}
    return {**record, **columns, "grade": grade.get("name"), "grade_contradiction": grade.get("contradiction")}


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return str(int(value)) if isinstance(value, bool) else str(value)
