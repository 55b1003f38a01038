"""A photograph as a camera with another field would frame it: turned, scaled, moved, mildly sheared."""

import cv2
import detectron2.data.transforms as T
import numpy as np

from fundus_plugins.boxes import box_of
from fundus_plugins.photographs.resampling import warp, warp_points

_MISJUDGED = 0.15  # how far a first look may be off, in the disc's size (logarithm) and extents


class AffineTransform(T.Transform):
    """An affine map of the plane; what it uncovers is black, as beyond a fundus camera's aperture.

    Args:
        matrix: (2, 3), from pixels of the old image to pixels of the new one (the first pixel's middle is 0.5, 0.5).
        size: height and width of the new image.
    """

    def __init__(self, matrix: np.ndarray, size: tuple[int, int]):
        super().__init__()
        self.matrix = np.asarray(matrix, np.float64)
        self.size = size

    def apply_image(self, image: np.ndarray) -> np.ndarray:
        return warp(image, self.matrix, self.size)

    def apply_segmentation(self, segmentation: np.ndarray) -> np.ndarray:
        return warp_points(segmentation, self.matrix, self.size, cv2.INTER_NEAREST)

    def apply_coords(self, coords: np.ndarray) -> np.ndarray:
        return coords @ self.matrix[:, :2].T + self.matrix[:, 2]


class RandomAffine(T.Augmentation):
    """Turn, scale and move a photograph at random, to a square picture that shows its disc as `disc_sizes` says.

    The disc's largest extent becomes a part of the square's side drawn from `disc_sizes`, log-uniformly. The
    photograph's middle goes to the square's middle and then by up to `shift` of the side, and further where the disc
    would else leave the square. A photograph without a disc is scaled to fill the square.

    Reads AugInput's `sem_seg`: the disc's mask, (H, W), not 0 on the disc, or None.

    Args:
        side: of the square, pixels.
        disc_sizes: smallest and largest part of the side.
        rotation: degrees, either way.
        shift: part of the side, either way.
        shear: how far the scales along two perpendicular directions may differ, as a part; and sheared by as much.
        closer: part of the pictures that are framed as FundusPredictor's second look frames them, about the disc, which
            fills `crop` of the side; but for `_MISJUDGED`, as the first look misjudges its place and size.
        crop: TEST.CROP.
    """

    input_args = ("image", "sem_seg")

    def __init__(
        self,
        side: int,
        disc_sizes: tuple[float, float],
        rotation: float = 0,
        shift: float = 0,
        shear: float = 0,
        closer: float = 0,
        crop: float = 0.25,
    ):
        super().__init__()
        if not 0 < disc_sizes[0] <= disc_sizes[1] <= 0.8:
            raise ValueError(
                f"INPUT.RANDOM_AFFINE.DISC_SIZES: expected 0 < smallest <= largest <= 0.8, found {disc_sizes}"
            )
        if not 0 <= closer <= 1 or closer and not 0 < crop <= 0.6:
            raise ValueError(
                "INPUT.RANDOM_AFFINE.CLOSER: expected a part, 0 to 1, of pictures framed by TEST.CROP, 0 to 0.6, "
                f"found {closer} and {crop}"
            )
        self._init(locals())

    def get_transform(self, image: np.ndarray, disc: np.ndarray | None) -> AffineTransform:
        height, width = image.shape[:2]
        turn = np.radians(self._rand_range(-self.rotation, self.rotation))
        stretch = np.exp(self._rand_range(-self.shear, self.shear) / 2)
        across = self._rand_range(-self.shear, self.shear) / 2
        linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        linear = linear @ np.array([[stretch, across], [across, 1 / stretch]])
        wanted = np.exp(self._rand_range(*np.log(self.disc_sizes))) * self.side
        moved = np.array([self._rand_range(-self.shift, self.shift) for _ in range(2)]) * self.side
        middle, centre = np.array([width, height]) / 2, self.side / 2 + moved
        closer = self.closer > 0 and self._rand_range() < self.closer
        if closer:
            wanted = self.crop * self.side * np.exp(self._rand_range(-_MISJUDGED, _MISJUDGED))
            moved = wanted * np.array([self._rand_range(-_MISJUDGED, _MISJUDGED) for _ in range(2)])

        box = None if disc is None else box_of(disc)
        if box is None:
            linear *= self.side / max(height, width)
        else:
            x0, y0, x1, y1 = box
            linear *= wanted / max(x1 - x0, y1 - y0)
            place = linear @ (np.array([x0 + x1, y0 + y1]) / 2 - middle)
            reach = 0.55 * wanted  # from the disc's middle to a little beyond its edge
            centre = (self.side / 2 + moved if closer else np.clip(centre + place, reach, self.side - reach)) - place
        return AffineTransform(np.column_stack([linear, centre - linear @ middle]), (self.side, self.side))
