"""A table's photographs in one CSV, and differences between any two of its rows, photograph by photograph.

    python docs/scripts/between_rows.py --rows "RF-Net=RUNS/rfnet_x/seed0" "U-Net=RUNS/unet_y/seed0" \\
        --pairs "RF-Net - U-Net" --output docs/results/tables/table1_photographs.csv

RUNS is the folder `runs` of a table's output; a row is a folder with a run for each fold. Without --rows the CSV is
read. Means and 95 % bootstrap intervals over the photographs that both rows have are printed.
"""

import argparse
import csv
import json
from pathlib import Path

from tabulate import tabulate

from fundus_plugins.files import atomic_write
from fundus_plugins.measures.bootstrap import mean_interval

METRICS = {"dice_oc": "Dice, cup", "dice_od": "Dice, disc", "miou": "mIoU", "vcdr_mae": "vCDR error"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--pairs", nargs="+", required=True, metavar="A - B")
    parser.add_argument("--output", type=Path, required=True)
    chosen = parser.parse_args()
    if chosen.rows:
        with atomic_write(chosen.output) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["row", "fold", "image_id", *METRICS])
            for word in chosen.rows:
                name, _, folder = word.partition("=")
                for path in sorted(Path(folder).glob("*/result.json")):
                    result = json.loads(path.read_text(encoding="utf-8"))
                    for image in result["images"]:
                        figures = [f"{image[x]:.5f}" for x in METRICS]
                        writer.writerow([name, result["fold"], image["image_id"], *figures])
    rows: dict[str, dict[str, dict]] = {}
    with open(chosen.output, newline="", encoding="utf-8") as file:
        for image in csv.DictReader(file):
            rows.setdefault(image["row"], {})[image["image_id"]] = image
    lines = []
    for name, images in rows.items():
        found = [mean_interval([float(x[metric]) for x in images.values()]) for metric in METRICS]
        lines.append([name, len(images), *("{:.3f} ({:.3f} to {:.3f})".format(*x) for x in found)])
    print(tabulate(lines, ["", "photographs", *METRICS.values()], "github", disable_numparse=True))
    lines = []
    for pair in chosen.pairs:
        one, other = (rows[x] for x in pair.split(" - "))
        both = [x for x in one if x in other]
        less = [mean_interval([float(one[x][m]) - float(other[x][m]) for x in both]) for m in METRICS]
        lines.append([pair, len(both), *("{:+.3f} ({:+.3f} to {:+.3f})".format(*x) for x in less)])
    print("\n" + tabulate(lines, ["difference", "photographs", *METRICS.values()], "github", disable_numparse=True))


if __name__ == "__main__":
    main()
