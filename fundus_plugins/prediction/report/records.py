"""What a record says of an eye, made safe to show: complete, finite, and of one shape."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

PICTURES = ("photograph", "disc", "cam")
_TEXTS = (
    "id",
    "path",
    "patient",
    "eye",
    "eye_source",
    "scale_source",
    "patient_source",
    "error",
    "outlines",
    "grade_reason",
    "weights",
    "version",
)
_OUTLINE_DIGITS = 1  # of a pixel


@dataclass(frozen=True)
class Eye:
    """One record, by when the page needs it.

    Attributes:
        row: what the table and the filters need; plain values for JSON, None where something is not known.
        details: what is needed when the eye is looked at: outlines, the rim's profile, the disc picture's box.
        pictures: names of files below the report's folder, by PICTURES; None where there is none.
    """

    row: dict[str, Any]
    details: dict[str, Any]
    pictures: dict[str, str | None]


def read_records(records: Iterable[Mapping[str, Any]]) -> Iterator[Eye]:
    """The eyes of records in their order; ValueError for one without an id, or with one that another has."""
    seen: set[str] = set()
    for record in records:
        eye = _eye(record)
        name = eye.row["id"]
        if not name:
            raise ValueError("a record of the report has no id")
        if name in seen:
            raise ValueError(f"two records of the report have the id {name!r}: expected one for each eye")
        seen.add(name)
        yield eye


def _eye(record: Mapping[str, Any]) -> Eye:
    given = {key: value for key, value in record.items() if key not in ("pictures", "contours", "rim_profile")}
    row = _plain(given)
    row |= {key: "" if row.get(key) is None else str(row[key]) for key in _TEXTS}
    row["reasons"] = [str(reason) for reason in row.get("reasons") or []]
    row["flagged"] = bool(row.get("flagged"))
    row["status"] = row.get("status") or ("measured" if row.get("vcdr") is not None else "")
    compared = row.pop("compared", None) or None
    if compared:
        compared["contours"] = _contours(compared.get("contours"))
    pictures = record.get("pictures") or {}
    details = {
        "contours": _contours(record.get("contours")),
        "compared": compared,
        "rim_profile": _plain(record.get("rim_profile")) or None,
        "disc_box": _plain(pictures.get("disc_box")) or None,
    }
    return Eye(row, details, {kind: pictures.get(kind) or None for kind in PICTURES})


def _contours(contours: Mapping[str, Any] | None) -> dict[str, list]:
    """Polygons of disc and cup, rounded: a line on a screen shows no more."""
    rounded: dict[str, list] = {}
    for name in ("disc", "cup"):
        polygons = [np.asarray(polygon, float).reshape(-1, 2) for polygon in (contours or {}).get(name) or []]
        finite = [points[np.isfinite(points).all(axis=1)] for points in polygons]
        rounded[name] = [points.round(_OUTLINE_DIGITS).tolist() for points in finite if len(points) > 2]
    return rounded


def _plain(value: Any) -> Any:
    """The same for JSON: numbers of NumPy as Python's, None for what is not finite, text that UTF-8 can hold."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        # A file's name need not be UTF-8; as in files.atomic_write.
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)
