"""The optic nerve head in numbers: diameters, ratios, rim, tilt; nasal and temporal only where the eye is known."""

from dataclasses import asdict, dataclass

import cv2
import numpy as np

from fundus_plugins.boxes import window_of

from .morphometry import horizontal_diameter, vertical_diameter
from .rim import ddls_stage, isnt_holds, measure_rim

EYES = ("OD", "OS")  # right and left
_DIGITS = 4


@dataclass(frozen=True)
class NerveHead:
    """Measures of one disc and cup; None where something that they need is not known.

    Attributes:
        vcdr, hcdr, acdr: vertical, horizontal and area cup-to-disc ratio.
        disc_height, ..., cup_area: pixels of the photograph, and square pixels; diameters are the largest sums of
            columns and rows.
        disc_height_mm, ..., cup_area_mm2: in millimetres, where the scale is known.
        rim_inferior, rim_superior, rim_nasal, rim_temporal, rim_left, rim_right: mean width of the rim in 90 degrees,
            in vertical disc diameters; nasal and temporal need the eye's side, left and right are the picture's.
        rim_narrowest: the rim's least width over the disc's diameter in that direction.
        rim_narrowest_angle: where, degrees (see `rim`).
        rim_absent: degrees without a rim.
        isnt: whether the ISNT rule holds; needs the eye's side.
        ddls: stage of the disc damage likelihood scale, 1 to 10; needs the scale.
        disc_tilt: short over long axis of the ellipse of the disc's moments.
        disc_orientation: of its long axis, 0 to 180 degrees counterclockwise from the picture's horizontal.
        fovea_angle: of the line from the disc to the fovea, degrees above the horizontal; needs the fovea.
        rim_profile: 36 widths at 0, 10, ... 350 degrees, in vertical disc diameters.
    """

    vcdr: float
    hcdr: float
    acdr: float
    disc_height: int
    disc_width: int
    disc_area: int
    cup_height: int
    cup_width: int
    cup_area: int
    disc_height_mm: float | None
    disc_width_mm: float | None
    disc_area_mm2: float | None
    cup_height_mm: float | None
    cup_width_mm: float | None
    cup_area_mm2: float | None
    rim_inferior: float
    rim_superior: float
    rim_nasal: float | None
    rim_temporal: float | None
    rim_left: float
    rim_right: float
    rim_narrowest: float
    rim_narrowest_angle: int
    rim_absent: int
    isnt: bool | None
    ddls: int | None
    disc_tilt: float
    disc_orientation: float
    fovea_angle: float | None
    rim_profile: tuple[float, ...]

    def as_dict(self) -> dict[str, object]:
        """Plain values by name, rounded to four digits after the point."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


def measure_nerve_head(
    disc: np.ndarray,
    cup: np.ndarray,
    *,
    eye: str = "",
    mm_per_pixel: float | None = None,
    fovea: tuple[float, float] | None = None,
) -> NerveHead:
    """All measures of two (H, W) bool masks, the cup within the disc.

    Args:
        eye: one of EYES; empty: unknown.
        mm_per_pixel: of the photograph, on the retina.
        fovea: (x, y) in pixels of the photograph.

    Raises:
        ValueError: no disc, an unknown eye, or a scale that is not above 0.
    """
    if eye and eye not in EYES:
        raise ValueError(f"eye {eye!r}: expected one of {', '.join(EYES)}, or nothing")
    if mm_per_pixel is not None and not mm_per_pixel > 0:
        raise ValueError(f"{mm_per_pixel} millimetres a pixel: expected more than 0")
    rows, columns = window_of(disc)  # a disc is a small part of a photograph
    disc, cup = disc[rows, columns], cup[rows, columns]
    rim = measure_rim(disc, cup)
    sides = rim.quadrants
    # The right eye's nose is at the picture's right.
    nasal, temporal = {"OD": ("right", "left"), "OS": ("left", "right")}.get(eye, (None, None))
    rim_nasal, rim_temporal = (sides[x] if x else None for x in (nasal, temporal))
    narrowest, angle = rim.narrowest
    height, width, area = vertical_diameter(disc), horizontal_diameter(disc), int(np.count_nonzero(disc))
    cup_height, cup_width, cup_area = vertical_diameter(cup), horizontal_diameter(cup), int(np.count_nonzero(cup))
    tilt, orientation, (x, y) = _axes(disc)
    middle = x + columns.start, y + rows.start

    def mm(pixels: int, power: int = 1) -> float | None:
        return None if mm_per_pixel is None else pixels * mm_per_pixel**power

    return NerveHead(
        vcdr=cup_height / height,
        hcdr=cup_width / width,
        acdr=cup_area / area,
        disc_height=height,
        disc_width=width,
        disc_area=area,
        cup_height=cup_height,
        cup_width=cup_width,
        cup_area=cup_area,
        disc_height_mm=mm(height),
        disc_width_mm=mm(width),
        disc_area_mm2=mm(area, 2),
        cup_height_mm=mm(cup_height),
        cup_width_mm=mm(cup_width),
        cup_area_mm2=mm(cup_area, 2),
        rim_inferior=sides["inferior"],
        rim_superior=sides["superior"],
        rim_nasal=rim_nasal,
        rim_temporal=rim_temporal,
        rim_left=sides["left"],
        rim_right=sides["right"],
        rim_narrowest=narrowest,
        rim_narrowest_angle=angle,
        rim_absent=rim.absent,
        isnt=None
        if rim_nasal is None or rim_temporal is None
        else isnt_holds(sides["inferior"], sides["superior"], rim_nasal, rim_temporal),
        ddls=None if mm_per_pixel is None else ddls_stage(narrowest, rim.absent, height * mm_per_pixel),
        disc_tilt=tilt,
        disc_orientation=orientation,
        fovea_angle=None if fovea is None else _upwards(middle, fovea),
        rim_profile=tuple(rim.profile.tolist()),
    )


def _axes(mask: np.ndarray) -> tuple[float, float, tuple[float, float]]:
    """Short over long axis, the long one's direction, and the middle (x, y), of the ellipse of a mask's moments."""
    moments = cv2.moments(mask.astype(np.uint8), binaryImage=True)
    area = moments["m00"]
    # Of squares, not of points: 1 / 12 is a pixel's own second moment.
    xx, xy, yy = moments["mu20"] / area + 1 / 12, moments["mu11"] / area, moments["mu02"] / area + 1 / 12
    variances, axes = np.linalg.eigh([[xx, xy], [xy, yy]])
    x, y = axes[:, 1]
    middle = moments["m10"] / area, moments["m01"] / area
    return float(np.sqrt(variances[0] / variances[1])), float(np.degrees(np.arctan2(-y, x)) % 180), middle


def _upwards(middle: tuple[float, float], fovea: tuple[float, float]) -> float:
    across, up = abs(fovea[0] - middle[0]), middle[1] - fovea[1]
    return float(np.degrees(np.arctan2(up, across)))


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, _DIGITS) if np.isfinite(value) else None
    return [_rounded(x) for x in value] if isinstance(value, tuple) else value
