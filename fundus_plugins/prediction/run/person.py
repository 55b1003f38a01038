"""A person's outlines of a photograph, in place of the model's, whose prediction stays beside them."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fundus_plugins.data.polygons import fill_polygons
from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio
from fundus_plugins.measures.shape import ellipse_iou, share_beside
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.prediction.contours import contours_of
from fundus_plugins.prediction.result import AT_EDGE, MAX_BESIDE, NO_DISC, FundusPrediction

if TYPE_CHECKING:
    from fundus_plugins.data.corrected import Correction

MODEL, PERSON = "model", "person"  # whose outlines a record has


def person_first(found: FundusPrediction, correction: "Correction | None") -> tuple[FundusPrediction, dict[str, Any]]:
    """What counts of a photograph: the person's outlines where there are any, else what the model found.

    Outlines that are the model's own, as `fundus predict` wrote them, are nobody's correction.

    Returns:
        With it the record's fields that say whose it is: `outlines`, `model_vcdr` and, for a person's, `compared`.

    Raises:
        BadInput: the correction cannot be read, is not of this size, has no cup, or a disc in several regions.
    """
    models = {"outlines": MODEL, "model_vcdr": None}
    if correction is None:
        return found, models
    disc, cup = correction.masks(found.disc.shape)
    if disc.any() and cup is None:
        raise BadInput("no cup", correction.where, "outlines of the disc and of the cup", "the disc's alone")
    if (beside := share_beside(disc)) > MAX_BESIDE:
        found_there = f"several, the largest {1 - beside:.0%} of it"
        raise BadInput("several discs", correction.where, "a disc of one region", found_there)
    cup = np.zeros_like(disc) if cup is None else cup
    contours = contours_of(found.disc, found.cup)
    if _same(disc, cup, found.disc, found.cup) or _same(disc, cup, *_drawn(contours, disc.shape)):
        return found, models
    there = bool(disc.any())
    edge = bool(disc[[0, -1]].any() or disc[:, [0, -1]].any())
    nothing = float("nan")
    persons = replace(
        found,
        disc=disc,
        cup=cup,
        score=nothing,
        vcdr=vertical_cup_to_disc_ratio(disc, cup) if there else nothing,
        vcdr_interval=(nothing, nothing),
        agreement=nothing,
        ellipse=ellipse_iou(disc),
        flags=(NO_DISC,) * (not there) + (AT_EDGE,) * edge,
        gradability=nothing,
        ungradable=False,
        grade=None,
    )
    vcdr = None if np.isnan(found.vcdr) else round(found.vcdr, 4)
    return persons, {"outlines": PERSON, "model_vcdr": vcdr, "compared": {"vcdr": vcdr, "contours": contours}}


def _drawn(contours: dict[str, list], size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The model's masks, as they are read from its contours."""
    disc, cup = (fill_polygons(map(np.array, contours[name]), (size[0], size[1])) for name in ("disc", "cup"))
    return disc, cup & disc


def _same(disc: np.ndarray, cup: np.ndarray, models_disc: np.ndarray, models_cup: np.ndarray) -> bool:
    return np.array_equal(disc, models_disc) and np.array_equal(cup, models_cup)
