"""A look at the whole photograph, then a closer one at the disc; by whatever engine runs the network.

NumPy and OpenCV alone, so that PyTorch need not be installed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from fundus_plugins.photographs.resampling import paste_mask, resize, sample_grid, shortest_edge_size, warp
from fundus_plugins.prediction.settings import Settings


@dataclass(frozen=True)
class Look:
    """One disc as an engine sees it in a view.

    Attributes:
        box: (4,) float64 XYXY, pixels of the view.
        score: 0 to 1.
        masks: (2, S, S) float32, probabilities of disc and cup within the box.
        agreement: of the flips that were averaged, 0 to 1; nan of a single one.
    """

    box: np.ndarray
    score: float
    masks: np.ndarray
    agreement: float = float("nan")


class Engine(Protocol):
    """What runs the network."""

    def look(self, views: Sequence[np.ndarray]) -> list[Look | None]:
        """The disc of each view, (h, w, 3) uint8 RGB; None where there is none."""
        ...


@dataclass(frozen=True)
class Prepared:
    """A photograph, (H, W, 3) uint8 RGB, and the first view of it, (h, w, 3) uint8 RGB."""

    photograph: np.ndarray
    view: np.ndarray


@dataclass(frozen=True)
class Found:
    """A disc and a cup in a photograph of H x W pixels, as the network gives them.

    Attributes:
        box: (4,) float64 XYXY, pixels of the photograph, which it may reach beyond; nan where nothing was found.
        score: of the detection, 0 to 1; nan where nothing was found.
        disc, cup: (H, W) bool.
        agreement: 0 to 1, see `Looks`; nan where nothing was found, or of a single look.
    """

    box: np.ndarray
    score: float
    disc: np.ndarray
    cup: np.ndarray
    agreement: float

    @classmethod
    def nothing(cls, size: tuple[int, int]) -> "Found":
        """In a photograph of height and width `size`."""
        nan = float("nan")
        return cls(np.full(4, nan), nan, np.zeros(size, bool), np.zeros(size, bool), nan)


def first_view(photograph: np.ndarray, sides: tuple[int, int]) -> Prepared:
    """An (H, W, 3) uint8 RGB photograph resized to a shorter side, and a longer one at most; ValueError for a line."""
    height, width = photograph.shape[:2]
    size = shortest_edge_size(height, width, *sides)
    if min(size) < 1:
        raise ValueError(f"expected a photograph, found {width} x {height} pixels, a line")
    return Prepared(photograph, resize(photograph, size))


class Finder(Protocol):
    """What detects disc and cup in photographs; `Looks`, `Detections` of another model, or `CroppedDetections`."""

    def prepare(self, photograph: np.ndarray) -> Prepared: ...

    def find(self, batch: Sequence[Prepared]) -> list[Found]: ...


class Looks:
    """Detects the disc in a photograph, then again in a crop about it.

    Where a crop is asked for and the first look finds nothing, it is repeated at half the size, within black: a disc
    that fills the image is larger than any that a detector of discs in photographs has learned.

    `Found.agreement` is that of the flips of the last look, or of the two looks where each is a single view: the Dice
    of their masks, the lower of disc and cup. Where the second look finds no disc, or one elsewhere (neither box holds
    the other's middle), the first look's masks stay and the agreement is 0.
    """

    def __init__(self, engine: Engine, settings: Settings):
        self.engine = engine
        self.settings = settings

    def prepare(self, photograph: np.ndarray) -> Prepared:
        """What `find` takes of an (H, W, 3) uint8 RGB photograph; may run in another thread."""
        return first_view(photograph, self.settings.photograph_sides)

    def find(self, batch: Sequence[Prepared]) -> list[Found]:
        """The disc and the cup of each photograph."""
        first = self._first_looks(batch)
        seen = [i for i, look in enumerate(first) if look is not None]
        if not self.settings.crop or not seen:
            return [self._found(x.photograph, look) for x, look in zip(batch, first)]
        places = {i: self._towards(first[i].box) for i in seen}  # type: ignore[union-attr]
        side = self.settings.crop_side
        crops = [warp(batch[i].photograph, places[i], (side, side)) for i in seen]
        last = dict(zip(seen, self.engine.look(crops)))
        found = []
        for i, (x, look) in enumerate(zip(batch, first)):
            closer = last.get(i)
            if look is not None:
                look = replace(look, agreement=0.0)
                if closer is not None:
                    closer = replace(closer, box=_back(closer.box, places[i]))
                    if _same_place(look.box, closer.box):
                        agreement = closer.agreement
                        if np.isnan(agreement):
                            agreement = agreement_of_looks(first[i], closer)  # type: ignore[arg-type]
                        look = replace(closer, agreement=agreement)
            found.append(self._found(x.photograph, look))
        return found

    def _first_looks(self, batch: Sequence[Prepared]) -> list[Look | None]:
        """Their boxes are in the photographs' pixels."""
        views = [x.view for x in batch]
        looks = self.engine.look(views)
        missed = [i for i, look in enumerate(looks) if look is None] if self.settings.crop else []
        if missed:
            halves = [_at_half_size(views[i]) for i in missed]
            for i, look, (_, matrix) in zip(missed, self.engine.look([view for view, _ in halves]), halves):
                looks[i] = None if look is None else replace(look, box=_back(look.box, matrix))
        scales = [
            np.array([x.photograph.shape[1] / x.view.shape[1], x.photograph.shape[0] / x.view.shape[0]] * 2)
            for x in batch
        ]
        return [None if look is None else replace(look, box=look.box * scale) for look, scale in zip(looks, scales)]

    def _towards(self, box: np.ndarray) -> np.ndarray:
        """(2, 3), from the photograph's pixels to the crop's."""
        middle = (box[:2] + box[2:]) / 2
        extent = max(*(box[2:] - box[:2]), 1) / self.settings.box_scale
        scale = self.settings.crop * self.settings.crop_side / extent
        return np.column_stack([scale * np.eye(2), self.settings.crop_side / 2 - scale * middle])

    def _found(self, photograph: np.ndarray, look: Look | None) -> Found:
        size = photograph.shape[0], photograph.shape[1]
        if look is None:
            return Found.nothing(size)
        disc, cup = (paste_mask(mask, look.box, size, self.settings.mask_threshold) for mask in look.masks)
        return Found(look.box, look.score, disc, cup, look.agreement)


def agreement_of_looks(first: Look, second: Look) -> float:
    """The Dice of two looks' masks, the lower of disc and cup, on the second's grid; both boxes in the same pixels.

    What the first has beyond the second's box counts as well.
    """
    side = first.masks.shape[-1]
    places = (np.arange(second.masks.shape[-1]) + 0.5) / second.masks.shape[-1]  # in the second box, 0 to 1
    extent, first_extent = second.box[2:] - second.box[:2], first.box[2:] - first.box[:2]
    columns, rows = (side * (second.box[i] + places * extent[i] - first.box[i]) / first_extent[i] for i in (0, 1))
    cells = first_extent.prod() / extent.prod()  # of the second's grid that one of the first's covers
    dice = []
    for before, after in zip(first.masks, second.masks):
        seen, there = sample_grid(before, rows, columns) > 0.5, after > 0.5
        area = max((before > 0.5).sum() * cells, seen.sum()) + there.sum()
        dice.append(2 * (seen & there).sum() / max(area, 1) if area > 0 else 1.0)
    return float(min(dice))


def _at_half_size(view: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The view at half its size in the middle of a black one; and (2, 3), from its pixels to that one's."""
    height, width = view.shape[:2]
    size = max(height // 2, 1), max(width // 2, 1)
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    canvas = np.zeros_like(view)
    canvas[top : top + size[0], left : left + size[1]] = resize(view, size)
    return canvas, np.array([[size[1] / width, 0, left], [0, size[0] / height, top]])


def _back(box: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A box (4,) in the pixels from which `matrix` leads, which neither turns nor shears."""
    return ((box.reshape(2, 2) - matrix[:, 2]) / np.diag(matrix)).reshape(4)


def _same_place(*boxes: np.ndarray) -> bool:
    middles = [(x[:2] + x[2:]) / 2 for x in boxes]
    return any(all((m > x[:2]).all() and (m < x[2:]).all() for m in middles) for x in boxes)
