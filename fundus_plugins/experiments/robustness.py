"""How well a trained RF-Net does on photographs as they are and as other cameras would have taken them."""

import csv
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from detectron2.data import DatasetCatalog

from fundus_plugins.data.annotations import CUP, DISC, disc_and_cup
from fundus_plugins.data.registration import disc_cup_structures
from fundus_plugins.experiments.alterations import UNCHANGED, Alteration
from fundus_plugins.measures.bootstrap import mean_interval
from fundus_plugins.measures.disc_cup import compare_disc_and_cup
from fundus_plugins.measures.shape import is_regular
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.prediction.predictor import FundusPredictor

TEXTS = ("run", "alteration", "file_name", "image_id")  # the columns that hold no number
METRICS = ("dice_od", "dice_oc", "vcdr_mae", "detection_rate", "regular")


def measure(predictor: FundusPredictor, dataset_name: str, alterations: Sequence[Alteration]) -> Iterator[dict]:
    """A row for every photograph, alteration and level: `compare_disc_and_cup`, score, agreement and `regular`.

    `regular` is 1 where disc and cup have a possible shape (`is_regular`), else 0. Photographs without an annotated
    disc are left out, as are alterations that leave nothing of it. Raises FileNotFoundError or ValueError for one that
    cannot be read.
    """
    structures = disc_cup_structures(dataset_name)
    for record in DatasetCatalog.get(dataset_name):
        if not record["annotations"]:
            continue
        image = read_photograph(record["file_name"])
        masks = disc_and_cup(record["annotations"], structures, image.shape[:2], record["file_name"])
        if DISC not in masks:
            continue
        disc, cup = masks[DISC] > 0, masks[CUP] > 0 if CUP in masks else None
        for alteration in (UNCHANGED, *alterations):
            for level in alteration.levels:
                altered, true_disc, true_cup = alteration.apply(image, disc, cup, level)
                if not true_disc.any():
                    continue
                found = predictor(np.ascontiguousarray(altered))
                yield {
                    "alteration": alteration.name,
                    "level": level,
                    "file_name": Path(record["file_name"]).name,
                    "image_id": record["image_id"],
                    "score": found.score,
                    "agreement": found.agreement,
                    "ellipse": found.ellipse,
                    "flagged": float(found.flagged),
                    "regular": float(is_regular(found.disc, found.cup)),
                } | compare_disc_and_cup(found.disc, found.cup, true_disc, true_cup)


def summarise(rows: Sequence[dict]) -> list[dict]:
    """Means of METRICS by alteration and level, in the order of `rows`, with 95 % bootstrap intervals over photographs.

    Several runs' rows of one photograph are averaged first. Every metric is (mean, low, high).
    """
    return [
        {"alteration": alteration, "level": level, "photographs": len(photographs)}
        | {metric: mean_interval([row[metric] for row in photographs.values()]) for metric in METRICS}
        for (alteration, level), photographs in _by_photograph(rows, _key(rows)).items()
    ]


def differences(rows: Sequence[dict], reference: Sequence[dict]) -> list[dict]:
    """As `summarise`, of `rows` minus `reference`, photograph by photograph, over what both have.

    Raises ValueError where they have no photograph in common.
    """
    known_by = _key([*rows, *reference])
    others = _by_photograph(reference, known_by)
    result = []
    for key, photographs in _by_photograph(rows, known_by).items():
        both = [(row, others[key][name]) for name, row in photographs.items() if name in others.get(key, {})]
        if both:
            means = {metric: mean_interval([a[metric] - b[metric] for a, b in both]) for metric in METRICS}
            result.append({"alteration": key[0], "level": key[1], "photographs": len(both)} | means)
    if reference and not result:
        found = f"such as {rows[0]['file_name']} and {reference[0]['file_name']}" if rows else "none"
        raise ValueError(f"--reference: expected photographs that both have, found others, {found}")
    return result


def read_rows(path: str) -> list[dict]:
    """The rows of a CSV that `fundus robustness` wrote, numbers as numbers."""
    with open(path, newline="", encoding="utf-8") as file:
        return [
            {key: value if key in TEXTS else float(value) for key, value in row.items()} for row in csv.DictReader(file)
        ]


def _key(rows: Sequence[dict]) -> tuple[str, ...]:
    """What tells photographs apart: two may have one name, and sets number theirs alike; old tables have names."""
    return ("image_id", "file_name") if all("image_id" in row for row in rows) else ("file_name",)


def _by_photograph(rows: Sequence[dict], key: Sequence[str]) -> dict[tuple, dict[str, dict[str, float]]]:
    """(alteration, level) -> photograph -> METRICS, the means of the rows of one photograph."""
    groups: dict[tuple, dict[str, list[dict]]] = {}
    for row in rows:
        photographs = groups.setdefault((row["alteration"], row["level"]), {})
        photographs.setdefault(" ".join(str(row[x]) for x in key), []).append(row)
    return {
        group: {
            name: {metric: statistics.fmean(row[metric] for row in same) for metric in METRICS}
            for name, same in photographs.items()
        }
        for group, photographs in groups.items()
    }
