"""Disc and cup in the maps of a network of whole photographs, or of squares about the disc; NumPy alone."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from fundus_plugins.boxes import box_of
from fundus_plugins.measures.shape import largest_region
from fundus_plugins.photographs.resampling import crop_about, sample_grid, warp
from fundus_plugins.prediction.looks import Finder, Found, Prepared, first_view
from fundus_plugins.prediction.settings import Settings


class MapsEngine(Protocol):
    """What runs the network."""

    def maps(self, view: np.ndarray) -> np.ndarray:
        """Probabilities (2, h, w) float32 of disc and cup of a view (h, w, 3) uint8 RGB."""
        ...


class MapsFinder:
    """Outlines disc and cup as `disc_cup_instances` does, with any engine.

    Args:
        engine: what runs the network.
        settings: how the network is to be used.
        detector: what finds the disc about which a square is cut; None: the network sees whole photographs. Where it
            finds none, the whole photograph is the square, as in training.
    """

    def __init__(self, engine: MapsEngine, settings: Settings, detector: Finder | None = None):
        self.engine = engine
        self.settings = settings
        self.detector = detector

    def prepare(self, photograph: np.ndarray) -> Prepared:
        """As `Looks.prepare`."""
        if self.detector is not None:
            return self.detector.prepare(photograph)
        return first_view(photograph, self.settings.photograph_sides)

    def find(self, batch: Sequence[Prepared]) -> list[Found]:
        """As `Looks.find`."""
        if self.detector is None:
            return [self._whole(x) for x in batch]
        return [self._square(x.photograph, disc) for x, disc in zip(batch, self.detector.find(batch))]

    def _whole(self, x: Prepared) -> Found:
        height, width = x.photograph.shape[:2]
        maps = self.engine.maps(x.view)
        rows, columns = (
            np.clip((np.arange(full) + 0.5) * (own / full), 0.5, own - 0.5)  # to the picture's edge
            for full, own in zip((height, width), maps.shape[1:])
        )
        return self._found(maps, rows, columns)

    def _square(self, photograph: np.ndarray, disc: Found) -> Found:
        height, width = photograph.shape[:2]
        side = self.settings.side
        assert side is not None
        matrix = crop_about(box_of(disc.disc), (height, width), self.settings.disc_diameters, side)
        maps = self.engine.maps(np.ascontiguousarray(warp(photograph, matrix, (side, side))))
        rows = matrix[1, 1] * (np.arange(height) + 0.5) + matrix[1, 2]
        columns = matrix[0, 0] * (np.arange(width) + 0.5) + matrix[0, 2]
        return self._found(maps, rows, columns)

    def _found(self, maps: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> Found:
        """Of maps (2, h, w) sampled at the photograph's pixels, whose middles lie at these rows and columns."""
        disc, cup = (sample_grid(x, rows, columns) for x in maps)
        inside = largest_region(disc >= self.settings.mask_threshold)
        box = box_of(inside)
        if box is None:
            return Found.nothing(inside.shape)
        within = largest_region((cup >= self.settings.mask_threshold) & inside)
        return Found(np.array(box, float), float(disc[inside].mean()), inside, within, float("nan"))
