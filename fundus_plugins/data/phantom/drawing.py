"""One phantom: photograph and exact masks from parameters."""

from dataclasses import dataclass

import numpy as np

from fundus_plugins.data.phantom.camera import photograph
from fundus_plugins.data.phantom.frame import Frame
from fundus_plugins.data.phantom.outline import DiscOutline
from fundus_plugins.data.phantom.parameters import PhantomParameters
from fundus_plugins.data.phantom.retina import paint_background, paint_disc, paint_lesions
from fundus_plugins.data.phantom.vessels import grow_vessels, paint_vessels


@dataclass(frozen=True)
class Phantom:
    """A synthetic fundus photograph with its truth, all in pixels of `image`."""

    image: np.ndarray  # (height, width, 3) uint8 RGB
    disc: np.ndarray  # (height, width) bool, includes the cup
    cup: np.ndarray  # (height, width) bool
    fovea: tuple[float, float]  # x, y; may lie outside the picture
    grade: str


def draw_phantom(parameters: PhantomParameters, size: int, rng: np.random.Generator) -> Phantom:
    """Draw a photograph whose longer side is `size` pixels.

    The masks depend on the parameters and the size alone; `rng` decides the vessels' courses, textures and noise, and
    at another size the same seed gives the same picture but for the sensor's noise. Raises ValueError if `size` is
    less than 64.
    """
    if size < 64:
        raise ValueError(f"size: expected at least 64 pixels, found {size}")
    p, frame, outline = parameters, Frame(parameters, size), DiscOutline(parameters)
    of_background, of_disc, of_lesions, of_vessels, of_camera = rng.spawn(5)
    image = paint_background(p, frame, of_background)
    paint_lesions(p, frame, of_lesions, image)
    paint_disc(p, frame, outline, of_disc, image)
    _paint_blood(p, frame, grow_vessels(p, outline, of_vessels), image)
    image = photograph(p, frame, image, of_camera)

    window, x, y = frame.window((0, 0), 0.75)
    inside_disc, inside_cup = outline.radii(x, y)
    disc, cup = np.zeros(frame.shape, bool), np.zeros(frame.shape, bool)
    # A cup smaller than a pixel still has the pixel nearest to its centre.
    disc[window], cup[window] = inside_disc <= 1, inside_cup <= max(1, inside_cup.min())
    angle = np.radians(p.macula_angle)
    fovea = frame.to_pixels(p.macula_distance * np.array([[np.cos(angle), np.sin(angle)]]))[0]
    return Phantom(image, disc, cup, (float(fovea[0]), float(fovea[1])), p.grade)


def _paint_blood(p, frame, vessels, image) -> None:
    """Blood absorbs: green most, red least."""
    veins, arteries, reflex = paint_vessels(vessels, frame.to_pixels, frame.disc_pixels, frame.shape, p.vessel_reflex)
    blood = np.maximum(veins, p.artery_contrast * arteries) * (1 - 0.6 * p.vessel_reflex * reflex)
    is_vein = veins > arteries * p.artery_contrast
    # Before the bright disc blood lets red through; before the dark choroid it does not.
    red = np.where(is_vein, 0.8, 0.4) * np.clip(1 - image[..., 0], 0.25, 1)
    image[..., 0] *= np.exp(-p.vessel_contrast * red * blood)
    image[..., 1:] *= np.exp(-p.vessel_contrast * np.where(is_vein, 1.0, 0.9) * blood)[..., None]
