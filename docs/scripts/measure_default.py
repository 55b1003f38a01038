"""Seconds of `fundus predict` as it comes, from the command to overlays and table, beside an earlier commit's.

    git worktree add /tmp/former 45390d2
    python docs/scripts/measure_default.py /tmp/former > docs/results/default_speed.md

100 drawn photographs of 2000 pixels as JPEG, and one alone; two rounds, contender after contender, means.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from processor import processor
from tabulate import tabulate

from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters
from fundus_plugins.provenance import current_commit

PHOTOGRAPHS, SIDE, ROUNDS = 100, 2000, 2


def draw(folder: Path) -> None:
    for seed in range(PHOTOGRAPHS):
        rng = np.random.default_rng((5, seed))
        picture = draw_phantom(sample_parameters(rng, "normal", "disc"), 1000, rng).image
        picture = cv2.resize(
            picture, (SIDE, SIDE * picture.shape[0] // picture.shape[1]), interpolation=cv2.INTER_CUBIC
        )
        cv2.imwrite(str(folder / f"{seed}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])


def seconds(photographs: Path, code: Path, options: list[str]) -> float:
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "fundus_plugins", "predict", str(photographs), "--output", output, *options]
        start = time.perf_counter()
        environment = os.environ | {"PYTHONPATH": str(code)}
        subprocess.run(command, check=True, capture_output=True, env=environment, cwd=output)
        return time.perf_counter() - start


def main() -> None:
    former, now = Path(sys.argv[1]).resolve(), Path(__file__).resolve().parents[2]
    contenders: dict[str, tuple[Path, list[str]]] = {
        "the former package: eight looks, PyTorch": (former, []),
        "now, PyTorch": (now, ["--engine", "torch"]),
        "now, PyTorch in bfloat16": (now, ["TEST.PRECISION", "bfloat16"]),
        "now, onnxruntime, one process, without grades": (now, ["--workers", "1", "--no-grade"]),
        "now, onnxruntime, two processes, without grades": (now, ["--workers", "2", "--no-grade"]),
        "now, onnxruntime, one process": (now, ["--workers", "1"]),
        "now, onnxruntime, two processes": (now, ["--workers", "2"]),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder))
        for _ in range(ROUNDS):
            for name, (code, options) in contenders.items():
                times[name].append(
                    (seconds(Path(folder, "0.jpg"), code, options), seconds(Path(folder), code, options))
                )
    rows, reference = [], 0.0
    for name, found in times.items():
        one, many = (statistics.fmean(x) for x in zip(*found))
        reference = reference or many
        rows.append([name, f"{one:.1f}", f"{many:.1f}", f"{PHOTOGRAPHS / many:.1f}", f"{reference / many:.1f}"])
    print("# The packaged weights' speed\n")
    print(f"{processor()}; commit {current_commit()}. Drawn photographs, {SIDE} pixels wide, JPEG.\n")
    heads = ["", "seconds, one", f"seconds, {PHOTOGRAPHS}", "photographs a second", "times as fast"]
    print(tabulate(rows, heads, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
