"""What a run of prediction writes: an overlay for every photograph, and a table of what was measured."""

import csv
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from fundus_plugins.files import atomic_write
from fundus_plugins.photographs.problems import BadInput

from .drawing import draw_disc_and_cup
from .predictor import FundusPrediction, FundusPredictor

TABLE = "predictions.csv"
QUALITY = 90  # of the overlays
Predictors = Callable[[], FundusPredictor]  # can be pickled where there are several processes
COLUMNS = "file_name flagged reason vcdr vcdr_low vcdr_high agreement ellipse score disc_pixels cup_pixels".split()


@dataclass
class Outcome:
    """How a run went: numbers of photographs, and a line for each that could not be predicted."""

    predicted: int = 0
    missed: int = 0
    flagged: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Written:
    """What came of one photograph: its row of COLUMNS, or why it has none."""

    row: tuple = ()
    missed: bool = False
    flagged: bool = False
    failure: str = ""


def predict_to_folder(predictor: Predictors, files: Sequence[Path], output: Path, workers: int = 1) -> Outcome:
    """Predict every photograph; write `<name>_<suffix>.jpg`, its overlay, and `predictions.csv`, a row each.

    One bad file does not cost the others. The results do not depend on `workers`.

    Args:
        predictor: makes one, in each process.
        workers: processes; 1: this one alone.

    Raises:
        OSError: the table cannot be written.
        ValueError: two photographs of one name, whose overlays and rows could not be told apart.
    """
    names: dict[str, Path] = {}
    for path in files:
        other = names.setdefault(overlay_name(path).lower(), path)  # some disks know no other
        if other != path:
            raise ValueError(f"{other} and {path} would give one overlay {overlay_name(path)}: predict them one by one")
    output.mkdir(parents=True, exist_ok=True)
    if workers == 1:
        run = _in_this_process(predictor, files, output)
    else:
        run = _in_processes(predictor, files, output, workers)
    outcome, rows = Outcome(), []
    for written in tqdm(run, total=len(files), unit="image", disable=None):
        if written.failure:
            outcome.failures.append(written.failure)
            continue
        rows.append(written.row)
        outcome.predicted += 1
        outcome.missed += written.missed
        outcome.flagged += written.flagged
    with atomic_write(output / TABLE) as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return outcome


def _in_this_process(predictor: Predictors, files: Sequence[Path], output: Path) -> Iterator[Written]:
    for found in predictor().predict_files(files):
        yield _write(*found, output)


def _in_processes(predictor: Predictors, files: Sequence[Path], output: Path, workers: int) -> Iterator[Written]:
    # Started anew, for a copy of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    with _one_thread_each(), ProcessPoolExecutor(workers, context, _start_worker, (predictor, output)) as pool:
        waiting = [pool.submit(_work, path) for path in files]
        for path, future in zip(files, waiting):
            try:
                yield future.result()
            except BrokenProcessPool:  # killed, such as for its memory; what is done is kept
                yield Written(failure=f"{path}: a process ended before it was done")


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes that are started meanwhile compute in one thread each, and do not wait for each other."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_worker: tuple[FundusPredictor | Exception, Path]  # of a process of `_in_processes`


def _start_worker(predictor: Predictors, output: Path) -> None:
    global _worker
    cv2.setNumThreads(1)
    try:
        _worker = predictor(), output
    except Exception as error:  # raised where it can be told
        _worker = error, output


def _work(path: Path) -> Written:
    predictor, output = _worker
    if isinstance(predictor, Exception):
        raise predictor
    (found,) = predictor.predict_files([path])
    return _write(*found, output)


def _write(path: Path, image: np.ndarray | None, prediction: FundusPrediction | Exception, output: Path) -> Written:
    try:
        if isinstance(prediction, Exception):
            raise prediction
        assert image is not None  # only an unreadable file has none
        overlay = cv2.cvtColor(draw_disc_and_cup(image, prediction), cv2.COLOR_RGB2BGR)
        with atomic_write(output / overlay_name(path), "wb") as file:
            file.write(cv2.imencode(".jpg", overlay, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())
        return Written(table_row(path, prediction), not prediction.disc.any(), prediction.flagged)
    except Exception as error:  # one bad file must not cost the others
        named = isinstance(error, BadInput)  # which names the file itself
        return Written(failure=str(error) if named else f"{path}: {type(error).__name__}: {error}")


def overlay_name(path: Path) -> str:
    """Of a photograph's overlay, such as `eye_jpg.jpg` of `eye.jpg`."""
    return f"{path.stem}_{path.suffix[1:]}.jpg"


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
