"""LabelMe's files for tests: ellipses as polygons."""

import json
from pathlib import Path

import numpy as np


def ellipse(x: float, y: float, across: float, down: float, number: int = 60) -> list[list[float]]:
    """A polygon of an ellipse about (x, y) with these half axes."""
    angles = np.linspace(0, 2 * np.pi, number, endpoint=False)
    return np.stack([x + across * np.cos(angles), y + down * np.sin(angles)], axis=1).tolist()


def shape(label: str, points: list, kind: str = "polygon") -> dict:
    """A shape as LabelMe writes it."""
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}}


def write(path: Path, shapes: list[dict], image: str = "", size: tuple[int, int] | None = None, **more) -> Path:
    """Write a file of a photograph of H, W."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = size or (None, None)
    document = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": image, "imageData": None}
    path.write_text(json.dumps(document | {"imageHeight": height, "imageWidth": width} | more))
    return path
