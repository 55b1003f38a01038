"""A photograph cut to a square about its disc, as a detector would find it."""

import detectron2.data.transforms as T
import numpy as np

from fundus_plugins.boxes import box_of
from fundus_plugins.data.augmentation.affine import AffineTransform
from fundus_plugins.photographs.resampling import crop_about


class RandomDiscCrop(T.Augmentation):
    """A square about the disc as a detector would find it: its middle and its size a little off.

    Without a disc the whole photograph, scaled to the square. Reads AugInput's `sem_seg`: not 0 on the disc, or None.

    Args:
        diameters: the square's side, in the disc's largest extent.
        side: of the picture, pixels.
        jitter: how far the middle may be off in each direction, in the disc's extent, and the extent, as a logarithm.
    """

    input_args = ("image", "sem_seg")

    def __init__(self, diameters: float, side: int, jitter: float):
        super().__init__()
        if diameters < 1 or side < 1 or jitter < 0:
            raise ValueError(
                "INPUT.DISC_CROP: expected DIAMETERS of at least 1, a SIDE of at least 1 and a JITTER of at least 0, "
                f"found {diameters}, {side} and {jitter}"
            )
        self._init(locals())

    def get_transform(self, image: np.ndarray, disc: np.ndarray | None) -> AffineTransform:
        found = None if disc is None else box_of(disc)
        box = None if found is None else np.array(found, float)
        if box is not None:
            middle, extent = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).max()
            middle = middle + extent * np.array([self._rand_range(-self.jitter, self.jitter) for _ in range(2)])
            reach = extent / 2 * np.exp(self._rand_range(-self.jitter, self.jitter))
            box = np.concatenate([middle - reach, middle + reach])
        matrix = crop_about(box, (image.shape[0], image.shape[1]), self.diameters, self.side)
        return AffineTransform(matrix, (self.side, self.side))
