"""LabelMe's files: the outlines of one photograph, as LabelMe, X-AnyLabeling and other tools save them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fundus_plugins.data.annotations import CUP, DISC, refuse_beyond, structure_of
from fundus_plugins.data.coco_file import read_json
from fundus_plugins.data.polygons import fill_circle, fill_polygons
from fundus_plugins.photographs.folders import PHOTOGRAPH_SUFFIXES
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.sheets import file_of

KIND = "unreadable LabelMe file"
LABELS = "the labels optic_disc, disc or OD, and optic_cup, cup or OC"


@dataclass(frozen=True)
class LabelMe:
    """A LabelMe file.

    Attributes:
        path: the file.
        photograph: where it says that its photograph is, absolute; None where it does not say.
        size: height and width of that photograph; None where it does not say.
        embedded: whether a copy of the photograph is in the file; it is not read.
        shapes: `label`, `shape_type` and `points` of each.
    """

    path: Path
    photograph: Path | None
    size: tuple[int, int] | None
    embedded: bool
    shapes: tuple[Mapping[str, Any], ...]

    def unknown(self, own: Mapping[str, int] | None = None) -> list[str]:
        """The labels that are neither a disc's nor a cup's, nor to be ignored."""
        return list(dict.fromkeys(_label(x) for x in self.shapes if structure_of(_label(x), own) is None))

    def find_photograph(self) -> Path | None:
        """The photograph: where the file says, else beside it, by the name that it says, else by its own."""
        beside = [self.path.with_suffix(suffix) for suffix in PHOTOGRAPH_SUFFIXES]
        said = [self.photograph, self.path.parent / self.photograph.name] if self.photograph else []
        return next((x for x in (*said, *beside) if os.path.isfile(x)), None)

    def masks(
        self, size: tuple[int, int], own: Mapping[str, int] | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Disc and cup, (H, W) bool, of a photograph of this size; no disc where there is no outline, None for a cup.

        Polygons and circles are read; several of one structure are joined.

        Args:
            own: labels beside the usual ones, as `parse_categories` gives them.

        Raises:
            BadInput: another size, an outline beyond the picture or of too few points, another kind of shape, a cup
                without a disc, or other labels alone.
        """
        if self.size not in (None, size):
            sides = (f"{width} x {height} pixels" for height, width in (size, self.size or size))
            raise BadInput("size mismatch", self.path, f"the photograph's {next(sides)}", next(sides))
        masks: dict[int, np.ndarray] = {}
        for shape in self.shapes:
            structure = structure_of(_label(shape), own)
            if structure in (DISC, CUP):
                drawn = self._draw(shape, size)
                masks[structure] = masks[structure] | drawn if structure in masks else drawn
        others = [_label(x) for x in self.shapes]
        if DISC not in masks and any(structure_of(x, own) in (CUP, None) for x in others):
            raise BadInput("no disc", self.path, LABELS, ", ".join(dict.fromkeys(others)))
        return masks.get(DISC, np.zeros(size, bool)), masks.get(CUP)

    def _draw(self, shape: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
        label, kind = _label(shape), shape.get("shape_type") or "polygon"
        if kind not in ("polygon", "circle"):
            raise BadInput("other shape", self.path, f"a polygon or circle for {label}", f"a {kind}")
        try:
            points = np.array(shape["points"], float)
        except (KeyError, ValueError, TypeError, OverflowError):
            points = np.array(np.nan)
        if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
            raise BadInput(KIND, self.path, f"points [[x, y], ...] of {label}", str(shape.get("points"))[:80])
        wanted = 3 if kind == "polygon" else 2
        if (number := len(np.unique(points, axis=0))) < wanted or kind == "circle" and len(points) > 2:
            expected = "three points or more" if kind == "polygon" else "its middle and a point of its rim"
            raise BadInput(f"{kind} that is none", self.path, f"{expected} for {label}", f"{number} different points")
        refuse_beyond([points.ravel()], size, self.path)
        if kind == "polygon":
            return fill_polygons([points], size)
        return fill_circle(points[0], float(np.hypot(*(points[1] - points[0]))), size)


def read_labelme(path: Path) -> LabelMe:
    """Read a LabelMe file. Raises BadInput for what is none."""
    document = read_json(path, KIND, "a LabelMe file, which is JSON")

    def refuse(expected: str, found: object):
        raise BadInput(KIND, path, expected, str(found)[:80])

    if not isinstance(document, Mapping) or not isinstance(document.get("shapes"), list):
        refuse("a LabelMe file, with a list of shapes", "another document")
    if not all(isinstance(x, Mapping) for x in document["shapes"]):
        refuse("shapes with a label and points", document["shapes"])
    said = document.get("imagePath") or ""
    if not isinstance(said, str):
        refuse("a path as imagePath", said)
    sides = [document.get(key) for key in ("imageHeight", "imageWidth")]
    if any(x is not None and (isinstance(x, bool) or not isinstance(x, int) or x < 1) for x in sides):
        refuse("whole numbers as imageHeight and imageWidth", sides)
    photograph = Path(os.path.abspath(path.parent / file_of(said))) if said else None
    size = None if None in sides else (sides[0], sides[1])
    return LabelMe(path, photograph, size, bool(document.get("imageData")), tuple(document["shapes"]))


def _label(shape: Mapping[str, Any]) -> str:
    return str(shape.get("label"))
