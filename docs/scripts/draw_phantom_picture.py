"""Draws docs/phantom.png: a phantom of each grade, as photographed and with the exact outlines of its disc and cup."""

from pathlib import Path

import cv2
import numpy as np

from fundus_plugins.data.phantom import GRADES, draw_phantom, sample_parameters
from fundus_plugins.prediction.drawing import draw_outlines

SIDE, SEED = 360, 12


def tile(grade: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    phantom = draw_phantom(sample_parameters(rng, grade, "disc"), SIDE, rng)
    outlined = draw_outlines(phantom.image, phantom.disc, phantom.cup)
    space = SIDE - outlined.shape[0]
    padded = [cv2.copyMakeBorder(x, space // 2, space - space // 2, 0, 0, 0) for x in (phantom.image, outlined)]
    return np.vstack(padded)


if __name__ == "__main__":
    picture = np.hstack([tile(grade, SEED + i) for i, grade in enumerate(GRADES)])
    cv2.imwrite(str(Path(__file__).parents[1] / "phantom.png"), picture[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
