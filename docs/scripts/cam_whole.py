"""How much of the class activation maps of whole photographs lies on the disc: the claim of the paper's Figure 5.

    python docs/scripts/cam_whole.py gamma=output/cam/gamma odir=output/cam/odir > docs/results/grading/cam_whole.md

Each folder holds fold*/cam/cam_overlap.csv of `fundus explain`, of a model and the photographs that it did not see.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from tabulate import tabulate

from fundus_plugins.measures.bootstrap import mean_interval
from fundus_plugins.provenance import current_commit

REGIONS = {"disc": "on the disc", "near": "at most one disc diameter from it"}


def rows_of(folder: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for path in sorted(folder.glob("fold*/cam/cam_overlap.csv")):
        with open(path, newline="", encoding="utf-8") as file:
            rows += csv.DictReader(file)
    return rows


def main() -> None:
    print("# Class activation maps of whole photographs\n")
    print(
        "Mask filters of stage 1 of 2sRanking-CNN, for the predicted grade, in folds; discs are the ellipses of the "
        "boxes that RF-Net finds. Shares of the mask filter's sum, and the area's share, which a map that is the same "
        "everywhere would give; 95 % bootstrap intervals over photographs.\n"
    )
    lines = []
    for word in sys.argv[1:]:
        name, _, folder = word.partition("=")
        rows = rows_of(Path(folder))
        for predicted in ("any", *dict.fromkeys(row["predicted"] for row in rows)):
            some = [row for row in rows if predicted in ("any", row["predicted"])]
            for region, text in REGIONS.items():
                share, chance = (np.array([float(row[f"{region}_{x}"]) for row in some]) for x in ("share", "chance"))
                cells = ["{:.3f} ({:.3f} to {:.3f})".format(*mean_interval(x)) for x in (share, chance, share - chance)]
                times = "{:.2f} ({:.2f} to {:.2f})".format(*mean_interval(share / chance))
                lines.append([name, predicted, len(some), text, *cells, times])
    heading = ["set", "predicted", "photographs", "region", "share", "by chance", "difference", "times chance"]
    print(tabulate(lines, heading, tablefmt="github", disable_numparse=True))
    command = " ".join(sys.argv[1:])
    print(f"\n```bash\npython docs/scripts/cam_whole.py {command}\n```\n\nCommit {current_commit()}.")


if __name__ == "__main__":
    main()
