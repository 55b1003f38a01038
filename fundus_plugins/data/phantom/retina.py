"""The phantom's retina: background, choroid, macula, optic disc and lesions, before the vessels."""

import cv2
import numpy as np

from fundus_plugins.data.phantom.frame import Frame, blend, sigmoid
from fundus_plugins.data.phantom.outline import DiscOutline
from fundus_plugins.data.phantom.parameters import PhantomParameters


def paint_background(p: PhantomParameters, frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """The retina without disc, vessels and lesions: float32 (height, width, 3) RGB, about 0 to 1."""
    per_field = 1 / p.disc_diameter  # disc diameters across the field
    slow = frame.texture(rng, 5)
    mottle = p.mottle * (0.6 * frame.texture(rng, 6 * per_field) + 0.6 * frame.texture(rng, 2.2 * per_field))
    mesh = np.zeros(frame.shape, np.float32)
    for share, finer in ((1.0, 0.7), (0.8, 1.2), (0.6, 2.0)):
        # Near its zeros a smooth noise makes bands that meander and meet as the choroid's vessels do.
        noise = frame.texture(rng, finer * per_field / p.choroid_size / 2)
        mesh = np.maximum(mesh, share * cv2.exp(-np.square(np.square(noise * 2))))
    mesh = (mesh - 0.6) * p.choroid * np.clip(0.6 + 0.5 * slow, 0.0, 1.3)
    image = np.empty((*frame.shape, 3), np.float32)
    for channel, (colour, of_mesh) in enumerate(zip(p.background, (0.9, 0.6, 0.35))):
        image[..., channel] = colour * cv2.exp(of_mesh * mesh + mottle)
    _paint_macula(p, frame, image)
    _paint_sheen(p, frame, rng, image)
    return image


def _paint_macula(p, frame, image) -> None:
    angle = np.radians(p.macula_angle)
    fovea = p.macula_distance * np.array([np.cos(angle), np.sin(angle)])
    window, x, y = frame.window(fovea, 2.2 * p.macula_diameter)
    squared = (((x - fovea[0]) ** 2 + (1.15 * (y - fovea[1])) ** 2) / (p.macula_diameter / 2) ** 2).astype(np.float32)
    dark = p.macula_darkness * (0.65 * np.exp(-squared / 1.6) + 0.35 * np.exp(-squared * 5))
    image[window] *= 1 - dark[..., None] * np.array([0.75, 1.0, 1.0], np.float32)
    spot = np.exp(-((x - fovea[0]) ** 2 + (y - fovea[1]) ** 2) / 0.045**2)
    blend(image[window], (0.9, 0.75, 0.5), p.foveal_reflex * spot)


def _paint_sheen(p, frame, rng, image) -> None:
    """The nerve fibres' streaks, mostly above and below the disc."""
    window, x, y = frame.window((0, 0), 2.5)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    streaks = np.interp(angle, np.linspace(-np.pi, np.pi, 200), rng.uniform(0.3, 1.0, 200))
    strength = p.sheen * streaks * np.sin(angle) ** 2 * np.exp(-((radius / 1.3) ** 2))
    blend(image[window], (0.85, 0.8, 0.6), strength)


def paint_disc(p: PhantomParameters, frame: Frame, outline: DiscOutline, rng: np.random.Generator, image) -> None:
    """Paint what surrounds the disc, its rim and its cup into float32 `image` (height, width, 3)."""
    window, x, y = frame.window((0, 0), 1.6)
    disc, cup = outline.radii(x, y)
    angle = np.arctan2(y, x)
    ragged = frame.texture(rng, 7 / p.disc_diameter)[window]
    background = np.array(p.background)
    rim = background + (1 - background) * p.disc_lift
    around = 1 + 0.04 * ragged

    # From the outside in: pigment, crescent of atrophy, pale line, rim, cup.
    def towards(degrees, spread):
        return ((1 + np.cos(angle - np.radians(degrees))) / 2) ** spread

    reach = p.atrophy * towards(p.atrophy_angle, p.atrophy_spread)
    patch = image[window]
    ring = np.exp(-(((disc * around - 1.1 - reach) / 0.1) ** 2)) * (0.25 + 0.75 * towards(p.pigment_angle, 2))
    patch *= 1 - (p.pigment * ring * np.clip(0.9 + 0.3 * ragged, 0, 1.4))[..., None].astype(np.float32)
    crescent = sigmoid((1 + reach - disc * around) / 0.03) * np.clip(reach / 0.08, 0, 1)
    pale = background + p.atrophy_lift * (np.maximum(rim, 1.1 * background) - background)
    blend(patch, np.clip(pale * (1 + p.atrophy_mottle * ragged[..., None]), 0, 1), 0.85 * crescent)
    blend(patch, np.minimum(1, rim * 1.12), p.scleral_ring * np.exp(-(((disc - 1) / 0.045) ** 2)))

    # Temporal rim paler, nasal rim fuller; then the cup, paler again, by a slope or a step.
    pallor = p.temporal_pallor * 0.5 * (np.cos(angle) * np.clip(disc, 0, 1) + 0.3)
    colour = np.broadcast_to(rim, (*disc.shape, 3)).astype(np.float32)
    colour = colour + (1 - colour) * (pallor[..., None] * np.array([0.3, 0.35, 0.25])).astype(np.float32)
    colour *= (1 + 0.03 * ragged)[..., None]
    step = sigmoid((1 - cup) / (p.cup_softness / 3))
    depth = step * (1 - p.cup_slope + p.cup_slope * np.clip(1.15 - cup, 0, 1) * 1.5)
    floor = colour + (1 - colour) * np.array(p.cup_lift, np.float32)
    blend(colour, floor, np.clip(depth, 0, 1.2))
    overhang = p.cup_shadow * np.exp(-(((cup - 0.93) / 0.12) ** 2)) * towards(180, 1.5)
    pores = np.clip(frame.texture(rng, 22 / p.disc_diameter)[window] - 0.3, 0, 1)
    dots = p.lamina * sigmoid((0.75 - cup) / 0.06) * pores
    colour *= (1 - overhang - 0.35 * dots)[..., None].astype(np.float32)
    softness = p.disc_softness / 2.5 * (0.6 + 0.9 * towards(180, 1))  # the nasal edge is less distinct
    blend(patch, colour, sigmoid((1 + 0.012 * ragged - disc) / softness))


def paint_lesions(p: PhantomParameters, frame: Frame, rng: np.random.Generator, image) -> None:
    """Paint what could be mistaken for a disc, and what else disease leaves; none of it touches the disc's inside."""
    background = np.array(p.background)
    bright = background + (1 - background) * [0.45, 0.28, 0.1]
    for _ in range(p.scars):
        place, radius = _place(p, rng, 1.5), rng.uniform(0.12, p.scar_size)
        colour = np.minimum(1, bright * rng.uniform(0.75, 1.1) * p.scar_strength)
        # A pigmented border, more or less.
        _blob(frame, rng, image, place, radius * 1.2, background * 0.5, rng.uniform(0.0, 0.5), 0.12)
        _blob(
            frame,
            rng,
            image,
            place,
            radius,
            colour,
            min(1, rng.uniform(0.3, 0.8) * p.scar_strength),
            rng.uniform(0.06, 0.2),
        )
    for _ in range(p.cotton_wool):
        _blob(frame, rng, image, _place(p, rng, 1.2), rng.uniform(0.06, 0.2), bright * [0.95, 1, 1.3], 0.6, 0.3)
    for _ in range(p.drusen):
        _blob(frame, rng, image, _place(p, rng, 1.1), rng.uniform(0.015, 0.05), bright, rng.uniform(0.2, 0.6), 0.25)
    for _ in range(p.exudates):
        centre = _place(p, rng, 1.2)
        for _ in range(rng.integers(4, 22)):
            place, radius = centre + rng.normal(0, 0.22, 2), rng.uniform(0.012, 0.07)
            _blob(frame, rng, image, place, radius, np.minimum(1, bright * [1.15, 1.3, 1.0]), 0.9, 0.1)
    for _ in range(p.haemorrhages):
        _blob(frame, rng, image, _place(p, rng, 1.0), rng.uniform(0.02, 0.12), background * [0.5, 0.3, 0.4], 0.8, 0.15)


def _place(p, rng, apart) -> np.ndarray:
    """A place within the field, at least `apart` disc diameters from the disc's centre."""
    while True:
        angle, radius = rng.uniform(0, 2 * np.pi), 0.47 * np.sqrt(rng.random())
        x, y = p.disc_x + radius * np.cos(angle), -p.disc_y + radius * np.sin(angle)
        if np.hypot(x, y) > apart * p.disc_diameter:
            return np.array([x, y]) / p.disc_diameter


def _blob(frame, rng, image, place, radius, colour, alpha, softness) -> None:
    """An irregular spot; radius in disc diameters, softness relative to it."""
    bumps = rng.normal(0, 0.22, (2, 5)) / np.arange(1, 6)
    window, x, y = frame.window(place, radius * 1.8)
    if not x.size:
        return
    dx, dy = x - place[0], y - place[1]
    angles = np.arctan2(dy, dx)[..., None] * np.arange(1, 6)
    edge = radius * (1 + (bumps[0] * np.cos(angles) + bumps[1] * np.sin(angles)).sum(-1))
    blend(image[window], colour, alpha * sigmoid((1 - np.hypot(dx, dy) / np.maximum(edge, 0.2 * radius)) / softness))
