"""Phantoms on disk, in the layout of REFUGE's original archives."""

import csv
import math
import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import PARTS, VIEWS, sample_parameters

_SUSPICIOUS = 0.3  # share of the photographs without glaucoma that are suspicious; REFUGE has no such label


@dataclass(frozen=True)
class _Job:
    """One photograph to draw."""

    split: str
    seed: tuple[int, int, int]
    size: int
    glaucoma: bool
    view: str
    distinct: bool
    without: tuple[str, ...]
    name: str  # of the photograph
    image: Path
    mask: Path


def write_refuge_layout(
    root: str | os.PathLike,
    train: int,
    val: int,
    test: int,
    size: int,
    seed: int,
    glaucoma_fraction: float = 0.3,
    view: str = "mixed",
    distinct_grades: bool = False,
    without: Sequence[str] = (),
    processes: int = 1,
    progress: bool = False,
) -> None:
    """Draw phantoms and write them under `root` in REFUGE's layout: all of it or, on an error, nothing.

    Photographs have `size` pixels on their longer side. Photograph i of a split depends on the seed, the size, the
    fraction, the view, `distinct_grades`, `without` and i alone: not on the number of photographs or processes. Normal
    and suspicious ones are Non-Glaucoma, as in REFUGE; `phantom_grades.csv` tells them apart. With `distinct_grades`
    the grades do not overlap in vertical cup-to-disc ratio; `without` some of PARTS the rest stays as it is.
    Masks: 0 cup, 128 rim, 255 background. Raises FileExistsError if `root` is a file or a folder that is not empty,
    ValueError for numbers that make no sense.
    """
    root = Path(root)
    for name, value in (("train", train), ("val", val), ("test", test)):
        if value < 0:
            raise ValueError(f"{name}: expected 0 or more photographs, found {value}")
    if train + val + test == 0:
        raise ValueError("train, val, test: expected at least one photograph, found none")
    if not 0 <= glaucoma_fraction <= 1:
        raise ValueError(f"glaucoma_fraction: expected 0 to 1, found {glaucoma_fraction}")
    if view not in VIEWS:
        raise ValueError(f"view: expected one of {', '.join(VIEWS)}, found {view!r}")
    if unknown := set(without) - set(PARTS):
        raise ValueError(f"without: expected some of {', '.join(PARTS)}, found {', '.join(sorted(unknown))}")
    if size < 64:
        raise ValueError(f"size: expected at least 64 pixels, found {size}")
    if seed < 0:
        raise ValueError(f"seed: expected 0 or more, found {seed}")
    if processes < 1:
        raise ValueError(f"processes: expected at least 1, found {processes}")
    if root.is_dir() and any(root.iterdir()):
        raise FileExistsError(f"{root}: expected a new or empty folder, found {next(root.iterdir()).name} in it")
    if root.exists() and not root.is_dir():
        raise FileExistsError(f"{root}: expected a new or empty folder, found a file")

    root = root.resolve()
    root.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        jobs = [
            job
            for number, (split, count) in enumerate((("train", train), ("val", val), ("test", test)))
            for job in _jobs(
                temporary, split, number, count, size, seed, glaucoma_fraction, view, distinct_grades, tuple(without)
            )
        ]
        for folder in {path.parent for job in jobs for path in (job.image, job.mask)}:
            folder.mkdir(parents=True, exist_ok=True)
        drawn = _draw_all(jobs, processes, progress)
        _write_sheets(temporary, jobs, [fovea for fovea, _ in drawn])
        with open(temporary / "phantom_grades.csv", "w", newline="", encoding="utf-8") as file:
            rows = ((job.name, grade) for job, (_, grade) in zip(jobs, drawn, strict=True))
            csv.writer(file, lineterminator="\n").writerows([("ImgName", "Grade"), *rows])
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)  # mkdtemp's folders are for the owner alone
        os.replace(temporary, root)  # replaces an empty folder, too
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _jobs(
    root: Path,
    split: str,
    number: int,
    count: int,
    size: int,
    seed: int,
    fraction: float,
    view: str,
    distinct: bool,
    without: tuple[str, ...],
) -> list[_Job]:
    jobs, numbers = [], {True: 0, False: 0}
    for i in range(count):
        # Spread evenly, so that neither class is missing in a small set and no grade depends on the count.
        glaucoma = math.floor((i + 1) * fraction + 0.5) > math.floor(i * fraction + 0.5)
        numbers[glaucoma] += 1
        if split == "train":
            folder, letter = ("Glaucoma", "g") if glaucoma else ("Non-Glaucoma", "n")
            stem = f"{letter}{numbers[glaucoma]:04d}"
            image, mask = f"Training400/{folder}", f"Annotation-Training400/Disc_Cup_Masks/{folder}"
        elif split == "val":
            stem, image, mask = f"V{i + 1:04d}", "REFUGE-Validation400", "REFUGE-Validation400-GT/Disc_Cup_Masks"
        else:
            stem, image = f"T{i + 1:04d}", "Test400"
            mask = f"REFUGE-Test-GT/Disc_Cup_Masks/{'G' if glaucoma else 'N'}"
        paths = root / image / f"{stem}.jpg", root / mask / f"{stem}.bmp"
        jobs.append(_Job(split, (seed, number, i), size, glaucoma, view, distinct, without, f"{stem}.jpg", *paths))
    return jobs


def _draw_all(jobs: list[_Job], processes: int, progress: bool) -> list[tuple[tuple[float, float], str]]:
    bar: dict[str, Any] = {
        "total": len(jobs),
        "desc": "phantoms",
        "unit": "image",
        "disable": None if progress else True,
    }  # None: not in a log
    if processes == 1:
        return [_draw(job) for job in tqdm(jobs, **bar)]
    # A fresh interpreter per process: forking one whose OpenCV or torch has threads can hang.
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,))
    with pool:
        try:
            return list(tqdm(pool.map(_draw, jobs, chunksize=2), **bar))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _draw(job: _Job) -> tuple[tuple[float, float], str]:
    """Draw and write one photograph and its mask; returns the fovea's x, y in pixels, and the grade."""
    rng = np.random.default_rng(job.seed)
    suspicious = rng.random() < _SUSPICIOUS
    grade = "glaucoma" if job.glaucoma else "suspicious" if suspicious else "normal"
    phantom = draw_phantom(sample_parameters(rng, grade, job.view, job.distinct, job.without), job.size, rng)
    mask = np.full(phantom.disc.shape, 255, np.uint8)
    mask[phantom.disc] = 128
    mask[phantom.cup] = 0
    _write(job.image, phantom.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    _write(job.mask, mask, [])
    return phantom.fovea, grade


def _write(path: Path, image: np.ndarray, options: list[int]) -> None:
    _, packed = cv2.imencode(path.suffix, image, options)
    path.write_bytes(packed.tobytes())  # unlike cv2.imwrite, says why it failed


def _write_sheets(root: Path, jobs: list[_Job], foveas: list[tuple[float, float]]) -> None:
    import pandas as pd  # slow to import

    sheets = {
        "train": ("Annotation-Training400/Fovea_location.xlsx", None),
        "val": ("REFUGE-Validation400-GT/Fovea_locations.xlsx", "Glaucoma Label"),
        "test": ("REFUGE-Test-GT/Glaucoma_label_and_Fovea_location.xlsx", "Label(Glaucoma=1)"),
    }
    for split, (path, label) in sheets.items():
        rows = [(job, fovea) for job, fovea in zip(jobs, foveas, strict=True) if job.split == split]
        if not rows:
            continue
        table: dict[str, list] = {"ImgName": [job.name for job, _ in rows]}
        if label:
            table[label] = [int(job.glaucoma) for job, _ in rows]
        table["Fovea_X"] = [round(x, 2) for _, (x, _) in rows]
        table["Fovea_Y"] = [round(y, 2) for _, (_, y) in rows]
        pd.DataFrame(table, index=pd.RangeIndex(1, len(rows) + 1, name="ID")).to_excel(root / path)
