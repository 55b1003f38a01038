"""The neuroretinal rim: how wide it is in every direction from the disc's centre.

Angles are degrees in the picture, counterclockwise as seen: 0 right, 90 up (superior), 180 left, 270 down (inferior).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from fundus_plugins.boxes import window_of

from .shape import largest_region

STEP = 10  # degrees between the widths of a profile
_SAMPLES = 512  # along a ray
_NO_RIM = 0.01  # vertical disc diameters; narrower is none
_QUADRANTS = {"right": 0, "superior": 90, "left": 180, "inferior": 270}

# Spaeth et al. 2002: the least rim of the first stage by the disc's size; 0.1 less for every later stage; then, where
# the rim is missing, how many degrees without it a stage allows.
_SMALL, _LARGE = 1.5, 2.0  # millimetres
_FIRST_STAGE = {"small": 0.5, "average": 0.4, "large": 0.3}
_ABSENT = (45, 90, 180, 270)


@dataclass(frozen=True)
class Rim:
    """The rim's width by degree.

    Attributes:
        widths: (360,) float64, vertical disc diameters, each the mean of the ten degrees about it.
        ratios: (360,) float64, the same over the disc's diameter through its centre in that direction.
        absent: degrees in which there is no rim.
    """

    widths: np.ndarray
    ratios: np.ndarray
    absent: int

    @property
    def profile(self) -> np.ndarray:
        """(36,) float64: `widths` at 0, 10, ... 350 degrees."""
        return self.widths[::STEP]

    @property
    def quadrants(self) -> dict[str, float]:
        """Mean widths of the 90 degrees about right, superior, left and inferior."""
        return {name: float(np.roll(self.widths, 45 - middle)[:90].mean()) for name, middle in _QUADRANTS.items()}

    @property
    def narrowest(self) -> tuple[float, int]:
        """The least of `ratios`, and its degree."""
        angle = int(self.ratios.argmin())
        return float(self.ratios[angle]), angle


def measure_rim(disc: np.ndarray, cup: np.ndarray) -> Rim:
    """The rim between two (H, W) bool masks, the cup within the disc, along rays from the disc's centre of mass.

    Its width along a ray is what is left of the disc beyond the cup's farthest pixel: all of it where the ray meets no
    cup. Of a disc in several regions the largest counts. Raises ValueError without a disc.
    """
    if not disc.any():
        raise ValueError("no disc, and so no rim")
    window = window_of(disc)
    disc, cup = largest_region(disc[window]), cup[window]
    window = window_of(disc)
    disc, cup = np.pad(disc[window], 2), np.pad((cup & disc)[window], 2)
    y, x = np.argwhere(disc).mean(axis=0)
    outer, inner = (_reach(mask, (float(x), float(y))) for mask in (disc, cup))
    rim = np.maximum(outer - inner, 0)
    height = np.count_nonzero(disc, axis=0).max()
    rims, diameters = _smooth(rim), _smooth(outer + np.roll(outer, 180))
    return Rim(
        _smooth(rim / height),
        np.divide(rims, diameters, out=np.zeros(360), where=diameters > 0),  # 0: of a crescent about its centre of mass
        int(np.count_nonzero(rim <= _NO_RIM * height)),
    )


def disc_size(height_mm: float) -> str:
    """ "small", "average" or "large" by the disc's vertical diameter in millimetres (Spaeth et al. 2002)."""
    return "small" if height_mm < _SMALL else "average" if height_mm <= _LARGE else "large"


def ddls_stage(narrowest: float, absent: int, height_mm: float) -> int:
    """The stage of the disc damage likelihood scale, 1 to 10 (Spaeth et al. 2002).

    Args:
        narrowest: the rim's least width over the disc's diameter in that direction.
        absent: degrees without a rim; 0: it is whole.
        height_mm: the disc's vertical diameter in millimetres; small discs have narrower rims for their stage.
    """
    first = _FIRST_STAGE[disc_size(height_mm)]
    whole = round(first * 10)  # stages with a whole rim, after the first
    if not absent:
        return 1 + next((i for i in range(whole) if narrowest >= first - 0.1 * i - 1e-9), whole)
    return min(whole + 2 + sum(absent > limit for limit in _ABSENT), 10)


def isnt_holds(inferior: float, superior: float, nasal: float, temporal: float) -> bool:
    """Whether the rim is widest inferiorly, then superiorly, nasally, temporally, as in most healthy eyes."""
    return inferior >= superior >= nasal >= temporal


def _reach(mask: np.ndarray, centre: tuple[float, float]) -> np.ndarray:
    """How far a mask reaches from a point, in pixels, by degree; 0 where the ray misses it. (360,) float64."""
    length = float(np.hypot(*mask.shape))
    flags = cv2.INTER_LINEAR | cv2.WARP_POLAR_LINEAR | cv2.WARP_FILL_OUTLIERS
    polar = cv2.warpPolar(mask.astype(np.float32), (_SAMPLES, 360), centre, length, flags)
    inside = polar[(-np.arange(360)) % 360] > 0.5  # OpenCV turns clockwise
    farthest = _SAMPLES - 0.5 - inside[:, ::-1].argmax(1)  # half way to the first that is outside
    return np.where(inside.any(1), farthest, 0) * length / _SAMPLES


def _smooth(values: np.ndarray) -> np.ndarray:
    """The mean of the ten degrees about each, the outermost counting half."""
    kernel = np.r_[0.5, np.ones(STEP - 1), 0.5] / STEP
    return np.convolve(np.pad(values, STEP // 2, mode="wrap"), kernel, "valid")
