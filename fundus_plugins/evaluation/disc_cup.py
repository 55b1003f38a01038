"""The evaluator of optic disc and cup segmentation at the photographs' own resolution."""

import csv
import itertools
import json
import logging
import math
import os
import re
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from detectron2.data import DatasetCatalog
from detectron2.evaluation import DatasetEvaluator
from detectron2.utils import comm
from tabulate import tabulate

from fundus_plugins.data.annotations import CUP, DISC, disc_and_cup, parse_categories
from fundus_plugins.data.coco import GRADES
from fundus_plugins.data.registration import disc_cup_structures
from fundus_plugins.data.structures import best_disc_and_cup
from fundus_plugins.evaluation.readers import ReaderScores
from fundus_plugins.files import atomic_write
from fundus_plugins.measures.agreement import agreement_intervals
from fundus_plugins.measures.bootstrap import mean_interval, stratified_interval
from fundus_plugins.measures.disc_cup import METRICS, compare_disc_and_cup
from fundus_plugins.measures.screening import auc

GLAUCOMA = GRADES[-1]
AGREEMENT = ("pearson", "icc", "limit_low", "limit_high")  # of `agreement_intervals`


class DiscCupEvaluator(DatasetEvaluator):
    """Overlap and outlines of disc and cup, their vertical ratio and the detection rate, with 95 % bootstrap intervals.

    Each of METRICS is the mean over images of what `compare_disc_and_cup` gives, at the original resolution against the
    original mask; images with no annotated disc are left out, and images with no annotated cup count for the disc only.
    `vcdr_pearson`, `vcdr_icc`, `vcdr_limit_low` and `vcdr_limit_high` are of predicted and true ratios, `vcdr_auc` of
    predicted ratios and grades: glaucoma against others, where there are both. A grade is `grade_name` of Detectron2's
    record, as our files have it. Intervals are over images.

    Where several readers drew the masks, there are scores against each of them and of them against each other, too, as
    `ReaderScores` names them.

    Writes `<dataset>_images.csv`, a row an image, and `<dataset>_metrics.json` to `output_dir`.

    Args:
        dataset_name: registered with Detectron2; its categories' names tell which is the disc, and which the cup.
        output_dir: a folder, made when needed; None to write nothing.
        categories: names of disc and cup beside the usual ones, such as `disc=papilla`.

    Raises:
        BadInput: no category is called a disc; a true mask that cannot be read or that no eye has.
    """

    def __init__(self, dataset_name: str, output_dir: str | None = None, categories: Sequence[str] = ()):
        self.dataset_name = dataset_name
        self.output_dir = output_dir
        self._structures = disc_cup_structures(dataset_name, parse_categories(categories))
        self._readers = ReaderScores(dataset_name, parse_categories(categories))
        self._truth = {record["image_id"]: record for record in DatasetCatalog.get(dataset_name)}
        self._rows: list[dict] = []

    def reset(self) -> None:
        self._rows = []

    def process(self, inputs: list[dict], outputs: list[dict]) -> None:
        for image, output in zip(inputs, outputs):
            record = self._truth[image["image_id"]]
            size = record["height"], record["width"]
            found = disc_and_cup(record.get("annotations", ()), self._structures, size, record["file_name"])
            truth = {structure: mask > 0 for structure, mask in found.items()}
            if DISC not in truth:
                continue
            disc, cup, score = best_disc_and_cup(output["instances"], truth[DISC].shape)
            row = compare_disc_and_cup(disc, cup, truth[DISC], truth.get(CUP), surfaces=True)
            row |= self._readers.scores(record["file_name"], disc, cup)
            self._rows.append({"file_name": image["file_name"], "image_id": image["image_id"], "score": score} | row)

    def evaluate(self) -> dict | None:
        rows = list(itertools.chain(*comm.all_gather(self._rows)))
        if not comm.is_main_process():
            return None
        rows = sorted({row["image_id"]: row for row in rows}.values(), key=lambda row: row["image_id"])
        if not rows:
            raise ValueError(
                f"{self.dataset_name}: no image has an annotated optic disc, so there is nothing to evaluate"
            )
        results: OrderedDict[str, float] = OrderedDict()
        intervals = {name: mean_interval([row[name] for row in rows]) for name in (*METRICS, *self._readers.metrics)}
        agreement = agreement_intervals([row["vcdr_predicted"] for row in rows], [row["vcdr_true"] for row in rows])
        intervals |= {f"vcdr_{name}": interval for name, interval in agreement.items()} | self._screening(rows)
        for name, (value, low, high) in intervals.items():
            # With a "-" in their name, Detectron2 leaves the bounds out of its one-line summary.
            results |= {name: value, f"{name}-low": low, f"{name}-high": high}
        self._report(rows, intervals, results)
        return OrderedDict(disc_cup=results)

    def _screening(self, rows: list[dict]) -> dict[str, tuple[float, float, float]]:
        """`vcdr_auc` of the images whose grade is known; nothing where they are not of both kinds."""
        grades = [str(self._truth[row["image_id"]].get("grade_name")).lower() for row in rows]
        graded = [(grade == GLAUCOMA, row["vcdr_predicted"]) for grade, row in zip(grades, rows) if grade in GRADES]
        if len({label for label, _ in graded}) < 2:
            return {}
        labels, ratios = zip(*graded)
        return {"vcdr_auc": stratified_interval(auc, np.array(labels, int), np.array(ratios))}

    def _report(self, rows: list[dict], intervals: dict, results: dict) -> None:
        cells = [(name, f"{value:.4f}", f"{low:.4f} to {high:.4f}") for name, (value, low, high) in intervals.items()]
        table = tabulate(cells, headers=("metric", "value", "95 % interval"), disable_numparse=True)
        logging.getLogger(__name__).info(f"{self.dataset_name}, {len(rows)} images:\n{table}")
        if not self.output_dir:
            return
        os.makedirs(self.output_dir, exist_ok=True)
        path = os.path.join(self.output_dir, file_stem(self.dataset_name))
        with atomic_write(f"{path}_images.csv") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        with atomic_write(f"{path}_metrics.json") as file:
            metrics = {name: value if math.isfinite(value) else None for name, value in results.items()}
            json.dump({"dataset": self.dataset_name, "images": len(rows), "metrics": metrics}, file, indent=2)


def metric_names() -> tuple[str, ...]:
    """Of the evaluator's measures, which also have a -low and a -high; `vcdr_auc` only where there are grades."""
    return (*METRICS, *(f"vcdr_{name}" for name in AGREEMENT), "vcdr_auc")


def file_stem(dataset_name: str) -> str:
    """A data set's name as part of a file's name; it may be the path of a JSON file."""
    return re.sub(r"[^\w.-]+", "_", dataset_name.removesuffix(".json")).strip("_.") or "dataset"
