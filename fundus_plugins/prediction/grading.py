"""The grade of a photograph whose disc is outlined: by its measures, and by a network that looks at the disc.

Two logistic regressions, one for each threshold between grades, as in a ranking-CNN (2sRanking-CNN section 2.2.1), of
measures of the nerve head and of the log odds of a ranking-CNN on a square about the disc. docs/grader_card.md says
what that is worth. NumPy and onnxruntime alone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from fundus_plugins.boxes import box_of
from fundus_plugins.files import refuse_changed
from fundus_plugins.measures.nerve_head import measure_nerve_head
from fundus_plugins.photographs.squares import crop_square, disc_square, keep_square
from fundus_plugins.prediction.onnx_engine import open_session

FOLDER = Path(__file__).parents[1] / "weights"
FILE, NETWORK = FOLDER / "grader.json", FOLDER / "grader.onnx"
CLIP = 6.0  # log odds of the network, at most


@dataclass(frozen=True)
class Grade:
    """What a photograph is graded as.

    Attributes:
        name: of the grade, the number of thresholds that are passed with more than one half.
        probabilities: of the grades, in their order, if all were as frequent as each other, and the answers at the
            thresholds independent; they sum to 1.
        above: name of the grade below a threshold -> probability of a grade above it.
        contradiction: whether a later threshold is passed and an earlier one is not.
        screening: "85" and "95" -> whether the probability of a grade above the lowest is one that so many of 100
            normal eyes stay below.
        cam: (S, S) float32 from 0 to 1, the class activation maps that stand for the grade (section 2.2.2), of
            `square`.
        square: XYXY, pixels of the photograph, which it may reach beyond.
    """

    name: str
    probabilities: dict[str, float]
    above: dict[str, float]
    contradiction: bool
    screening: dict[str, bool]
    cam: np.ndarray
    square: tuple[int, int, int, int]

    def to_dict(self) -> dict[str, object]:
        """All but the map, as plain values."""
        return {
            "name": self.name,
            "probabilities": {name: round(x, 4) for name, x in self.probabilities.items()},
            "above": {name: round(x, 4) for name, x in self.above.items()},
            "contradiction": self.contradiction,
            "screening": dict(self.screening),
        }


class Grader:
    """Grades photographs with the packaged weights.

    Args:
        threads: of onnxruntime, as of `OnnxEngine`.
    """

    def __init__(self, threads: int | None = None):
        self._session = open_session(NETWORK, threads)
        found = self._session.get_modelmeta().custom_metadata_map
        self._side, self._diameters = int(found["side"]), float(found["diameters"])

    def __call__(self, photograph: np.ndarray, disc: np.ndarray, cup: np.ndarray) -> Grade:
        """Grade an (H, W, 3) uint8 RGB photograph by its disc, not empty, and its cup, (H, W) bool each."""
        logits, maps, square = self.look(photograph, disc)
        odds = np.clip(logits[:, 1] - logits[:, 0], -CLIP, CLIP)
        head = measure_nerve_head(disc, cup)
        model = _model()
        values = np.array([*(getattr(head, name) for name in model["measures"]), *odds])
        above = np.array([_probability(x, values) for x in model["thresholds"]])
        passed = above > 0.5
        grade, grades = int(passed.sum()), model["grades"]
        return Grade(
            grades[grade],
            dict(zip(grades, map(float, number_of_successes(above)))),
            dict(zip(grades[:-1], map(float, above))),
            bool((passed[1:] & ~passed[:-1]).any()),
            {name: bool(above[0] > limit) for name, limit in model["screening"].items()},
            mean_map(maps, grade),
            square,
        )

    def look(
        self, photograph: np.ndarray, disc: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int, int]]:
        """What the network says of the square about a disc: logits (T, 2), maps (T, 2, h, w), and the square."""
        picture, square = self.square(photograph, disc)
        logits, maps = self._session.run(["logits", "maps"], {"image": picture.transpose(2, 0, 1)[None]})
        return logits[0], maps[0], square

    def square(self, photograph: np.ndarray, disc: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int, int]]:
        """What the network sees, (S, S, 3) uint8 RGB, and where it is, XYXY, in pixels of the photograph.

        It comes from a `keep_square`, for so do its training photographs: of others it says something else.
        """
        box = box_of(disc)
        assert box is not None
        kept = keep_square(photograph, box)
        inner = disc_square(kept.box, self._diameters)
        picture = crop_square(kept.pixels, inner)
        left, top = kept.left + round(inner[0]) / kept.scale, kept.top + round(inner[1]) / kept.scale
        side = len(picture) / kept.scale
        return _resize(picture, self._side), (round(left), round(top), round(left + side), round(top + side))


def _resize(picture: np.ndarray, side: int) -> np.ndarray:
    """As the network was trained: Pillow's bilinear filter, which averages where it shrinks."""
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR))


def _probability(threshold: dict, values: np.ndarray) -> float:
    scaled = (values - threshold["mean"]) / threshold["scale"]
    return float(1 / (1 + np.exp(-(threshold["bias"] + scaled @ threshold["weights"]))))


def number_of_successes(probabilities: Sequence[float] | np.ndarray) -> np.ndarray:
    """Distribution of the number of successes in T independent trials, (T + 1,).

    >>> number_of_successes([0.5, 1.0]).tolist()
    [0.0, 0.5, 0.5]
    """
    found = np.ones(1)
    for p in probabilities:
        found = np.append(found * (1 - p), 0) + np.append(0, found * p)
    return found


def mean_map(maps: np.ndarray, grade: int) -> np.ndarray:
    """The mean of the maps that stand for a grade, of each threshold's two, (T, 2, h, w), each stretched to 0..1.

    Of the threshold below the grade the class "above", of the one above it the class "not above"; (h, w) float32.
    """
    chosen = [maps[grade - 1, 1]] if grade > 0 else []
    chosen += [maps[grade, 0]] if grade < len(maps) else []
    stretched = [(x - x.min()) / max(float(np.ptp(x)), 1e-12) for x in chosen]
    return np.mean(stretched, axis=0).astype(np.float32)


def draw_cam(picture: np.ndarray, grade: Grade, box: tuple[int, int, int, int]) -> np.ndarray:
    """A picture, (h, w, 3) uint8 RGB, of the photograph in `box`, XYXY, under its class activation map in colours."""
    left, top, right, bottom = grade.square
    scale = grade.cam.shape[1] / (right - left)
    height, width = picture.shape[:2]
    # Pixel (x, y) of the picture is at ((x + .5) zoom + x0 - left) scale - .5 of the map.
    zooms = (box[2] - box[0]) / width, (box[3] - box[1]) / height
    shifts = [(zoom / 2 + start - first) * scale - 0.5 for zoom, start, first in zip(zooms, box, (left, top))]
    matrix = np.array([[zooms[0] * scale, 0, shifts[0]], [0, zooms[1] * scale, shifts[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    values = cv2.warpAffine(grade.cam, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_CONSTANT)
    colours = cv2.applyColorMap(np.rint(values * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    strength = 0.6 * values[..., None]
    return np.rint(picture * (1 - strength) + colours * strength).astype(np.uint8)


@lru_cache
def _model() -> dict:
    refuse_changed(FILE)
    found = json.loads(FILE.read_text(encoding="utf-8"))
    for threshold in found["thresholds"]:
        threshold |= {name: np.array(threshold[name]) for name in ("mean", "scale", "weights")}
    return found
