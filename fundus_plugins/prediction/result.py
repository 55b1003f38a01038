"""What was found in one photograph: masks, the vertical cup-to-disc ratio, how sure, and its forms for others."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio
from fundus_plugins.measures.nerve_head import NerveHead, measure_nerve_head
from fundus_plugins.measures.shape import ellipse_iou, regular_disc_and_cup, share_beside, towards_ellipses
from fundus_plugins.photographs.field import Field, find_field
from fundus_plugins.prediction.contours import contours_of
from fundus_plugins.prediction.gradability import Judgement, judge
from fundus_plugins.prediction.grading import Grade
from fundus_plugins.prediction.looks import Found
from fundus_plugins.prediction.settings import Settings

NO_DISC, NO_CUP, AT_EDGE = "no disc", "no cup", "cut off by the edge"
AGREEMENT, SHAPE = "views disagree", "not the shape of a disc"
HARD = "hard to grade"
CONTRADICTION = "grade contradicts itself"
MAX_BESIDE = 0.01  # of a disc, beside its largest region; a disc is one region
MEASURED, MISSED, CUPLESS, UNGRADABLE = "measured", "no disc", "no cup", "ungradable"


@dataclass(frozen=True)
class FundusPrediction:
    """What was found in one photograph of H x W pixels.

    Attributes:
        disc, cup: (H, W) bool, the cup within the disc; empty where nothing was found. With TEST.REGULAR_SHAPE of
            the shape that `regular_disc_and_cup` gives, with TEST.ELLIPSE_WEIGHT then drawn `towards_ellipses`.
        score: of the detected disc, 0 to 1; nan where none was detected.
        vcdr: vertical cup-to-disc ratio; nan without a disc or a cup, and where it is `ungradable`. A model that
            finds no cup does not tell an eye without one from a cup that it has missed.
        vcdr_interval: TEST.VCDR_MARGIN to either side of it, within 0 to 1; nan without a disc or a margin, and for a
            disc that the picture's edge cuts off.
        agreement: of the flips, or of the two looks, 0 to 1 (see `Looks`), 0 if the crop does not show the
            disc again; nan without a disc or with one view.
        ellipse: how much like an ellipse the disc was before that, 0 to 1 (`ellipse_iou`); nan without a disc.
        flags: why someone should review it: first the reason of `judge` for which it cannot be graded, or HARD (its
            gradability is low); then of NO_DISC, NO_CUP, AT_EDGE, AGREEMENT (below TEST.FLAG_BELOW), SHAPE (several
            regions, or `ellipse` below TEST.FLAG_ELLIPSE_BELOW: other bright things are rarely ellipses) and
            CONTRADICTION (of `grade`).
        box: (4,) float64 XYXY, of the detection, pixels of the photograph; nan where nothing was detected.
        gradability: 0 to 1, of `judge`; nan for weights without TEST.FLAG_BELOW, whose doubts nobody has measured.
        ungradable: whether it is too low, or this is no photograph of a fundus; there is no `vcdr` then.
        grade: of glaucoma; None without a disc or a cup, where it is `ungradable`, and of a predictor without a grader.
        field: of view, where the photograph was judged; None where it was not, or has none.
    """

    disc: np.ndarray
    cup: np.ndarray
    score: float
    vcdr: float
    vcdr_interval: tuple[float, float]
    agreement: float
    ellipse: float
    flags: tuple[str, ...]
    box: np.ndarray
    gradability: float = math.nan
    ungradable: bool = False
    grade: Grade | None = None
    field: Field | None = None

    @property
    def flagged(self) -> bool:
        """Whether someone should review it."""
        return bool(self.flags)

    @property
    def status(self) -> str:
        """MEASURED, MISSED, CUPLESS or UNGRADABLE."""
        if self.ungradable:
            return UNGRADABLE
        if not self.disc.any():
            return MISSED
        return CUPLESS if math.isnan(self.vcdr) else MEASURED

    @property
    def knows_cup(self) -> bool:
        """Whether there is a cup, or a person has said that there is none."""
        return bool(self.cup.any()) or not math.isnan(self.vcdr)

    def nerve_head(
        self, *, eye: str = "", mm_per_pixel: float | None = None, fovea: tuple[float, float] | None = None
    ) -> NerveHead | None:
        """All that `measure_nerve_head` measures; None where nothing was MEASURED."""
        if self.status != MEASURED:
            return None
        return measure_nerve_head(self.disc, self.cup, eye=eye, mm_per_pixel=mm_per_pixel, fovea=fovea)

    def to_dict(
        self, *, eye: str = "", mm_per_pixel: float | None = None, fovea: tuple[float, float] | None = None
    ) -> dict[str, Any]:
        """Everything but the masks as plain values for JSON, with outlines; None where something is not known.

        The fields are those of docs/predict.md; arguments as of `measure_nerve_head`.
        """
        plain: dict[str, Any] = {
            "status": self.status,
            "flagged": self.flagged,
            "reasons": list(self.flags),
            "gradability": _number(self.gradability),
            "vcdr_low": _number(self.vcdr_interval[0]),
            "vcdr_high": _number(self.vcdr_interval[1]),
            "agreement": _number(self.agreement),
            "ellipse": _number(self.ellipse),
            "score": _number(self.score),
            "grade": None if self.grade is None else self.grade.to_dict(),
        }
        if self.disc.any():
            plain["contours"] = contours_of(self.disc, self.cup)
        head = self.nerve_head(eye=eye, mm_per_pixel=mm_per_pixel, fovea=fovea)
        return plain if head is None else plain | head.as_dict()

    def to_coco(self, *, image_id: int = 1, first_id: int = 1) -> list[dict[str, Any]]:
        """COCO annotations of disc (category 1) and cup (2), exact masks as RLE, with the score, of what was found.

        Args:
            image_id: of the photograph.
            first_id: of the disc's annotation; the cup's is the next.
        """
        if not self.disc.any():
            return []
        from fundus_plugins.data.coco import SEGMENTATION_CATEGORIES, mask_annotation, mask_to_rle

        masks = (self.disc, self.cup) if self.knows_cup else (self.disc,)
        return [
            mask_annotation(
                mask_to_rle(mask), category_id=category["id"], image_id=image_id, annotation_id=first_id + number
            )
            | {"score": _number(self.score)}
            for number, (category, mask) in enumerate(zip(SEGMENTATION_CATEGORIES, masks))
        ]

    def draw(self, photograph: np.ndarray, side: int | None = None) -> np.ndarray:
        """The photograph, (H, W, 3) uint8 RGB, with the outlines, its longer side at most `side` pixels."""
        from fundus_plugins.prediction.drawing import draw_disc_and_cup

        return draw_disc_and_cup(photograph, self, side)


def measure(found: Found, settings: Settings, photograph: np.ndarray | None = None) -> FundusPrediction:
    """The masks in the shape that `settings` ask for, and what is measured of them.

    Args:
        photograph: (H, W, 3) uint8 RGB, to be judged; None: it is not.
    """
    disc, cup = found.disc, found.cup
    if settings.regular_shape:
        disc, cup = regular_disc_and_cup(disc, cup)
    ellipse = ellipse_iou(disc)
    if settings.ellipse_weight:
        disc, cup = towards_ellipses(disc, cup, settings.ellipse_weight)
    cup = cup & disc  # a model may draw it beyond, and every measure is of the same cup
    signals = {"score": found.score, "agreement": found.agreement, "ellipse": ellipse}
    judgement, field = Judgement(math.nan, ""), None
    if settings.flag_below and photograph is not None:
        field = find_field(photograph)
        judgement = judge(photograph, field, disc, signals)
    ungradable = bool(judgement.reason)
    vcdr = vertical_cup_to_disc_ratio(disc, cup) if cup.any() and not ungradable else math.nan
    at_edge = bool(disc[[0, -1]].any() or disc[:, [0, -1]].any())
    margin = math.nan if at_edge else settings.vcdr_margin or math.nan
    interval = float(np.clip(vcdr - margin, 0, 1)), float(np.clip(vcdr + margin, 0, 1))
    flags = {
        judgement.reason: ungradable,
        HARD: judgement.doubtful,
        NO_DISC: not disc.any(),
        NO_CUP: disc.any() and not cup.any(),
        AT_EDGE: at_edge,
        AGREEMENT: found.agreement < settings.flag_below,
        SHAPE: ellipse < settings.flag_ellipse_below or share_beside(disc) > MAX_BESIDE,
    }
    return FundusPrediction(
        disc,
        cup,
        found.score,
        vcdr,
        interval,
        found.agreement,
        ellipse,
        tuple(flag for flag, there in flags.items() if there),
        found.box,
        judgement.gradability,
        ungradable,
        field=field,
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 4)
