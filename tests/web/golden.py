"""What Python gives for pictures and masks that a formula draws, for the page's own tests: web/tests/golden.json.

`python -m tests.web.golden` writes it anew.
"""

import base64
import json
import zlib
from dataclasses import replace

import numpy as np
import torch
from detectron2.data import transforms as T
from detectron2.layers import paste_masks_in_image

from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio
from fundus_plugins.measures.shape import ellipse_iou, regular_disc_and_cup, towards_ellipses
from fundus_plugins.photographs.resampling import resize, warp
from fundus_plugins.prediction.looks import Look, Looks, agreement_of_looks
from tests.conftest import ROOT
from tests.prediction.test_looks import SETTINGS

FILE = ROOT / "web" / "tests" / "golden.json"
SIZES = [(2000, 3000), (1500, 1500), (2136, 3216), (584, 565), (300, 900)]  # height, width


def picture(height: int, width: int) -> np.ndarray:
    """Waves that whole numbers make, (H, W, 3) uint8; web/tests/golden.js draws the same."""
    y, x, channel = np.ogrid[:height, :width, :3]
    return (((3 * x * x + 5 * y * y + 7 * x * y) // 97 + 85 * channel) % 256).astype(np.uint8)


def blob(height: int, width: int, radius: float, shift: int) -> np.ndarray:
    """A disc with a notch, a hole, a bay and a crumb beside it, (H, W) bool; likewise."""
    y, x = np.ogrid[:height, :width]
    dx, dy = x - width // 2 - shift, y - height // 2
    mask = 4 * dx * dx + 3 * dy * dy + dx * dy < 4 * radius * radius
    mask &= ~((np.abs(dx) < radius // 6) & (dy < -radius // 2))
    mask &= (dx - radius // 3) ** 2 + dy * dy > 12
    return mask | ((x < 6) & (y < 4) & (x > 1))


def masks(structure: int) -> np.ndarray:
    """Probabilities on a grid of 28 cells, (28, 28) float32 of eighths; likewise."""
    y, x = np.ogrid[:28, :28]
    distance = (x - 13) ** 2 + (y - 14 + structure) ** 2
    return (np.clip((160 >> structure) - distance + (x * y) % 7 * 4, 0, 160) // 20 / 8).astype(np.float32)


def packed(array: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).astype(np.uint8).tobytes(), 9)).decode()


def _resize(height: int, width: int, new: tuple[int, int]) -> dict:
    found = resize(picture(height, width), new).transpose(2, 0, 1)
    return {"height": height, "width": width, "new": new, "pixels": packed(found)}


def _crop(height: int, width: int, box: list[float], side: int) -> dict:
    looks = Looks(None, replace(SETTINGS, crop=0.375, crop_side=side, box_scale=1.25))
    found = warp(picture(height, width), looks._towards(np.array(box)), (side, side)).transpose(2, 0, 1)
    return {"height": height, "width": width, "box": box, "side": side, "pixels": packed(found)}


def _shape(height: int, width: int, radius: int, shift: int, weight: float) -> dict:
    disc, cup = blob(height, width, radius, shift), blob(height, width, radius // 2, shift)
    regular = regular_disc_and_cup(disc, cup)
    drawn = towards_ellipses(*regular, weight)
    return {
        "height": height,
        "width": width,
        "radius": radius,
        "shift": shift,
        "weight": weight,
        "regular": [packed(x) for x in regular],
        "ellipse": ellipse_iou(regular[0]),
        "drawn": [packed(x) for x in drawn],
        "vcdr": vertical_cup_to_disc_ratio(*drawn),
    }


def _paste(height: int, width: int, box: list[float]) -> dict:
    probabilities = torch.from_numpy(np.stack([masks(0), masks(1)]))
    boxes = torch.tensor([box, box])
    found = paste_masks_in_image(probabilities, boxes, (height, width), 0.5)
    return {"height": height, "width": width, "box": box, "masks": [packed(x) for x in found.numpy()]}


def _agreement(box: list[float], second_box: list[float]) -> dict:
    boxes = [box, second_box]
    first, second = (Look(np.array(x), 1.0, np.stack([masks(i), masks(i + 1)])) for i, x in enumerate(boxes))
    return {"boxes": boxes, "agreement": agreement_of_looks(first, second)}


def golden() -> dict:
    return {
        "sizes": [
            {"size": size, "sides": sides, "new": T.ResizeShortestEdge.get_output_shape(*size, *sides)}
            for size in SIZES
            for sides in ([384, 512], [256, 256])
        ],
        "resize": [
            _resize(90, 121, (23, 31)),
            _resize(40, 30, (20, 15)),
            _resize(20, 31, (33, 40)),
            _resize(211, 320, (20, 30)),
        ],
        "crop": [
            _crop(90, 121, [40.0, 30.0, 60.5, 52.0], 48),  # larger than it was
            _crop(150, 190, [20.0, 30.0, 120.5, 132.0], 48),  # means over whole pixels, or nearly
            _crop(201, 307, [190.0, 10.0, 300.0, 160.0], 16),
        ],
        "paste": [_paste(60, 70, [10.3, 12.8, 41.7, 50.2]), _paste(40, 50, [-7.5, 15.5, 30.0, 48.5])],
        "shape": [
            _shape(90, 100, 30, 3, 0.75),
            _shape(60, 64, 16, 0, 0.5),
            _shape(60, 64, 20, 20, 1.0),  # cut off by the edge
        ],
        "agreement": [
            _agreement([10.0, 20.0, 50.0, 62.0], [12.0, 21.0, 50.0, 60.0]),
            _agreement([10.0, 20.0, 70.0, 82.0], [22.0, 31.0, 60.0, 70.0]),
        ],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(golden(), indent=1) + "\n", encoding="utf-8")
