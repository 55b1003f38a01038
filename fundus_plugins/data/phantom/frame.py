"""Where things are: the maps between the photograph's pixels, the field, and the eye's own frame."""

from functools import cached_property

import cv2
import numpy as np

from fundus_plugins.data.phantom.parameters import PhantomParameters


class Frame:
    """The geometry of one photograph whose longer side is `size` pixels.

    Three frames: pixels (the centre of the first pixel is 0.5, 0.5); the field (origin its centre, unit its diameter);
    the eye (origin the disc's centre, x temporal, y inferior, unit the disc's diameter).
    """

    def __init__(self, parameters: PhantomParameters, size: int):
        p = parameters
        self.height = max(1, round(size * min(1.0, p.aspect)))
        self.width = max(1, round(size / max(1.0, p.aspect)))
        self.shape = self.height, self.width
        self.field_pixels = p.field_diameter * self.width
        self.disc_pixels = p.disc_diameter * self.field_pixels
        self._temporal = -1 if p.eye == "right" else 1  # its direction in the picture: to the left in a right eye
        self._middle = np.array([self.width / 2 + p.field_x * self.field_pixels, self.height / 2])
        self._disc = np.array([-self._temporal * p.disc_x, p.disc_y])

    @cached_property
    def field(self) -> tuple[np.ndarray, np.ndarray]:
        """x, y of every pixel in the field's frame, float32, shapes (1, width) and (height, 1)."""
        x = (np.arange(self.width) + 0.5 - self._middle[0]) / self.field_pixels
        y = (np.arange(self.height) + 0.5 - self._middle[1]) / self.field_pixels
        return x[None].astype(np.float32), y[:, None].astype(np.float32)

    def to_pixels(self, places: np.ndarray) -> np.ndarray:
        """Places (n, 2) of the eye's frame, in pixels."""
        return self._middle + (self._disc * self.field_pixels) + places * [self._temporal, 1] * self.disc_pixels

    def window(self, place, radius: float) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
        """The pixels at most `radius` disc diameters left, right, above and below a place of the eye's frame.

        Returns their slices (rows, columns), maybe empty, and the x, y in the eye's frame of every one (2-d arrays).
        """
        origin = self.to_pixels(np.zeros((1, 2)))[0]
        x = self._temporal * (np.arange(self.width) + 0.5 - origin[0]) / self.disc_pixels
        y = (np.arange(self.height) + 0.5 - origin[1]) / self.disc_pixels
        rows, columns = span(abs(y - place[1]) <= radius), span(abs(x - place[0]) <= radius)
        return (rows, columns), *np.meshgrid(x[columns], y[rows])

    def texture(self, rng: np.random.Generator, cells: float) -> np.ndarray:
        """Smooth noise (height, width) float32 of mean 0 and deviation about 1; `cells` knots across the field.

        The same at any size: the knots are drawn first, and the picture's middle is the knots' middle.
        """
        side = int(np.ceil(cells * 1.6)) + 4
        knots = rng.standard_normal((side, side), dtype=np.float32)
        pitch = self.field_pixels / cells  # pixels from knot to knot
        # Pixel to knot, with the middle of the field on the middle of the knots.
        shift = side / 2 - self._middle / pitch
        matrix = np.array([[1 / pitch, 0, shift[0]], [0, 1 / pitch, shift[1]]])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        noise = cv2.warpAffine(knots, matrix, (self.width, self.height), flags=flags, borderMode=cv2.BORDER_REFLECT)
        return noise * 1.3


def span(inside: np.ndarray) -> slice:
    """The slice from the first to the last True of a 1-d mask; empty if there is none."""
    where = np.flatnonzero(inside)
    return slice(int(where[0]), int(where[-1]) + 1) if len(where) else slice(0, 0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic step from 0 to 1, safe from overflow."""
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))


def blend(image: np.ndarray, colour, alpha: np.ndarray) -> None:
    """Mix a colour (3,) or picture (h, w, 3) into float32 `image` (h, w, 3), in place; alpha (h, w) in 0..1."""
    image += alpha[..., None].astype(np.float32) * (np.asarray(colour, np.float32) - image)
