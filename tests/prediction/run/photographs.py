"""Photographs for runs: drawn phantoms, small ones."""

from pathlib import Path

import cv2
import numpy as np

from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters


def draw(folder: Path, number: int, size: int = 320, view: str = "macula") -> list[Path]:
    """Writes `eye0.png`, `eye1.png`, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for seed in range(number):
        rng = np.random.default_rng((41, seed))
        image = draw_phantom(sample_parameters(rng, "suspicious", view), size, rng).image
        paths.append(folder / f"eye{seed}.png")
        cv2.imwrite(str(paths[-1]), image[..., ::-1])
    return paths
