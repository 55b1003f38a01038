"""Photographs a second of the packaged weights on a GPU, by batch and precision, and whether the masks stay the same.

    python docs/scripts/measure_gpu.py photographs/ > docs/results/gpu.md
    python docs/scripts/measure_gpu.py photographs/ --device cpu --batches 1 --precisions float32   # to try it

Compared with PyTorch in float32 on the CPU. Photographs are in memory; timed is from there to masks and measures.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from processor import processor
from tabulate import tabulate

import fundus_plugins
from fundus_plugins.measures.overlap import dice
from fundus_plugins.photographs.folders import list_folder
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.provenance import current_commit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--number", type=int, default=64)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16", "float16"])
    chosen = parser.parse_args()
    images = [read_photograph(x) for x in list_folder(chosen.folder)[: chosen.number]]
    on_cpu = ["MODEL.DEVICE", "cpu", "TEST.PRECISION", "float32"]
    predictor = fundus_plugins.FundusPredictor(fundus_plugins.release_cfg(opts=on_cpu))
    reference = [predictor(x) for x in images]
    rows = []
    for precision in chosen.precisions:
        keys = ["MODEL.DEVICE", chosen.device, "TEST.PRECISION", precision]
        predictor = fundus_plugins.FundusPredictor(fundus_plugins.release_cfg(opts=keys))
        for batch in chosen.batches:
            for _ in range(2):  # the first warms up
                began = time.perf_counter()
                found = []
                for start in range(0, len(images), batch):
                    found += predictor.predict_batch(images[start : start + batch])
                seconds = time.perf_counter() - began
            pairs = list(zip(reference, found))
            moved = [abs(a.vcdr - b.vcdr) for a, b in pairs if np.isfinite(a.vcdr) and np.isfinite(b.vcdr)]
            discs, cups = ([dice(getattr(a, x), getattr(b, x)) for a, b in pairs] for x in ("disc", "cup"))
            rate = f"{len(images) / seconds:.1f}"
            rows.append([precision, batch, rate, f"{min(discs):.4f}", f"{min(cups):.4f}", f"{max(moved):.4f}"])
    heading = ["precision", "batch", "photographs/s", "least Dice, disc", "least Dice, cup", "largest change of a vCDR"]
    name = torch.cuda.get_device_name() if chosen.device == "cuda" else processor()
    print(f"# On {name}\n")
    print(
        f"{len(images)} photographs; PyTorch {torch.__version__}; {os.cpu_count()} cores; commit {current_commit()}.\n"
    )
    print(tabulate(rows, heading, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
