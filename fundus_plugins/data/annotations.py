"""What COCO annotations say of disc and cup: the names of their categories decide, not their numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pycocotools.mask as mask_util

from fundus_plugins.photographs.anatomy import cup_within_disc, refuse_impossible
from fundus_plugins.photographs.limits import MAX_PIXELS
from fundus_plugins.photographs.problems import BadInput, reason
from fundus_plugins.photographs.sheets import normalised

DISC, CUP = 0, 1  # contiguous class ids of the segmentation files, and of the models
IGNORED = -1  # a category that is meant to be neither
STRUCTURES = {"disc": DISC, "cup": CUP, "ignore": IGNORED}

# Names of categories, normalised: letters and digits, in lower case.
_DISC_NAMES = ("opticdisc", "opticdisk", "disc", "disk", "od", "opticnervehead", "onh", "discs", "opticdiscs")
_CUP_NAMES = ("opticcup", "cup", "oc", "cups", "opticcups")
_NAMES = dict.fromkeys(_DISC_NAMES, DISC) | dict.fromkeys(_CUP_NAMES, CUP)
_MAX_BEYOND = 0.02  # of a side: how far a polygon may reach beyond the picture


def parse_categories(words: Sequence[str]) -> dict[str, int]:
    """Names (normalised) to structures, from `disc=NAME`, `cup=NAME` and `ignore=NAME`; ValueError for other words."""
    names = {}
    for word in words:
        structure, _, name = word.partition("=")
        if structure.strip().lower() not in STRUCTURES or not normalised(name):
            raise ValueError(f"expected categories such as disc=papilla cup=excavation, found {word!r}")
        names[normalised(name)] = STRUCTURES[structure.strip().lower()]
    return names


def structure_of(name: str, own: Mapping[str, int] | None = None) -> int | None:
    """DISC, CUP, IGNORED or, for any other name, None; `own` as for `structures_of`."""
    return (_NAMES | dict(own or {})).get(normalised(name))


def structures_of(names: Sequence[str], where: str | Path, own: Mapping[str, int] | None = None) -> list[int | None]:
    """DISC, CUP, IGNORED or, for any other name, None, for every category, in their order.

    Args:
        names: of the categories, such as `optic_disc`, `OD`, `Optic Cup`.
        where: the file or data set, for the error's text.
        own: what `parse_categories` gives; goes before the usual names.

    Raises:
        BadInput: none of them is the disc.
    """
    found = [structure_of(name, own) for name in names]
    if DISC not in found:
        raise BadInput("other categories", Path(where), _expected(), ", ".join(map(str, names)) or "none")
    return found


def disc_and_cup(
    annotations: Sequence[Mapping[str, Any]],
    structures: Mapping[Any, int | None] | Sequence[int | None],
    size: tuple[int, int],
    where: str | Path,
    *,
    true: bool = True,
) -> dict[int, np.ndarray]:
    """The disc's and the cup's masks of one photograph, (H, W) uint8, 0 or 1; what has no annotation is not in it.

    Several annotations of one structure are joined; where they have scores, as predictions have, the best one counts.
    A true cup that reaches beyond its disc by a few pixels is clipped.

    Args:
        annotations: in COCO's format; `segmentation` is polygons, or RLE, compressed or not.
        structures: DISC, CUP or None of every `category_id`.
        size: height and width of the photograph.
        where: the photograph, for the errors' text.
        true: whether these are true masks, which must be such that an eye can have them (`refuse_impossible`).

    Raises:
        BadInput: a category that is neither, no mask, one of another size or beyond the picture, a cup outside.
    """
    where = Path(where)
    masks: dict[int, np.ndarray] = {}
    for structure, name in ((DISC, "disc"), (CUP, "cup")):
        same = [x for x in annotations if _structure(x, structures, where) == structure]
        if same and all(isinstance(x.get("score"), int | float) for x in same):
            same = [max(same, key=lambda x: x["score"])]
        for annotation in same:
            number = f" (annotation {annotation['id']})" if "id" in annotation else ""
            mask = decode_segmentation(annotation.get("segmentation"), size, where, name + number)
            masks[structure] = masks[structure] | mask if structure in masks else mask
    if not true:
        return masks
    refuse_impossible(where, *(masks[x] > 0 if x in masks else None for x in (DISC, CUP)))
    if CUP in masks and DISC in masks and masks[DISC].any():
        masks[CUP] = cup_within_disc(where, masks[DISC] > 0, masks[CUP] > 0)[0].astype(np.uint8)
    return masks


def decode_segmentation(segmentation: Any, size: tuple[int, int], where: str | Path = "", name: str = "") -> np.ndarray:
    """Polygons or RLE, compressed or not, to an (H, W) uint8 mask of 0 and 1. Raises BadInput."""
    where, expected = Path(where), f"a segmentation of the {name or 'structure'} as polygons or RLE"
    if not segmentation:
        raise BadInput("no mask", where, expected, "a box alone")
    if size[0] * size[1] > MAX_PIXELS:  # pycocotools does not ask whether it got the memory
        raise BadInput("size mismatch", where, f"at most {MAX_PIXELS:,} pixels", f"{size[1]} x {size[0]}")
    try:
        if isinstance(segmentation, Mapping):
            found = [int(side) for side in segmentation["size"]]
            if found != list(size):
                sides = (f"{width} x {height} pixels" for height, width in (size, found))
                raise BadInput("size mismatch", where, f"a mask of {next(sides)}", next(sides))
            counts = segmentation["counts"]
            runs = np.asarray(counts) if isinstance(counts, list) else _runs(counts)
            if runs.sum() != size[0] * size[1] or runs.min(initial=0) < 0:  # pycocotools would write anywhere
                raise ValueError("RLE counts that are not the picture's pixels")
            if isinstance(counts, list):
                segmentation = mask_util.frPyObjects(segmentation, *size)
        else:
            flat = all(isinstance(x, int | float) for x in segmentation)  # one polygon, as some tools write it
            polygons = [np.asarray(x, float).ravel() for x in ([segmentation] if flat else segmentation)]
            if any(len(x) < 6 or len(x) % 2 for x in polygons):
                raise ValueError("a polygon of fewer than three points")
            if not all(np.isfinite(x).all() for x in polygons):
                raise ValueError("a polygon with points that are no numbers")
            refuse_beyond(polygons, size, where)
            segmentation = mask_util.merge(mask_util.frPyObjects([x.tolist() for x in polygons], *size))
        mask = mask_util.decode(segmentation)
        if mask.shape != tuple(size):
            raise ValueError(f"a mask of the shape {mask.shape}")
        return mask
    except BadInput:
        raise
    except Exception as error:  # pycocotools raises what it likes
        raise BadInput("unreadable mask", where, expected, f"{type(error).__name__}: {reason(error)}") from None


def _runs(counts: str | bytes) -> np.ndarray:
    """The lengths that compressed RLE holds, 5 bits a character; from the fourth on, less the one before the last."""
    codes = np.frombuffer(counts.encode("ascii") if isinstance(counts, str) else counts, np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(codes & 0x20 == 0)
    if not len(codes) or codes.min() < 0 or codes.max() > 63 or not len(ends) or ends[-1] != len(codes) - 1:
        raise ValueError("RLE counts that are none")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 7:
        raise ValueError("RLE counts beyond any picture's pixels")
    places = np.arange(len(codes)) - np.repeat(starts, lengths)
    runs = np.add.reduceat((codes & 0x1F) << 5 * places, starts)
    runs -= np.where(codes[ends] & 0x10, 1 << 5 * lengths, 0)
    for parity in (1, 2):
        runs[parity::2] = runs[parity::2].cumsum()
    return runs


def refuse_beyond(polygons: list[np.ndarray], size: tuple[int, int], where: Path) -> None:
    """Raise BadInput for polygons [x, y, x, y, ...] far beyond a picture of H, W, or in parts of its sides."""
    points = np.concatenate([x.reshape(-1, 2) for x in polygons])
    sides = np.array([size[1], size[0]])
    if points.size and points.min() >= 0 and points.max() <= 1:
        raise BadInput(
            "polygon within a pixel", where, "points in pixels", "none beyond 1: are they parts of the sides?"
        )
    if (points < -_MAX_BEYOND * sides).any() or (points > (1 + _MAX_BEYOND) * sides).any():
        reach = " to ".join(f"({x:.0f}, {y:.0f})" for x, y in (points.min(0), points.max(0)))
        expected = f"polygons within {size[1]} x {size[0]} pixels"
        raise BadInput("polygon beyond the picture", where, expected, f"points from {reach}")


def _structure(annotation: Mapping, structures: Mapping | Sequence, where: Path) -> int:
    category = annotation["category_id"]
    found = structures.get(category) if isinstance(structures, Mapping) else structures[category]
    if found is None:
        raise BadInput("unknown category", where, _expected(), f"the category of number {category}")
    return found


def _expected() -> str:
    names = "optic_disc, disc, OD, ... and optic_cup, cup, OC, ..."
    return f"categories named {names}; others by --categories disc=NAME cup=NAME ignore=NAME (DATASETS.CATEGORIES)"
