"""How a trained RF-Net is used on photographs: what is needed beside the network, with any engine."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detectron2.config import CfgNode

MASK_THRESHOLD = 0.5  # Detectron2's

# Dimensions of an image (..., H, W) that are flipped, view by view.
FLIPS = {
    "none": ((),),
    "horizontal": ((), (-1,)),
    "both": ((), (-1,), (-2,), (-2, -1)),
}


@dataclass(frozen=True)
class Settings:
    """What the config says of prediction; all sides in pixels.

    Attributes:
        photograph_sides: of the first look: the shorter side, and the longer at most.
        crop: the disc's part of the second look's side; 0: no second look.
        crop_side: of the second look, a square.
        box_scale: of the boxes about the disc, INPUT.BOX_SCALE.
        score_threshold: lower scores are no disc.
        mask_threshold: of the probabilities of disc and cup.
        regular_shape, ellipse_weight: TEST.REGULAR_SHAPE and TEST.ELLIPSE_WEIGHT.
        flag_below, flag_ellipse_below, vcdr_margin: TEST.FLAG_BELOW, TEST.FLAG_ELLIPSE_BELOW and TEST.VCDR_MARGIN.
        flips: which flips of a view are averaged, of FLIPS.
        side: of the square views that the engine takes; None: any height and width.
        maps: whether the engine gives maps of a picture (DiscCupSegmentor), and not a box and its masks (RF-Net).
        disc_diameters: of the square about the disc that it takes then, its side; 0: whole photographs.
    """

    photograph_sides: tuple[int, int]
    crop: float
    crop_side: int
    box_scale: float
    score_threshold: float
    mask_threshold: float
    regular_shape: bool
    ellipse_weight: float
    flag_below: float
    flag_ellipse_below: float
    vcdr_margin: float
    flips: str
    side: int | None = None
    maps: bool = False
    disc_diameters: float = 0.0

    @classmethod
    def of(cls, cfg: "CfgNode", flips: str | None = None, side: int | None = None) -> "Settings":
        """Those of a config; `flips`, unless None, goes before TEST.FLIPS."""
        test, crop = cfg.TEST, cfg.INPUT.DISC_CROP
        return cls(
            photograph_sides=(cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST),
            crop=test.CROP,
            crop_side=test.CROP_SIDE,
            box_scale=cfg.INPUT.BOX_SCALE,
            score_threshold=cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST,
            mask_threshold=MASK_THRESHOLD,
            regular_shape=test.REGULAR_SHAPE,
            ellipse_weight=test.ELLIPSE_WEIGHT,
            flag_below=test.FLAG_BELOW,
            flag_ellipse_below=test.FLAG_ELLIPSE_BELOW,
            vcdr_margin=test.VCDR_MARGIN,
            flips=test.FLIPS if flips is None else flips,
            side=side if crop.ABOUT == "none" else crop.SIDE,
            maps=cfg.MODEL.META_ARCHITECTURE == "DiscCupSegmentor",
            disc_diameters=0.0 if crop.ABOUT == "none" else crop.DIAMETERS,
        )

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Settings":
        """Those that `asdict` gave, of a JSON file; raises ValueError where one is missing or unknown.

        Files of before have none of those that have a default here.
        """
        expected = {x.name for x in fields(cls)}
        needed = {x.name for x in fields(cls) if x.default is MISSING}
        if not needed <= values.keys() <= expected:
            wrong = sorted((needed - values.keys()) | (values.keys() - expected))
            raise ValueError(
                f"settings: expected {', '.join(sorted(expected))}; missing or unknown: {', '.join(wrong)}"
            )
        return cls(**{**values, "photograph_sides": tuple(values["photograph_sides"])})

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)
