"""How far a lower precision, or another engine, moves what the packaged weights say of real photographs.

    python docs/scripts/precision.py refuge-14/images idrid-disc/images > docs/results/precision.md
    python docs/scripts/precision.py refuge-14/images:5 --precisions bfloat16      # the first five alone

Compared with PyTorch in float32. FOLDER:N takes a folder's first N photographs by name. The points above the tables of
precision.md were written by hand.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from processor import processor
from tabulate import tabulate

from fundus_plugins import FundusPrediction, FundusPredictor, release_cfg
from fundus_plugins.measures.overlap import dice
from fundus_plugins.photographs.folders import list_folder
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.provenance import current_commit

HEADING = ["photographs", "number", "least Dice, disc", "cup", "vCDR, mean change", "largest", "measured by one alone"]


def torch_predictor(precision: str) -> FundusPredictor:
    return FundusPredictor(release_cfg(opts=["MODEL.DEVICE", "cpu", "TEST.PRECISION", precision]))


def compare(name: str, pairs: Sequence[tuple[FundusPrediction, FundusPrediction]]) -> list:
    discs, cups = ([dice(getattr(a, x), getattr(b, x)) for a, b in pairs] for x in ("disc", "cup"))
    moved = np.array([abs(a.vcdr - b.vcdr) for a, b in pairs])
    alone = sum(np.isfinite(a.vcdr) != np.isfinite(b.vcdr) for a, b in pairs)
    changes = [f"{x:.4f}" for x in (min(discs), min(cups), np.nanmean(moved), np.nanmax(moved))]
    return [name, len(pairs), *changes, alone]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", metavar="FOLDER[:N]")
    parser.add_argument("--precisions", nargs="*", default=["bfloat16"], help="of PyTorch")
    chosen = parser.parse_args()
    reference = torch_predictor("float32")
    contenders = {f"PyTorch, {x}": torch_predictor(x) for x in chosen.precisions}
    contenders["onnxruntime, float32"] = FundusPredictor(grade=False)
    # contender -> folder -> (the reference's prediction, its own) of each photograph
    found: dict[str, dict[str, list[tuple[FundusPrediction, FundusPrediction]]]] = {x: {} for x in contenders}
    for words in chosen.folders:
        folder, _, number = words.partition(":")
        name = "/".join(Path(folder).parts[-2:])
        for path in list_folder(Path(folder))[: int(number) if number else None]:
            photograph = read_photograph(path)
            expected = reference(photograph)
            for contender, predictor in contenders.items():
                found[contender].setdefault(name, []).append((expected, predictor(photograph)))
    print("# Precision and engine: how far the outlines move\n")
    print("The packaged weights on real photographs, on a CPU, beside PyTorch in float32.\n")
    for contender, sets in found.items():
        rows = [compare(name, pairs) for name, pairs in sets.items()]
        rows.append(compare("all", [pair for pairs in sets.values() for pair in pairs]))
        print(f"## {contender}\n\n{tabulate(rows, HEADING, tablefmt='github', disable_numparse=True)}\n")
    versions = f"PyTorch {torch.__version__}, onnxruntime {onnxruntime.__version__}"
    print(f"{versions}. {processor()}; commit {current_commit()}.")


if __name__ == "__main__":
    main()
