"""The evaluator of optic disc and cup segmentation at the photographs' own resolution."""

import contextlib
import csv
import io
import itertools
import json
import logging
import math
import os
from collections import OrderedDict

import numpy as np
from detectron2.data import MetadataCatalog
from detectron2.evaluation import DatasetEvaluator
from detectron2.utils import comm
from pycocotools.coco import COCO
from tabulate import tabulate

from fundus_plugins.data.structures import CUP, DISC, best_disc_and_cup
from fundus_plugins.files import atomic_write
from fundus_plugins.measures.bootstrap import mean_interval
from fundus_plugins.measures.disc_cup import METRICS, compare_disc_and_cup


class DiscCupEvaluator(DatasetEvaluator):
    """Dice, IoU, vertical cup-to-disc ratio and detection rate, each with a 95 % bootstrap interval over images.

    Every metric is the mean over images of what `compare_disc_and_cup` gives, at the original resolution against the
    original mask; images with no annotated disc are left out, and images with no annotated cup count for the disc only.
    Writes `<dataset>_images.csv`, a row an image, and `<dataset>_metrics.json` to `output_dir`.

    Args:
        dataset_name: registered with its COCO JSON (`MetadataCatalog.get(name).json_file`).
        output_dir: a folder, made when needed; None to write nothing.
    """

    def __init__(self, dataset_name: str, output_dir: str | None = None):
        self.dataset_name = dataset_name
        self.output_dir = output_dir
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
            self._truth = COCO(MetadataCatalog.get(dataset_name).json_file)
        self._rows: list[dict] = []

    def reset(self) -> None:
        self._rows = []

    def process(self, inputs: list[dict], outputs: list[dict]) -> None:
        for image, output in zip(inputs, outputs):
            truth = self._true_masks(image["image_id"])
            if DISC not in truth:
                continue
            disc, cup, score = best_disc_and_cup(output["instances"], truth[DISC].shape)
            row = compare_disc_and_cup(disc, cup, truth[DISC], truth.get(CUP))
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
        intervals = {name: mean_interval([row[name] for row in rows]) for name in METRICS}
        for name, (mean, low, high) in intervals.items():
            # With a "-" in their name, Detectron2 leaves the bounds out of its one-line summary.
            results |= {name: mean, f"{name}-low": low, f"{name}-high": high}
        self._report(rows, intervals, results)
        return OrderedDict(disc_cup=results)

    def _true_masks(self, image_id: int) -> dict[int, np.ndarray]:
        names = ["optic_disc", "optic_cup"]
        found = {}
        for annotation in self._truth.imgToAnns[image_id]:
            category = self._truth.cats[annotation["category_id"]]["name"]
            found[names.index(category)] = self._truth.annToMask(annotation).astype(bool)
        return found

    def _report(self, rows: list[dict], intervals: dict, results: dict) -> None:
        cells = [(name, f"{mean:.4f}", f"{low:.4f} to {high:.4f}") for name, (mean, low, high) in intervals.items()]
        table = tabulate(cells, headers=("metric", "mean", "95 % interval"), disable_numparse=True)
        logging.getLogger(__name__).info(f"{self.dataset_name}, {len(rows)} images:\n{table}")
        if not self.output_dir:
            return
        os.makedirs(self.output_dir, exist_ok=True)
        path = os.path.join(self.output_dir, self.dataset_name)
        with atomic_write(f"{path}_images.csv") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        with atomic_write(f"{path}_metrics.json") as file:
            metrics = {name: value if math.isfinite(value) else None for name, value in results.items()}
            json.dump({"dataset": self.dataset_name, "images": len(rows), "metrics": metrics}, file, indent=2)
