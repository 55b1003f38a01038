"""How a phantom's parameters are drawn for each grade."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fundus_plugins.data.phantom.parameters import GRADES, PhantomParameters

# Vertical cup-to-disc ratio per grade: mean, standard deviation, lowest, highest. They overlap, as they do in people.
_VCDR = {
    "normal": (0.40, 0.10, 0.16, 0.62),
    "suspicious": (0.60, 0.06, 0.46, 0.74),
    "glaucoma": (0.74, 0.08, 0.54, 0.92),
}
# The same without overlap, for trials in which a grade can be told for certain.
_DISTINCT_VCDR = {
    "normal": (0.36, 0.09, 0.16, 0.48),
    "suspicious": (0.585, 0.03, 0.53, 0.64),
    "glaucoma": (0.77, 0.06, 0.69, 0.92),
}

# Where the photographer aimed: "disc" (30 to 45 degrees), "macula" (45 to 50 degrees, the disc aside); "crop" is a
# square cut about the disc, as RIM-ONE DL's; "myopic": "mixed", of pathologically myopic eyes.
VIEWS = ("mixed", "disc", "macula", "crop", "myopic")

# What can be left out, to learn what it is worth, and the parameters of a phantom that lacks it.
PARTS: dict[str, dict[str, Any]] = {
    "vessels": {"vessel_contrast": 0.0, "vessel_reflex": 0.0},
    "lesions": dict.fromkeys(("exudates", "cotton_wool", "drusen", "haemorrhages", "scars"), 0),
    "surroundings": dict.fromkeys(("scleral_ring", "atrophy", "pigment", "sheen"), 0.0),  # of the disc
    "outlines": {"disc_harmonics": (0.0, 0.0), "cup_harmonics": (0.0, 0.0), "notch": 0.0},  # other than ellipses
    "camera": dict.fromkeys(("slope", "vignette", "blotches", "bloom", "haze", "flare", "ghost", "blur", "noise"), 0.0)
    | {"exposure": 1.0, "gamma": 1.0, "cast": (1.0, 1.0, 1.0), "dust": 0, "jpeg_quality": 100},
}


def sample_parameters(
    rng: np.random.Generator, grade: str, view: str = "mixed", distinct: bool = False, without: Sequence[str] = ()
) -> PhantomParameters:
    """Draw the parameters of one photograph of the given grade and view; `distinct`: grades do not overlap in vCDR.

    The same draw `without` some of PARTS is the same photograph but for these. Raises ValueError if the grade is not
    one of GRADES, the view not one of VIEWS or a part not one of PARTS.
    """
    if grade not in GRADES:
        raise ValueError(f"grade: expected one of {', '.join(GRADES)}, found {grade!r}")
    if view not in VIEWS:
        raise ValueError(f"view: expected one of {', '.join(VIEWS)}, found {view!r}")
    if unknown := set(without) - set(PARTS):
        raise ValueError(f"without: expected some of {', '.join(PARTS)}, found {', '.join(sorted(unknown))}")
    vcdr = _normal(rng, *(_DISTINCT_VCDR if distinct else _VCDR)[grade])
    sick = grade == "glaucoma"
    eye, camera, disc = str(rng.choice(["right", "left"])), _camera(rng), _disc(rng, sick, view)
    rest = {**_cup(rng, vcdr, sick), **_retina(rng)}
    if view == "crop":
        camera |= _cut_about(rng, disc["disc_diameter"])
    drawn = camera | disc | rest
    if view == "myopic":
        drawn |= _myopic(rng, drawn)
    parameters = PhantomParameters(grade=grade, eye=eye, **drawn)
    return replace(parameters, **{key: value for part in without for key, value in PARTS[part].items()})


def _normal(rng, mean, deviation, lowest, highest) -> float:
    """Normal, redrawn (not clipped) until within the limits."""
    while True:
        value = rng.normal(mean, deviation)
        if lowest <= value <= highest:
            return float(value)


def _sometimes(rng, probability, lowest, highest, otherwise=0.0) -> float:
    # Both numbers are always drawn: what follows does not depend on the outcome.
    hit, value = rng.random() < probability, rng.uniform(lowest, highest)
    return float(value) if hit else otherwise


def _colour(rng, lowest, highest) -> tuple[float, float, float]:
    red, green, blue = (float(v) for v in rng.uniform(lowest, highest, 3))
    return red, green, blue


def _harmonics(rng, strength) -> tuple[float, ...]:
    """Cosine and sine of orders 2 to 6, falling with the order."""
    orders = np.repeat(np.arange(2, 7), 2)
    return tuple(float(v) for v in rng.normal(0, strength, orders.size) * 2 / orders)


def _camera(rng) -> dict:
    # A camera's frame: cut at top and bottom, square around the circle, or wide with dark sides.
    frame = rng.choice(["cut", "square", "wide"], p=[0.45, 0.3, 0.25])
    aspect, diameter, cut = {
        "cut": (rng.uniform(0.8, 0.9), rng.uniform(0.94, 1.0), rng.uniform(0.82, 0.9)),
        "square": (rng.uniform(0.95, 1.0), rng.uniform(0.92, 1.02), _sometimes(rng, 0.3, 0.86, 0.97, 1.0)),
        "wide": (rng.uniform(0.64, 0.8), rng.uniform(0.7, 0.86), 1.0),
    }[str(frame)]
    yellow = _colour(rng, [1.0, 0.45, 0.0], [1.0, 0.85, 0.3])
    other = _colour(rng, [0.25, 0.35, 0.1], [0.6, 0.55, 0.45])
    return dict(
        aspect=float(aspect),
        field_diameter=float(diameter),
        field_x=float(rng.normal(0, 0.008)),
        field_cut=float(cut),
        field_tab=bool(rng.random() < 0.45),
        exposure=_normal(rng, 1.0, 0.12, 0.6, 1.3),
        gamma=_normal(rng, 1.0, 0.1, 0.75, 1.3),
        cast=_colour(rng, 0.93, 1.07),
        black_level=_sometimes(rng, 0.5, 0.004, 0.03),
        slope=abs(float(rng.normal(0, 0.18))),
        slope_angle=float(rng.uniform(0, 360)),
        vignette=float(rng.uniform(0.05, 0.5)),
        blotches=float(rng.uniform(0.03, 0.2)),
        bloom=float(rng.uniform(0.0, 0.25)),
        haze=_sometimes(rng, 0.5, 0.03, 0.35),
        haze_colour=_colour(rng, [0.35, 0.27, 0.08], [0.6, 0.42, 0.28]),
        flare=_sometimes(rng, 0.33, 0.3, 1.0),
        flare_angle=float(rng.uniform(0, 360)),
        flare_width=float(rng.uniform(0.02, 0.14)),
        flare_colour=yellow if rng.random() < 0.65 else other,
        ghost=_sometimes(rng, 0.15, 0.1, 0.4),
        ghost_x=float(rng.uniform(-0.35, 0.35)),
        ghost_y=float(rng.uniform(-0.35, 0.35)),
        ghost_diameter=float(rng.uniform(0.04, 0.2)),
        dust=int(rng.poisson(1.0)),
        blur=float(min(rng.lognormal(np.log(0.0011), 0.6), 0.006)),
        noise=float(min(rng.lognormal(np.log(0.006), 0.6), 0.03)),
        jpeg_quality=int(rng.integers(55, 101)),
    )


def _cut_about(rng, disc_diameter) -> dict:
    """A square that the disc fills to a third or a half; the field reaches beyond it."""
    return dict(aspect=1.0, field_diameter=float(rng.uniform(0.3, 0.55) / disc_diameter), field_x=0.0, field_tab=False)


def _disc(rng, sick, view) -> dict:
    if view == "crop":
        x, y, diameter = rng.normal(0.0, 0.012), rng.normal(0.0, 0.012), rng.uniform(0.13, 0.23)
    elif rng.random() < {"mixed": 0.55, "disc": 1, "macula": 0, "myopic": 0.35}[view]:
        x, y, diameter = rng.normal(0.0, 0.06), rng.normal(-0.02, 0.05), rng.uniform(0.13, 0.23)
    else:
        x, y, diameter = rng.normal(0.31, 0.06), rng.normal(-0.02, 0.06), rng.uniform(0.10, 0.165)
    # All of the disc is in the field, also where that is cut.
    y = np.clip(y, -0.2, 0.2)
    reach = np.sqrt((0.47 - diameter / 2) ** 2 - y**2)
    # Red is always lifted; green and blue decide between a pink-orange and a yellow-white disc.
    red, pale = rng.uniform(0.3, 0.82), rng.uniform(0.06, 0.32)
    return dict(
        disc_x=float(np.clip(x, -reach, reach)),
        disc_y=float(y),
        disc_diameter=float(diameter),
        disc_aspect=_normal(rng, 0.93, 0.05, 0.78, 1.06),
        disc_tilt=float(rng.normal(0, 15)),
        disc_harmonics=_harmonics(rng, 0.018),
        disc_lift=(float(red), float(pale), float(pale * rng.uniform(-0.1, 0.6))),
        disc_softness=float(rng.uniform(0.03, 0.13)),
        temporal_pallor=float(rng.uniform(0.0, 0.35)) + 0.1 * sick,
        scleral_ring=_sometimes(rng, 0.4, 0.1, 0.5),
        atrophy=_sometimes(rng, 0.65 if sick else 0.4, 0.08, 0.6),
        atrophy_angle=float(rng.normal(15, 50)),
        atrophy_spread=float(rng.uniform(0.5, 4)),
        atrophy_lift=float(rng.uniform(0.15, 0.75)),
        atrophy_mottle=0.12,
        pigment=_sometimes(rng, 0.5, 0.08, 0.45),
        pigment_angle=float(rng.uniform(0, 360)),
        sheen=float(rng.uniform(0.0, 0.16)) * (0.6 if sick else 1.0),
    )


def _cup(rng, vcdr, sick) -> dict:
    room = 0.8 * (0.97 - vcdr)  # how far it can move without leaving the disc
    angle, reach = rng.normal(0, np.pi / 3), min(room, 0.22) * np.sqrt(rng.random())
    contrast = float(rng.choice([rng.uniform(0.1, 0.4), rng.uniform(0.4, 1.3)], p=[0.12, 0.88]))
    white = rng.uniform(0.18, 0.6)
    return dict(
        vcdr=vcdr,
        cup_aspect=_normal(rng, 0.92 if sick else 1.02, 0.08, 0.72, 1.2),
        cup_tilt=float(rng.normal(0, 15)),
        cup_x=float(reach * np.cos(angle)),
        cup_y=float(reach * np.sin(angle)),
        cup_harmonics=_harmonics(rng, 0.025),
        notch=_sometimes(rng, 0.5 if sick else 0.05, 0.1, 0.35),
        notch_angle=float(rng.choice([75, 285], p=[0.65, 0.35]) + rng.normal(0, 15)),
        cup_lift=tuple(float(contrast * v) for v in (rng.uniform(0.35, 0.75), white, white * rng.uniform(0.1, 0.8))),
        cup_softness=float(rng.uniform(0.05, 0.3)),
        cup_slope=float(rng.uniform(0.0, 0.8)),
        cup_shadow=_sometimes(rng, 0.5, 0.05, 0.25),
        lamina=_sometimes(rng, 0.5, 0.1, 0.5) * vcdr,
    )


def _retina(rng) -> dict:
    red = rng.uniform(0.3, 0.72)
    green = _normal(rng, 0.48, 0.07, 0.3, 0.66)
    blue = min(rng.lognormal(np.log(0.13), 0.65), 0.5)
    tessellated = rng.random() < 0.3
    return dict(
        background=(float(red), float(red * green), float(red * min(blue, 0.95 * green))),
        mottle=float(rng.uniform(0.01, 0.06)),
        choroid=float(rng.uniform(0.15, 0.55) if tessellated else rng.uniform(0.0, 0.12)),
        choroid_size=float(rng.uniform(0.2, 0.45)),
        macula_distance=_normal(rng, 2.5, 0.2, 2.0, 3.0),
        macula_angle=_normal(rng, 7, 4, -3, 16),
        macula_diameter=float(rng.uniform(0.7, 2.2)),
        macula_darkness=float(rng.uniform(0.15, 0.7)),
        foveal_reflex=_sometimes(rng, 0.3, 0.05, 0.3),
        vessel_width=_normal(rng, 0.09, 0.014, 0.06, 0.13),
        vessel_density=float(rng.uniform(0.4, 1.1)),
        vessel_contrast=_normal(rng, 0.62, 0.17, 0.3, 1.1),
        artery_ratio=float(rng.uniform(0.6, 0.85)),
        artery_contrast=float(rng.uniform(0.5, 0.95)),
        vessel_reflex=_sometimes(rng, 0.7, 0.05, 0.35),
        tortuosity=float(rng.uniform(0.3, 1.5)),
        exudates=int(rng.poisson(2.0)) if rng.random() < 0.3 else 0,
        cotton_wool=int(rng.poisson(1.5)) if rng.random() < 0.2 else 0,
        drusen=int(rng.poisson(25)) if rng.random() < 0.2 else 0,
        haemorrhages=int(rng.poisson(5)) if rng.random() < 0.25 else 0,
        scars=int(rng.poisson(1.5)) if rng.random() < 0.2 else 0,
        scar_size=0.5,
        scar_strength=1.0,
    )


def _myopic(rng, p: dict) -> dict:
    """A pathologically myopic eye: bright atrophy larger than its tilted disc, tessellation, bright patches.

    Some discs are at the field's very edge.
    """
    at_edge = rng.random() < 0.2
    y = float(rng.uniform(-0.15, 0.15)) if at_edge else p["disc_y"]
    edge = float(np.sqrt((0.49 - p["disc_diameter"] / 2) ** 2 - y**2))
    dark, red = rng.uniform(0.45, 1.0), rng.uniform(0.5, 1.0)
    return dict(
        disc_x=edge if at_edge else p["disc_x"],
        disc_y=y,
        disc_aspect=_normal(rng, 0.8, 0.12, 0.55, 1.05),
        disc_tilt=float(rng.normal(0, 25)),
        atrophy=_sometimes(rng, 0.85, 0.2, 2.2),
        atrophy_angle=float(rng.normal(0, 60)),
        atrophy_spread=float(np.exp(rng.uniform(np.log(0.15), np.log(3)))),
        atrophy_lift=float(rng.uniform(0.5, 1.7)),
        atrophy_mottle=float(rng.uniform(0.08, 0.3)),
        background=(p["background"][0] * dark, p["background"][1] * dark * red, p["background"][2] * dark * red),
        choroid=float(rng.uniform(0.1, 0.8)),
        choroid_size=float(rng.uniform(0.2, 0.5)),
        scars=int(rng.poisson(1.5)),
        scar_size=float(rng.uniform(0.4, 1.3)),
        scar_strength=float(rng.uniform(1.0, 1.7)),
    )
