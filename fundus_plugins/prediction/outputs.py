"""What a run of prediction writes: an overlay for every photograph, and a table of what was measured."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
from tqdm import tqdm

from fundus_plugins.files import atomic_write
from fundus_plugins.photographs.problems import BadInput

from .drawing import draw_disc_and_cup
from .predictor import FundusPrediction, FundusPredictor

TABLE = "predictions.csv"
COLUMNS = "file_name flagged reason vcdr vcdr_low vcdr_high agreement ellipse score disc_pixels cup_pixels".split()


@dataclass
class Outcome:
    """How a run went: numbers of photographs, and a line for each that could not be predicted."""

    predicted: int = 0
    missed: int = 0
    flagged: int = 0
    failures: list[str] = field(default_factory=list)


def predict_to_folder(predictor: FundusPredictor, files: Sequence[Path], output: Path) -> Outcome:
    """Predict every photograph; write `<name>_<suffix>.png`, its overlay, and `predictions.csv`, a row each.

    One bad file does not cost the others. Raises OSError where the table cannot be written, ValueError for two
    photographs of one name, whose overlays and rows could not be told apart.
    """
    names: dict[str, Path] = {}
    for path in files:
        other = names.setdefault(overlay_name(path), path)
        if other != path:
            raise ValueError(f"{other} and {path} would give one overlay {overlay_name(path)}: predict them one by one")
    outcome, rows = Outcome(), []
    found = tqdm(predictor.predict_files(files), total=len(files), unit="image", disable=None)
    for path, image, prediction in found:
        try:
            if isinstance(prediction, Exception):
                raise prediction
            assert image is not None  # only an unreadable file has none
            overlay = cv2.cvtColor(draw_disc_and_cup(image, prediction), cv2.COLOR_RGB2BGR)
            with atomic_write(output / overlay_name(path), "wb") as file:
                file.write(cv2.imencode(".png", overlay)[1].tobytes())
            rows.append(table_row(path, prediction))
        except Exception as error:  # one bad file must not cost the others
            named = isinstance(error, BadInput)  # which names the file itself
            outcome.failures.append(str(error) if named else f"{path}: {type(error).__name__}: {error}")
            continue
        outcome.predicted += 1
        outcome.missed += not prediction.disc.any()
        outcome.flagged += prediction.flagged
    with atomic_write(output / TABLE) as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return outcome


def overlay_name(path: Path) -> str:
    """Of a photograph's overlay, such as `eye_jpg.png` of `eye.jpg`."""
    return f"{path.stem}_{path.suffix[1:]}.png"


def table_row(path: Path, prediction: FundusPrediction) -> tuple:
    """The values of COLUMNS for one photograph."""
    measured = (
        prediction.vcdr,
        *prediction.vcdr_interval,
        prediction.agreement,
        prediction.ellipse,
        prediction.score,
    )
    review = int(prediction.flagged), "; ".join(prediction.flags)
    return path.name, *review, *(f"{x:.4f}" for x in measured), int(prediction.disc.sum()), int(prediction.cup.sum())
