"""The evaluator of glaucoma grading."""

import csv
import itertools
import json
import math
import os
from collections import OrderedDict

import numpy as np
from detectron2.evaluation import DatasetEvaluator
from detectron2.utils import comm
from sklearn.metrics import confusion_matrix
from tabulate import tabulate

from fundus_plugins.evaluation.disc_cup import file_stem
from fundus_plugins.evaluation.logger import visible_logger
from fundus_plugins.evaluation.plots import draw_confusion, draw_reliability, draw_roc
from fundus_plugins.files import atomic_write
from fundus_plugins.measures.grading import contradicts, grading_metrics


class GradingEvaluator(DatasetEvaluator):
    """The measures of `grading_metrics`, each with a 95 % bootstrap interval, and the mean loss (section 3.2).

    Photographs without a grade are left out. Writes to `output_dir`: `<dataset>_images.csv`, a row a photograph, with
    the probability of passing each threshold and `contradiction` where a later one is passed and an earlier one is
    not; `<dataset>_metrics.json`, with the confusion matrix; pictures `<dataset>_{confusion,roc,reliability}.png`.

    Args:
        dataset_name: for names of files and messages.
        grades: names of the grades, in order.
        output_dir: a folder, made when needed; None to write nothing.
        intervals: whether there are intervals and pictures, which take seconds.
    """

    def __init__(self, dataset_name: str, grades: list[str], output_dir: str | None = None, intervals: bool = True):
        self.dataset_name = dataset_name
        self.grades = list(grades)
        self.output_dir = output_dir
        self.intervals = intervals
        self._rows: list[dict] = []

    def reset(self) -> None:
        self._rows = []

    def process(self, inputs: list[dict], outputs: list[dict]) -> None:
        for image, output in zip(inputs, outputs):
            if "grade" in image:
                row = {key: image[key] for key in ("image_id", "file_name")} | {"truth": image["grade"]}
                self._rows.append(row | {"predicted": output["grade"]} | _plain(output))

    def evaluate(self) -> dict | None:
        rows = list(itertools.chain(*comm.all_gather(self._rows)))
        if not comm.is_main_process():
            return None
        rows = sorted({row["image_id"]: row for row in rows}.values(), key=lambda row: row["image_id"])
        if not rows:
            raise ValueError(f"{self.dataset_name}: no photograph has a grade, so there is nothing to evaluate")
        truth, predicted = (np.array([row[key] for row in rows]) for key in ("truth", "predicted"))
        scores, above = (np.array([row[key] for row in rows]) for key in ("scores", "above"))
        resamples = {} if self.intervals else {"resamples": 0}
        metrics = grading_metrics(truth, predicted, scores, above, self.grades, **resamples)
        results = OrderedDict(loss=float(np.mean([row["loss"] for row in rows])))
        for name, (value, low, high) in metrics.items():
            # With a "-" in their name, Detectron2 leaves the bounds out of its one-line summary.
            results |= {name: value} | ({f"{name}-low": low, f"{name}-high": high} if self.intervals else {})
        results["contradictions"] = float(contradicts(above).mean())
        confusion = confusion_matrix(truth, predicted, labels=range(len(self.grades)))
        self._report(rows, metrics, results, confusion, contradicts(above))
        return OrderedDict(grading=results)

    def _report(self, rows: list[dict], metrics: dict, results: dict, confusion: np.ndarray, contradiction) -> None:
        cells = [(name, f"{value:.4f}", f"{low:.4f} to {high:.4f}") for name, (value, low, high) in metrics.items()]
        table = tabulate(cells, headers=("metric", "value", "95 % interval"), disable_numparse=True)
        matrix = tabulate(
            [[name, *row] for name, row in zip(self.grades, confusion)], headers=["truth \\ predicted", *self.grades]
        )
        visible_logger(__name__).info(
            f"{self.dataset_name}, {len(rows)} photographs, loss {results['loss']:.4f}, "
            f"{int(contradiction.sum())} contradictions:\n{table}\n{matrix}"
        )
        if not self.output_dir:
            return
        os.makedirs(self.output_dir, exist_ok=True)
        path = os.path.join(self.output_dir, file_stem(self.dataset_name))
        lines = [self._line(row, bool(flag)) for row, flag in zip(rows, contradiction)]
        with atomic_write(f"{path}_images.csv") as file:
            writer = csv.DictWriter(file, fieldnames=list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)
        with atomic_write(f"{path}_metrics.json") as file:
            document = {
                "dataset": self.dataset_name,
                "images": len(rows),
                "grades": self.grades,
                "metrics": {name: value if math.isfinite(value) else None for name, value in results.items()},
                "confusion": confusion.tolist(),
            }
            json.dump(document, file, indent=2)
        if self.intervals:
            draw_confusion(confusion, self.grades, f"{path}_confusion.png")
            truth, above = (np.array([row[key] for row in rows]) for key in ("truth", "above"))
            draw_roc(truth, above, self.grades, f"{path}_roc.png")
            draw_reliability(truth, above, self.grades, f"{path}_reliability.png")

    def _line(self, row: dict, contradiction: bool) -> dict:
        """A row of the CSV: names instead of numbers."""
        line = {key: row[key] for key in ("file_name", "image_id")}
        line |= {key: self.grades[row[key]] for key in ("truth", "predicted", "stage1_grade") if key in row}
        line["correct"] = int(row["truth"] == row["predicted"])
        line |= {f"p_above_{name}": f"{p:.8g}" for name, p in zip(self.grades, row["above"])}
        line |= {f"score_{name}": f"{p:.8g}" for name, p in zip(self.grades, row["scores"])}
        return line | {"contradiction": int(contradiction), "loss": f"{row['loss']:.4f}"}


def _plain(output: dict) -> dict:
    """What a model gave, as Python numbers, without the grade."""
    row = {key: output[key].tolist() for key in ("scores", "above")} | {"loss": output.get("loss", float("nan"))}
    return row | ({"stage1_grade": output["stage1_grade"]} if "stage1_grade" in output else {})
