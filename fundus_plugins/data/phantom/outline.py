"""The exact outlines of the phantom's optic disc and cup."""

import numpy as np

from fundus_plugins.data.phantom.parameters import PhantomParameters

# The cup stays this far inside the disc (1 is the disc's edge).
CUP_LIMIT = 0.97
_ANGLES = np.linspace(-np.pi, np.pi, 721)


class DiscOutline:
    """The disc and the cup as functions of the place, exact at any resolution.

    Places are in disc diameters from the disc's centre, x towards temporal, y towards inferior; the disc's largest
    column is 1 high, the cup's `parameters.vcdr`.
    """

    def __init__(self, parameters: PhantomParameters):
        p = parameters
        self._disc = 0.5 * _ellipse(p.disc_aspect, p.disc_tilt) * _wobble(p.disc_harmonics)
        self._cup = _ellipse(p.cup_aspect, p.cup_tilt) * _wobble(p.cup_harmonics)
        to_notch = (np.degrees(_ANGLES) - p.notch_angle + 180) % 360 - 180
        self._cup *= 1 + p.notch * np.exp(-((to_notch / 28) ** 2))
        self._centre = p.cup_x, p.cup_y

        self._disc /= _largest_column(self._disc * np.exp(1j * _ANGLES))
        # The factor that makes the cup as high as asked, by bisection: its height grows with the factor.
        low, high = 0.0, 4.0
        for _ in range(24):
            middle = (low + high) / 2
            low, high = (middle, high) if _largest_column(self._cup_edge(middle)) < p.vcdr else (low, middle)
        self._cup *= high

    def _cup_edge(self, factor: float) -> np.ndarray:
        """The edge of the cup times a factor, as complex numbers x + iy at _ANGLES about the cup's centre."""
        centre, ray = complex(*self._centre), np.exp(1j * _ANGLES)
        along = (np.conj(centre) * ray).real
        to_limit = np.sqrt(along**2 + CUP_LIMIT**2 - abs(centre) ** 2) - along
        edge = centre + np.minimum(factor * self._cup, to_limit) * ray
        return edge * np.interp(np.angle(edge), _ANGLES, self._disc)

    def radii(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far out each place is: (disc, cup), 0 at the centre, 1 on the edge, above 1 outside; shape of x."""
        angle = np.arctan2(y, x)
        edge = np.interp(angle, _ANGLES, self._disc)
        disc = np.hypot(x, y) / edge
        # The cup lives in the disc stretched to the unit circle, so that it can be kept inside.
        u, v = x / edge - self._centre[0], y / edge - self._centre[1]
        cup = np.hypot(u, v) / np.interp(np.arctan2(v, u), _ANGLES, self._cup)
        return disc, np.maximum(cup, disc / CUP_LIMIT)

    def disc_point(self, degrees: float, radius: float = 1.0) -> np.ndarray:
        """The place (x, y) at an angle from the disc's centre; radius 1 is the disc's edge."""
        angle = np.radians((degrees + 180) % 360 - 180)
        return radius * np.interp(angle, _ANGLES, self._disc) * np.array([np.cos(angle), np.sin(angle)])

    def cup_point(self, degrees: float, radius: float = 1.0) -> np.ndarray:
        """The place (x, y) at an angle from the cup's centre; radius 1 is the cup's edge."""
        angle = np.radians((degrees + 180) % 360 - 180)
        length = radius * np.interp(angle, _ANGLES, self._cup)
        u = np.array(self._centre) + length * np.array([np.cos(angle), np.sin(angle)])
        u *= min(1.0, CUP_LIMIT / max(np.hypot(*u), 1e-9))
        return self.disc_point(np.degrees(np.arctan2(u[1], u[0])), np.hypot(*u))


def _ellipse(aspect, tilt):
    """Radius at _ANGLES of an ellipse with vertical half axis 1, turned by `tilt` degrees."""
    angle = _ANGLES - np.radians(tilt)
    return 1 / np.hypot(np.cos(angle) / aspect, np.sin(angle))


def _wobble(harmonics):
    orders = np.repeat(np.arange(2, 2 + len(harmonics) // 2), 2)
    phases = np.tile([0, np.pi / 2], len(harmonics) // 2)
    return 1 + (np.array(harmonics) * np.cos(_ANGLES[:, None] * orders - phases)).sum(1)


def _largest_column(edge: np.ndarray) -> float:
    """Height of the highest column inside a closed edge (complex), given from its left side around."""
    middle = len(edge) // 2
    columns = np.linspace(edge.real.min(), edge.real.max(), 201)[20:-20]
    halves = []
    for half in (edge[: middle + 1], edge[middle:]):
        half = half[np.argsort(half.real)]
        halves.append(np.interp(columns, half.real, half.imag))
    return float(np.abs(halves[1] - halves[0]).max())
