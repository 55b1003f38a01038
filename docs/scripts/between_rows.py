"""A table's photographs in one CSV, and differences between any two of its rows, photograph by photograph.

    python docs/scripts/between_rows.py --rows "RF-Net=RUNS/rfnet_x/seed0" "U-Net=RUNS/unet_y/seed0" \\
        --pairs "RF-Net - U-Net" --output docs/results/tables/table1_photographs.csv

RUNS is the folder `runs` of a table's output; a row is a folder with a run for each fold. Without --rows the CSV is
read; --more adds such folders' runs to it, in place of what it has of the same row and fold; --beside names CSVs whose
rows are compared, too. Means and 95 % bootstrap intervals over the photographs that both rows have are printed.
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
    parser.add_argument("--more", nargs="+", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--beside", nargs="+", default=[], type=Path, metavar="CSV")
    parser.add_argument("--pairs", nargs="+", required=True, metavar="A - B")
    parser.add_argument("--output", type=Path, required=True)
    chosen = parser.parse_args()
    images = [] if chosen.rows else read(chosen.output)
    for word in (*chosen.rows, *chosen.more):
        name, _, folder = word.partition("=")
        found = read_runs(name, Path(folder))
        replaced = {(x["row"], x["fold"]) for x in found}
        images = [x for x in images if (x["row"], x["fold"]) not in replaced] + found
    if chosen.rows or chosen.more:
        write(chosen.output, images)
    for path in chosen.beside:
        beside = read(path)
        if common := {x["row"] for x in images} & {x["row"] for x in beside}:
            parser.error(f"{path}: expected rows of other names, found {min(common)!r} once more")
        images += beside
    rows: dict[str, dict[str, dict]] = {}
    for image in images:
        rows.setdefault(image["row"], {})[image["image_id"]] = image
    lines = []
    for name, own in rows.items():
        means = [mean_interval([float(x[metric]) for x in own.values()]) for metric in METRICS]
        lines.append([name, len(own), *("{:.3f} ({:.3f} to {:.3f})".format(*x) for x in means)])
    print(tabulate(lines, ["", "photographs", *METRICS.values()], "github", disable_numparse=True))
    lines = []
    for pair in chosen.pairs:
        one, other = (rows[x] for x in pair.split(" - "))
        both = [x for x in one if x in other]
        if any(one[x]["fold"] != other[x]["fold"] for x in both):
            parser.error(f"{pair}: expected the same folds, found photographs that were held out in different ones")
        less = [mean_interval([float(one[x][m]) - float(other[x][m]) for x in both]) for m in METRICS]
        lines.append([pair, len(both), *("{:+.3f} ({:+.3f} to {:+.3f})".format(*x) for x in less)])
    print("\n" + tabulate(lines, ["difference", "photographs", *METRICS.values()], "github", disable_numparse=True))


def read_runs(name: str, folder: Path) -> list[dict[str, str]]:
    """The photographs of every finished run in a folder, as the CSV has them."""
    results = [json.loads(x.read_text(encoding="utf-8")) for x in sorted(folder.glob("*/result.json"))]
    return [
        {"row": name, "fold": str(result["fold"]), "image_id": str(image["image_id"])}
        | {metric: f"{image[metric]:.5f}" for metric in METRICS}
        for result in results
        for image in result["images"]
    ]


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path: Path, images: list[dict[str, str]]) -> None:
    with atomic_write(path) as file:
        writer = csv.DictWriter(file, ["row", "fold", "image_id", *METRICS], lineterminator="\n")
        writer.writeheader()
        writer.writerows(images)


if __name__ == "__main__":
    main()
