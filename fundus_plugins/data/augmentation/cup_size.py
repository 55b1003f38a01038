"""A photograph as if its cup were larger or smaller: the disc's inside stretched, its outline and all else kept."""

import cv2
import detectron2.data.transforms as T
import numpy as np

CUP_MARK = 2  # in AugInput's sem_seg; the rest of the disc is 1
_ANGLES = 360
_WIDEST = 0.92  # of the disc's radius, what a cup may reach


def mark(disc: np.ndarray, cup: np.ndarray) -> np.ndarray:
    """Masks (H, W) uint8, 0 or 1, as AugInput's `sem_seg`: 0, 1 the disc but for its cup, CUP_MARK the cup."""
    return np.where(cup > 0, CUP_MARK, disc).astype(np.uint8)


class CupSizeTransform(T.Transform):
    """Moves points along the rays from the cup's middle: its edge from one radius to another, the disc's edge nowhere.

    In between, and inside the cup, distances stretch evenly.

    Args:
        middle: (2,) x, y of the cup, pixels (the first pixel's middle is 0.5, 0.5).
        old, new, disc: (360,) radii of the cup before, of the cup after, and of the disc, at every degree from x
            towards y; pixels, 0 < old, new < disc.
    """

    def __init__(self, middle: np.ndarray, old: np.ndarray, new: np.ndarray, disc: np.ndarray):
        super().__init__()
        self.middle, self.old, self.new, self.disc = middle, old, new, disc

    def apply_image(self, image: np.ndarray, interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
        height, width = image.shape[:2]
        reach = self.disc.max() + 1
        left, top = np.floor(np.clip(self.middle - reach, 0, None)).astype(int)
        right, bottom = np.minimum(np.ceil(self.middle + reach).astype(int), (width, height))
        places = np.stack(np.meshgrid(np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5), axis=-1)
        where = (self._move(places, self.new, self.old) - 0.5).astype(np.float32)
        image = image.copy()
        image[top:bottom, left:right] = cv2.remap(
            image, where[..., 0], where[..., 1], interpolation, borderMode=cv2.BORDER_REPLICATE
        )
        return image

    def apply_segmentation(self, segmentation: np.ndarray) -> np.ndarray:
        return self.apply_image(segmentation, cv2.INTER_NEAREST)

    def apply_coords(self, coords: np.ndarray) -> np.ndarray:
        return self._move(coords, self.old, self.new)

    def _move(self, places: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        away = places - self.middle
        radius = np.hypot(away[..., 0], away[..., 1])
        angle = np.degrees(np.arctan2(away[..., 1], away[..., 0])) % 360
        index = np.rint(angle).astype(int) % _ANGLES
        before, after, disc = before[index], after[index], self.disc[index]
        inside = radius * after / before
        rim = after + (radius - before) * (disc - after) / (disc - before)
        moved = np.where(radius < before, inside, np.where(radius < disc, rim, radius))
        return self.middle + away * (moved / np.maximum(radius, 1e-6))[..., None]


class RandomCupSize(T.Augmentation):
    """Multiply the cup's radius by a factor between `sizes`, log-uniform, half of the times.

    Readers of one hospital see many large cups, or many small ones; a model should not learn to expect them. The cup
    stays within 0.92 of the disc's radius. Reads AugInput's `sem_seg`: (H, W), CUP_MARK on the cup, another
    mark on the rest of the disc, or None; a photograph without both is left alone.
    """

    input_args = ("image", "sem_seg")

    def __init__(self, sizes: tuple[float, float]):
        super().__init__()
        if not 0 < sizes[0] < sizes[1]:
            raise ValueError(f"INPUT.CUP_SIZES: expected two factors such as (0.5, 1.2), found {tuple(sizes)}")
        self._init(locals())

    def get_transform(self, image: np.ndarray, marks: np.ndarray | None) -> T.Transform:
        chosen, logarithm = self._rand_range() < 0.5, self._rand_range(*np.log(self.sizes))
        if not chosen or marks is None or not (marks == CUP_MARK).any():
            return T.NoOpTransform()
        cup = marks == CUP_MARK
        middle = np.array([x.mean() + 0.5 for x in np.nonzero(cup)[::-1]])
        old, disc = _radii(cup, middle), _radii(marks > 0, middle)
        disc = np.maximum(disc, 1)
        old = np.clip(old, 0.05 * disc, 0.98 * disc)
        new = np.clip(old * np.exp(logarithm), 0.05 * disc, np.maximum(old, _WIDEST * disc))
        return CupSizeTransform(middle, old, new, disc)


def _radii(mask: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """How far a mask reaches from a place within it, at every degree, smoothed."""
    reach = int(np.ceil(np.hypot(*mask.shape)))
    size = (2 * reach, _ANGLES)  # half pixels
    polar = cv2.warpPolar(mask.astype(np.uint8), size, tuple(middle - 0.5), reach, cv2.WARP_FILL_OUTLIERS)
    radii = (size[0] - polar[:, ::-1].argmax(1)) / 2 * polar.any(1)
    around = np.concatenate([radii[-20:], radii, radii[:20]]).astype(np.float32)
    return cv2.GaussianBlur(around[None], (0, 0), 3)[0, 20:-20].astype(np.float64)
