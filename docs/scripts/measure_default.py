"""Seconds of `fundus predict` as it comes, from the command to overlays and table, beside an earlier commit's.

    git worktree add /tmp/former 45390d2
    python docs/scripts/measure_default.py /tmp/former > docs/results/default_speed.md
    python docs/scripts/hold_to_avx2.py /tmp/avx2
    python docs/scripts/measure_default.py /tmp/former --avx2 /tmp/avx2 > docs/results/default_speed_avx2.md

100 drawn photographs of 2000 pixels as JPEG, and one alone; two rounds, contender after contender, means. With --avx2
as a processor with AVX2 alone does it: PyTorch is held to that, and computes in float32, as it would there.
"""

import argparse
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


def seconds(photographs: Path, code: Path, options: list[str], avx2: Path | None = None) -> float:
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "fundus_plugins", "predict", str(photographs), "--output", output, *options]
        start = time.perf_counter()
        environment = os.environ | {"PYTHONPATH": str(code)}
        if avx2:
            held = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
            environment |= held | {"PYTHONPATH": f"{avx2}{os.pathsep}{code}"}
        subprocess.run(command, check=True, capture_output=True, env=environment, cwd=output)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("former", type=Path)
    parser.add_argument("--avx2", type=Path, metavar="FOLDER", help="of hold_to_avx2.py")
    chosen = parser.parse_args()
    former, now = chosen.former.resolve(), Path(__file__).resolve().parents[2]
    avx2 = chosen.avx2 and chosen.avx2.resolve()
    contenders: dict[str, tuple[Path, list[str]]] = {
        "the former package: eight looks, PyTorch": (former, ["TEST.PRECISION", "float32"] if avx2 else []),
        "now, PyTorch": (now, ["--engine", "torch"]),
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
                one, many = (seconds(x, code, options, avx2) for x in (Path(folder, "0.jpg"), Path(folder)))
                times[name].append((one, many))
    rows, reference = [], 0.0
    for name, found in times.items():
        one, many = (statistics.fmean(x) for x in zip(*found))
        reference = reference or many
        rows.append([name, f"{one:.1f}", f"{many:.1f}", f"{PHOTOGRAPHS / many:.1f}", f"{reference / many:.1f}"])
    print("# The packaged weights' speed\n")
    held = "; held to AVX2" if avx2 else ""
    print(f"{processor()}{held}; commit {current_commit()}. Drawn photographs, {SIDE} pixels wide, JPEG.\n")
    heads = ["", "seconds, one", f"seconds, {PHOTOGRAPHS}", "photographs a second", "times as fast"]
    print(tabulate(rows, heads, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
