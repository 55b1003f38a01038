"""What a run keeps of one photograph: a record of plain values, and its row in the table."""

from collections.abc import Mapping
from dataclasses import fields
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from fundus_plugins.measures.nerve_head import NerveHead, measure_nerve_head
from fundus_plugins.photographs.field import find_field
from fundus_plugins.photographs.laterality import eye_of_place
from fundus_plugins.photographs.sources import Known, Source
from fundus_plugins.prediction.contours import contours_of
from fundus_plugins.prediction.predictor import FundusPrediction

MEASURED, MISSED, FAILED = "measured", "no disc", "failed"
EYE_BY_PLACE = 0.99  # how often that is right, at least: docs/results/eye_side.md

_HEAD = tuple(x.name for x in fields(NerveHead) if x.name not in ("vcdr", "rim_profile"))
_PROFILE = tuple(f"rim_{angle:03d}" for angle in range(0, 360, 10))
COLUMNS = (
    "id", "path", "patient", "eye", "eye_source", "eye_confidence", "width", "height", "mm_per_pixel", "scale_source",
    "field_degrees", "status", "flagged", "reasons", "error",
    "vcdr", "vcdr_low", "vcdr_high", "agreement", "ellipse", "score", "outlines", "model_vcdr",
    *_HEAD, *_PROFILE,
    "seconds", "weights", "version",
)  # fmt: skip


def make_record(source: Source, known: Known, image: np.ndarray, prediction: FundusPrediction) -> dict[str, Any]:
    """The record of a photograph, (H, W, 3) uint8 RGB, that was predicted; docs/predict.md explains its fields."""
    record = about_source(source) | about_photograph(known, image)
    record |= {
        "status": MEASURED if prediction.disc.any() else MISSED,
        "flagged": prediction.flagged,
        "reasons": list(prediction.flags),
        "vcdr_low": _number(prediction.vcdr_interval[0]),
        "vcdr_high": _number(prediction.vcdr_interval[1]),
        "agreement": _number(prediction.agreement),
        "ellipse": _number(prediction.ellipse),
        "score": _number(prediction.score),
    }
    if not prediction.disc.any():
        return record
    if not record["eye"]:
        field = find_field(image)
        eye = eye_of_place(float(np.flatnonzero(prediction.disc.any(axis=0)).mean()), field)[0] if field else ""
        record |= {"eye": eye, "eye_source": "image" if eye else "", "eye_confidence": EYE_BY_PLACE if eye else None}
    head = measure_nerve_head(
        prediction.disc,
        prediction.cup,
        eye=record["eye"],
        mm_per_pixel=known.mm_per_pixel,
        fovea=known.fovea,
    )
    return record | head.as_dict() | {"contours": contours_of(prediction.disc, prediction.cup)}


def failed_record(source: Source, error: str) -> dict[str, Any]:
    """The record of a photograph that could not be predicted, and why."""
    return about_source(source) | {"status": FAILED, "flagged": False, "reasons": [], "error": error}


def about_source(source: Source) -> dict[str, Any]:
    """The fields that say which photograph it is."""
    return {"id": source.id, "path": str(Path(source.where).absolute())}


def about_photograph(known: Known, image: np.ndarray) -> dict[str, Any]:
    """The fields that are known before anything is looked for."""
    height, width = image.shape[:2]
    return {
        "patient": known.patient,
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
    """The cells of a record under COLUMNS; empty where there is no value."""
    profile = record.get("rim_profile") or ()
    values = {**record, **dict(zip(_PROFILE, profile)), "reasons": "; ".join(record.get("reasons", ()))}
    return [_cell(values.get(name)) for name in COLUMNS]


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value)


def _number(value: float) -> float | None:
    return None if isnan(value) else round(float(value), 4)
