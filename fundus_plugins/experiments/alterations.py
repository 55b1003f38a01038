"""Photographs as another camera would have taken them, with their masks: one alteration at a time, by level."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fundus_plugins.data.augmentation.affine import AffineTransform
from fundus_plugins.data.augmentation.photometric import through_jpeg

# photograph (H, W, 3) uint8 RGB, disc (H, W) bool, level -> affine map (2, 3) and new height and width; or None.
Geometry = Callable[[np.ndarray, np.ndarray, float], tuple[np.ndarray, tuple[int, int]]]
Pixels = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


@dataclass(frozen=True)
class Alteration:
    """One way to change a photograph: what `levels` are, and either where its pixels go or what becomes of them."""

    name: str
    unit: str
    levels: tuple[float, ...]
    geometry: Geometry | None = None
    pixels: Pixels | None = None

    def apply(
        self, image: np.ndarray, disc: np.ndarray, cup: np.ndarray | None, level: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Photograph (H, W, 3) uint8 RGB and its masks (H, W) bool, altered alike; no cup stays none."""
        if self.pixels:
            return self.pixels(image, disc, level), disc, cup
        assert self.geometry is not None
        transform = AffineTransform(*self.geometry(image, disc, level))
        disc = transform.apply_segmentation(disc.astype(np.uint8)) > 0
        cup = None if cup is None else transform.apply_segmentation(cup.astype(np.uint8)) > 0
        return transform.apply_image(image), disc, cup


def _scaled(image, factor):
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    return np.array([[width / image.shape[1], 0, 0], [0, height / image.shape[0], 0]]), (height, width)


def _resolution(image, disc, longer_side):
    return _scaled(image, longer_side / max(image.shape[:2]))


def _field(image, disc, factor):
    """The same retina in a field `factor` times as wide: smaller, within black, in a picture of the same size."""
    height, width = image.shape[:2]
    middle = np.array([width, height]) / 2
    return np.column_stack([np.eye(2) / factor, middle - middle / factor]), (height, width)


def _off_centre(image, disc, part):
    """The camera aimed beside the disc, which comes to lie `part` of the width beside the middle."""
    height, width = image.shape[:2]
    shift = width * (0.5 + part) - np.flatnonzero(disc.any(0)).mean()
    return np.array([[1, 0, shift], [0, 1, 0]]), (height, width)


def _border(image, disc, part):
    """Black around the picture, `part` of its longer side at every edge; below 0 as much is cut off."""
    height, width = image.shape[:2]
    margin = round(part * max(height, width))
    return np.array([[1.0, 0, margin], [0, 1, margin]]), (height + 2 * margin, width + 2 * margin)


def _crop(image, disc, part):
    """A square about the disc, whose diameter is `part` of the side."""
    rows, columns = np.flatnonzero(disc.any(1)), np.flatnonzero(disc.any(0))
    side = round(max(np.ptp(rows), np.ptp(columns), 1) / part)
    return np.array([[1, 0, side / 2 - columns.mean()], [0, 1, side / 2 - rows.mean()]]), (side, side)


def _low_light(image, disc, factor):
    """Less light, and the sensor's noise that shows then."""
    noise = np.random.default_rng(0).standard_normal(image.shape, np.float32) * np.float32(2 / np.sqrt(factor))
    return np.clip(image * np.float32(factor) + noise, 0, 255).astype(np.uint8)


def _gamma(image, disc, gamma):
    return cv2.LUT(image, (255 * (np.arange(256) / 255) ** gamma + 0.5).astype(np.uint8))


def _warmth(image, disc, strength):
    return np.clip(image * np.exp(strength * np.array([0.5, 0, -0.5], np.float32)), 0, 255).astype(np.uint8)


def _saturation(image, disc, factor):
    return cv2.transform(image, factor * np.eye(3) + (1 - factor) / 3)


def _blur(image, disc, percent):
    return cv2.GaussianBlur(image, (0, 0), percent / 100 * max(image.shape[:2]))


def _jpeg(image, disc, quality):
    return through_jpeg(image, int(quality))


UNCHANGED = Alteration("unchanged", "", (0,), pixels=lambda image, disc, level: image)
ALTERATIONS = (
    Alteration("resolution", "pixels on the longer side", (400, 700, 1200, 3000), _resolution),
    Alteration("field of view", "times as wide", (1.5, 2.0), _field),
    Alteration("disc beside the middle", "part of the width", (-0.35, -0.2, 0.2, 0.35), _off_centre),
    Alteration("black border", "part of the longer side; below 0 cut off", (-0.15, 0.1, 0.25), _border),
    Alteration("cropped disc", "disc's part of the side", (0.25, 0.4, 0.55, 0.7), _crop),
    Alteration("low light", "times the light", (0.2, 0.35, 0.6), pixels=_low_light),
    Alteration("gamma", "exponent", (0.5, 0.7, 1.5, 2.0), pixels=_gamma),
    Alteration("warmth", "log ratio of red and blue", (-0.8, -0.4, 0.4, 0.8), pixels=_warmth),
    Alteration("saturation", "times", (0.3, 0.6, 1.5), pixels=_saturation),
    Alteration("blur", "sigma, % of the longer side", (0.15, 0.3, 0.6), pixels=_blur),
    Alteration("jpeg", "quality", (40, 20, 10), pixels=_jpeg),
)
NAMES = tuple(x.name for x in ALTERATIONS)


def alterations_named(names: Sequence[str] = ()) -> list[Alteration]:
    """ALTERATIONS of these names; all for none."""
    return [x for x in ALTERATIONS if x.name in (names or NAMES)]
