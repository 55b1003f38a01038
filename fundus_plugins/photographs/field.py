"""The field of view: the part of a photograph that shows the eye, and not the black about it."""

from dataclasses import dataclass

import cv2
import numpy as np

_SIDE = 256  # pixels of the longer side, at which it is looked for
_DARK, _WHITE = 20, 245  # of 255, in the brightest and the darkest channel: beyond the field


@dataclass(frozen=True)
class Field:
    """The field of view of one photograph, in its pixels.

    Attributes:
        box: (x0, y0, x1, y1) about the largest bright region.
        share: of the photograph's pixels that belong to it.
        fill: the part of its box that is bright; a circle has 0.79, a frame that it fills 1.
    """

    box: tuple[float, float, float, float]
    share: float
    fill: float

    @property
    def middle(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]


def find_field(photograph: np.ndarray) -> Field | None:
    """The field of view of an (H, W, 3) uint8 photograph, before black or white; None where there is nothing else."""
    height, width = photograph.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.resize(photograph, size, interpolation=cv2.INTER_AREA)
    smooth = cv2.blur(small, (3, 3))
    bright = ((smooth.max(axis=2) > _DARK) & ~_paper(smooth)).astype(np.uint8)
    number, _, regions, _ = cv2.connectedComponentsWithStats(bright, connectivity=4)
    if number < 2:
        return None
    left, top, wide, high, area = (int(x) for x in regions[1 + regions[1:, cv2.CC_STAT_AREA].argmax()])
    box = (
        left * width / size[0],
        top * height / size[1],
        (left + wide) * width / size[0],
        (top + high) * height / size[1],
    )
    return Field(box, area / bright.size, area / (wide * high))


def _paper(picture: np.ndarray) -> np.ndarray:
    """White from the picture's edge on, (h, w) bool: photographs that were cut out of a page have it."""
    white = (picture.min(axis=2) > _WHITE).astype(np.uint8)
    _, regions = cv2.connectedComponents(white, connectivity=4)
    edge = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
    return np.isin(regions, np.unique(edge[edge > 0]))
