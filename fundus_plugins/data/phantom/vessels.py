"""The phantom's retinal vessels: how they grow out of the disc, and how they are painted."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from fundus_plugins.data.phantom.outline import DiscOutline
from fundus_plugins.data.phantom.parameters import PhantomParameters

_STEP = 0.07  # disc diameters
_THINNEST = 0.012  # disc diameters
_SHIFT = 4  # fractional bits of OpenCV's coordinates


@dataclass(frozen=True)
class Vessel:
    """One unbranched vessel; points (n, 2) and widths (n,) in disc diameters, x temporal and y inferior of the disc."""

    points: np.ndarray
    widths: np.ndarray
    artery: bool


def grow_vessels(parameters: PhantomParameters, outline: DiscOutline, rng: np.random.Generator) -> list[Vessel]:
    """Grow the tree: eight main vessels, from the cup's nasal side over its edge and the rim, and small ones."""
    grower = _Grower(parameters, rng)
    # Superior and inferior artery and vein: each a trunk that forks into a temporal and a nasal vessel.
    trunk = np.array([parameters.cup_x / 2 - rng.uniform(0.03, 0.13), parameters.cup_y / 2 + rng.normal(0, 0.03)])
    for side in (1, -1):  # inferior, superior
        middle = rng.uniform(88, 112)
        for artery, apart in ((False, 0.0), (True, rng.uniform(12, 26) * rng.choice([-1, 1]))):
            width = parameters.vessel_width * (parameters.artery_ratio if artery else 1)
            start = trunk + rng.normal(0, 0.035, 2)
            bend = outline.cup_point(side * (middle + apart + rng.normal(0, 28)), rng.uniform(0.8, 1.0))
            for nasal in (False, True):
                exit_angle = side * (middle + apart + (rng.uniform(15, 40) if nasal else -rng.uniform(5, 28)))
                narrower = rng.uniform(0.55, 0.85) if nasal else rng.uniform(0.85, 1.1)
                grower.from_disc(outline, [start, bend], exit_angle, width * narrower, artery, arcade=not nasal)
    # Small ones come out at the cup's edge or on the rim.
    for centre, spread, count in ((0, 60, rng.integers(2, 7)), (180, 40, rng.integers(2, 6))):
        for _ in range(count):
            angle, width = centre + rng.uniform(-spread, spread), parameters.vessel_width * rng.uniform(0.2, 0.5)
            start = outline.cup_point(angle + rng.normal(0, 30), rng.uniform(0.7, 1.1))
            grower.from_disc(outline, [start], angle, width, bool(rng.random() < 0.5))
    return grower.vessels


class _Grower:
    def __init__(self, parameters: PhantomParameters, rng: np.random.Generator):
        p = parameters
        self.p, self.rng = p, rng
        self.vessels: list[Vessel] = []
        angle = math.radians(p.macula_angle)
        self.fovea = p.macula_distance * math.cos(angle), p.macula_distance * math.sin(angle)
        # The field in the same frame, to stop what has left it.
        self.field = p.disc_x / p.disc_diameter, -p.disc_y / p.disc_diameter
        self.field_radius = 0.53 / p.disc_diameter

    def from_disc(self, outline, origin, exit_angle, width, artery, arcade=False) -> None:
        """A vessel through the points `origin` (the last: about the cup's edge), over the rim and over the retina."""
        rng = self.rng
        leaving = outline.disc_point(exit_angle, 1.02)
        beside = 0.4 * origin[-1] + 0.6 * leaving + rng.normal(0, 0.02, 2)
        points = _through([*origin, beside, leaving])
        heading = math.atan2(*(leaving - beside)[::-1])
        # It narrows towards the trunk's depth, where it is hidden.
        widths = width * np.linspace(0.5, 1.0, len(points))
        further, further_widths = self.grow(leaving, heading, width, artery, arcade)
        self.vessels.append(Vessel(np.vstack([points, further]), np.append(widths, further_widths), artery))

    def grow(self, start, heading, width, artery, arcade, depth=0):
        """Walk step by step, turning towards the retina's pattern, and leave branches; returns points and widths."""
        p, rng = self.p, self.rng
        x, y = float(start[0]), float(start[1])
        noise = rng.standard_normal(220)
        chance = rng.random(220)
        bend, points, widths = 0.0, [], []
        obedience = (1.1, 0.5, 0.4)[min(depth, 2)]
        distance_since, fovea_free, vertex = 0.0, rng.uniform(0.35, 1.2), rng.uniform(0.05, 0.3)
        lifetime = 220 if depth == 0 else int(rng.uniform(12, 70) / depth)
        for i in range(lifetime):
            # Main pattern: parabolas that open around the macula; spokes on the nasal side.
            if arcade:
                wanted = math.atan2(y, 2 * max(x + vertex, 0.05))
            else:
                wanted = math.atan2(y, 2 * x if x > 0 else 0.9 * x)
            to_fovea_x, to_fovea_y = self.fovea[0] - x, self.fovea[1] - y
            fovea = math.hypot(to_fovea_x, to_fovea_y)
            pull = obedience
            if x > 0.4 and fovea < 2.0 and (depth > 0 or not arcade and abs(y) < 0.7):
                wanted, pull = math.atan2(to_fovea_y, to_fovea_x), 1.1
                if fovea < fovea_free:
                    break
            turn = (wanted - heading + math.pi) % (2 * math.pi) - math.pi
            if depth > 0 and abs(turn) > 2:
                break  # it would have to turn round
            bend = 0.8 * bend + 0.45 * p.tortuosity * noise[i]
            heading += (pull * math.sin(turn) + bend) * _STEP
            x, y = x + math.cos(heading) * _STEP, y + math.sin(heading) * _STEP
            width *= 1 - 0.2 * _STEP
            points.append((x, y))
            widths.append(width)
            distance_since += _STEP
            if width < _THINNEST or math.hypot(x - self.field[0], y - self.field[1]) > self.field_radius:
                break
            if depth < 3 and distance_since > 0.35 and chance[i] < p.vessel_density * 2 * _STEP and width > 0.022:
                distance_since = 0.0
                share = rng.uniform(0.4, 0.8)
                side = rng.choice([-1, 1])
                apart = side * rng.uniform(0.4, 1.0)
                branch = self.grow((x, y), heading + apart, width * share, artery, arcade, depth + 1)
                if len(branch[1]) > 2:
                    joined = np.vstack([[(x, y)], branch[0]]), np.append(branch[1][0], branch[1])
                    self.vessels.append(Vessel(*joined, artery))
                width *= (1 - share**3) ** (1 / 3) * 0.3 + 0.7  # towards Murray's law
                heading -= side * rng.uniform(0.05, 0.25)
        # The last bit fades away.
        end = np.minimum(1, np.arange(len(widths), 0, -1) / 14)
        return np.array(points).reshape(-1, 2), np.array(widths) * end


def _through(corners) -> np.ndarray:
    """A curve through the corners (Catmull-Rom), without its last point."""
    c = np.array([corners[0], *corners, corners[-1]])
    t = np.linspace(0, 1, 6, endpoint=False)[:, None]
    pieces = []
    for a, b, d, e in zip(c, c[1:], c[2:], c[3:]):
        pieces.append(b + 0.5 * t * (d - a + t * (2 * a - 5 * b + 4 * d - e + t * (3 * (b - d) + e - a))))
    return np.vstack(pieces)


def paint_vessels(vessels, to_pixels, pixels_per_disc: float, shape: tuple[int, int], reflex: float):
    """Paint vessels with soft edges.

    `to_pixels` maps places (n, 2) to x, y in pixels of the picture (shape: height, width); widths are multiplied by
    `pixels_per_disc`. Returns three float32 arrays of `shape`, 0 to 1: veins, arteries, reflex along the middle.
    """
    zoom = 2  # lines have whole widths: paint at twice the size
    canvases = [np.zeros((shape[0] * zoom, shape[1] * zoom), np.uint8) for _ in range(3)]
    for vessel in vessels:
        # OpenCV's pixel centres are whole numbers.
        points = np.rint((to_pixels(vessel.points) * zoom - 0.5) * 2**_SHIFT).astype(np.int32)
        widths = vessel.widths * pixels_per_disc * zoom
        _taper(canvases[int(vessel.artery)], points, widths)
        if reflex and widths[0] > 4:
            _taper(canvases[2], points, widths * 0.3, thinnest=1.0)
    sigma = max(0.35, 0.007 * pixels_per_disc)
    small = [cv2.resize(c, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255 for c in canvases]
    return [cv2.GaussianBlur(c, (0, 0), sigma) for c in small]


def _taper(canvas, points, widths, thinnest=0.0) -> None:
    thickness = np.maximum(np.rint(widths), 1).astype(int)
    # Lines cannot be thinner than a pixel: they get fainter instead.
    levels = np.rint(255 * np.clip(widths, 0.3, 1)).astype(int)
    keys = thickness * 1000 + levels // 32
    ends = np.flatnonzero(np.diff(keys)) + 1
    for begin, end in zip([0, *ends], [*ends, len(points)]):
        if widths[begin] < thinnest:
            break
        piece = points[begin : end + 1]
        cv2.polylines(canvas, [piece], False, int(levels[begin]), int(thickness[begin]), cv2.LINE_AA, _SHIFT)
