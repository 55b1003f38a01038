"""A table's trained rows on sets that none of them has seen: means over photographs, and differences to one row.

    python docs/scripts/zero_shot.py --rows "RF-Net=RUNS/rfnet_drishti_x/seed0" ... --sets refuge_14_test idrid_test \
        --output docs/results/tables/table1_zero_shot

RUNS is the folder `runs` of a table. Every row is a folder with a run for each fold; a photograph's figures are the
mean over the folds' models, each by its last weights in one look. The first row is the reference; a difference to it is
over the folds that both rows have, for a fold counts for as much as a network. What was measured is in OUTPUT.csv, and
is not measured again.
"""

import argparse
import csv
import math
import statistics
from pathlib import Path

from detectron2.data import DatasetCatalog
from processor import processor
from tabulate import tabulate

from fundus_plugins.config import get_fundus_cfg
from fundus_plugins.data.annotations import CUP, DISC, disc_and_cup
from fundus_plugins.data.registration import disc_cup_structures, register_fundus_datasets
from fundus_plugins.files import atomic_write
from fundus_plugins.measures.bootstrap import mean_interval
from fundus_plugins.measures.disc_cup import compare_disc_and_cup
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.prediction.predictor import FundusPredictor
from fundus_plugins.provenance import command_line, current_commit

METRICS = {
    "dice_oc": "Dice, cup",
    "dice_od": "Dice, disc",
    "miou": "mIoU",
    "vcdr_mae": "vCDR error",
    "hd95_oc_dd": "HD95, cup",
    "hd95_od_dd": "HD95, disc",
    "right_place": "right place",
}
HEAD = ("row", "run", "set", "image_id", *METRICS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--output", required=True, type=Path)
    chosen = parser.parse_args()
    register_fundus_datasets()
    path = chosen.output.with_suffix(".csv")
    measured = read(path)
    names = []
    for word in chosen.rows:
        name, _, folder = word.partition("=")
        names.append(name)
        for run in sorted(Path(folder).glob("*/result.json")):
            for dataset in chosen.sets:
                key = name, run.parent.name, dataset
                if not any((x["row"], x["run"], x["set"]) == key for x in measured):
                    measured += [dict(zip(HEAD, [*key, *x])) for x in measure(run.parent, dataset)]
                    write(path, measured)
    with atomic_write(chosen.output.with_suffix(".md")) as file:
        file.write(page(measured, names, chosen.sets))


def measure(run: Path, dataset: str):
    """The image's id and METRICS of every photograph of a set with an annotated disc."""
    cfg = get_fundus_cfg(str(run / "config.yaml"), ["MODEL.WEIGHTS", str(run / "model_final.pth")])
    predictor, structures = FundusPredictor(cfg, grade=False), disc_cup_structures(dataset)
    for record in DatasetCatalog.get(dataset):
        image = read_photograph(record["file_name"])
        masks = disc_and_cup(record["annotations"], structures, image.shape[:2], record["file_name"])
        if DISC in masks:
            found, cup = predictor(image), masks[CUP] > 0 if CUP in masks else None
            figures = compare_disc_and_cup(found.disc, found.cup, masks[DISC] > 0, cup, surfaces=True)
            yield [record["image_id"], *(figures[x] for x in METRICS)]


def read(path: Path) -> list[dict]:
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return [row | {x: float(row[x]) for x in METRICS} for row in csv.DictReader(file)]


def write(path: Path, rows: list[dict]) -> None:
    with atomic_write(path) as file:
        writer = csv.DictWriter(file, HEAD)
        writer.writeheader()
        writer.writerows(rows)


def page(rows: list[dict], names: list[str], sets: list[str]) -> str:
    parts = [
        "# Trained on Drishti-GS1, used on sets never seen",
        "Means over photographs, each the mean over the folds' models, with 95 % bootstrap intervals over photographs. "
        "HD95 is in vertical diameters of the true disc, over the photographs whose disc was found; a missed disc has "
        "Dice 0, mIoU as of an empty outline, and a vCDR of 0. Right place: the outline touches the true disc.",
    ]
    for dataset in sets:
        of = {name: [x for x in rows if (x["row"], x["set"]) == (name, dataset)] for name in names}
        values = {name: by_photograph(x) for name, x in of.items()}
        known = [x for x in METRICS if any(values[names[0]].get(x, {}).values())]
        table = [[name, *(cell(list(values[name][x].values()), ".3f") for x in known)] for name in names]
        pairs = []
        for name in names[1:]:
            runs = {x["run"] for x in of[name]} & {x["run"] for x in of[names[0]]}
            both = [by_photograph([x for x in of[row] if x["run"] in runs]) for row in (name, names[0])]
            pairs.append([name, len(runs), *(cell(paired(both[0][x], both[1][x]), "+.3f") for x in known)])
        heads = ["", *(METRICS[x] for x in known)]
        count = max(len(x) for x in values[names[0]].values())
        parts += [f"## {dataset}, {count} photographs", tabulate(table, heads, "github", disable_numparse=True)]
        parts += [
            f"Less {names[0]}, photograph by photograph, of the folds that both have:",
            tabulate(pairs, ["", "folds", *heads[1:]], "github", disable_numparse=True),
        ]
    return "\n\n".join(parts) + f"\n\n{processor()}; commit {current_commit()}:\n\n    {command_line()}\n"


def by_photograph(rows: list[dict]) -> dict[str, dict[str, float]]:
    """Metric -> image -> mean over runs, of what is known."""
    found: dict[str, dict[str, list[float]]] = {x: {} for x in METRICS}
    for row in rows:
        for metric in METRICS:
            if not math.isnan(row[metric]):
                found[metric].setdefault(str(row["image_id"]), []).append(row[metric])
    return {metric: {image: statistics.fmean(x) for image, x in images.items()} for metric, images in found.items()}


def paired(one: dict[str, float], other: dict[str, float]) -> list[float]:
    return [one[x] - other[x] for x in sorted(one.keys() & other.keys())]


def cell(values: list[float], form: str) -> str:
    return "{0:{3}} ({1:{3}} to {2:{3}})".format(*mean_interval(values), form) if values else ""


if __name__ == "__main__":
    main()
