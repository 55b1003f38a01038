"""Whether other versions of what prediction depends on give the same masks, ratios and grades.

    python docs/scripts/versions.py refuge-14/images idrid-disc/images --reference newest.npz     # writes it
    older/bin/python docs/scripts/versions.py refuge-14/images idrid-disc/images --reference newest.npz

The second call, in another environment, which needs nothing but what prediction needs, prints a row of docs/install.md.
"""

import argparse
from importlib.metadata import version
from pathlib import Path

import numpy as np

from fundus_plugins import FundusPredictor
from fundus_plugins.measures.overlap import dice
from fundus_plugins.photographs.folders import list_folder

NAMES = ("onnxruntime", "opencv-python-headless", "numpy", "pillow")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--reference", type=Path, required=True)
    chosen = parser.parse_args()
    predictor = FundusPredictor()
    found = [predictor(path) for folder in chosen.folders for path in list_folder(folder)]
    values = {"vcdr": np.array([x.vcdr for x in found])}
    values["grade"] = np.array([list(x.grade.probabilities.values()) if x.grade else [np.nan] * 3 for x in found])
    for part in ("disc", "cup"):
        values |= {f"{part}{i}": getattr(x, part) for i, x in enumerate(found)}
    if not chosen.reference.exists():
        np.savez_compressed(chosen.reference, **values)
        return
    expected = np.load(chosen.reference)
    least = [min(dice(values[f"{x}{i}"], expected[f"{x}{i}"]) for i in range(len(found))) for x in ("disc", "cup")]
    moved = [np.nanmax(np.abs(values[x] - expected[x])) for x in ("vcdr", "grade")]
    cells = [*(version(name) for name in NAMES), str(len(found)), *(f"{x:.4f}" for x in (*least, *moved))]
    print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
