"""Scoring a set of predicted masks as the REFUGE challenge does, and what to do with those that are missing."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from tabulate import tabulate

from fundus_plugins.data.annotations import parse_categories
from fundus_plugins.data.mask_files import MaskSet, list_masks
from fundus_plugins.files import atomic_write
from fundus_plugins.measures.bootstrap import mean_interval, stratified_interval
from fundus_plugins.measures.refuge import RANK_WEIGHTS, rank_submissions, refuge_sensitivity, score_masks
from fundus_plugins.measures.screening import auc, sensitivity_at_specificity
from fundus_plugins.photographs.problems import BadInput, Problem

MEANS = ("dice_oc", "dice_od", "vcdr_mae")
SCREENING = {
    "auc_vcdr": auc,
    "sensitivity_at_85_specificity": sensitivity_at_specificity,
    "sensitivity_by_the_challenges_script": refuge_sensitivity,
}


@dataclass(frozen=True)
class Submission:
    """Scores of one set of predictions: a row for each photograph, and what was wrong."""

    rows: list[dict]
    problems: list[Problem]
    unusable: int = 0  # predictions that are missing or cannot be used

    def metrics(self, resamples: int = 500) -> dict[str, tuple[float, float, float]]:
        """Mean or value, and the bounds of a 95 % bootstrap interval over photographs.

        MEANS; then SCREENING by the predicted vertical cup-to-disc ratio, and the AUC of the true one, over the
        photographs with a label (these intervals from `resamples`); nan where there are none.
        """
        labelled = [row for row in self.rows if row["label"] is not None]
        labels = np.array([row["label"] for row in labelled])
        found = {name: mean_interval([row[name] for row in self.rows]) for name in MEANS}
        predicted = np.array([row["vcdr_predicted"] for row in labelled])
        for name, statistic in SCREENING.items():
            found[name] = stratified_interval(statistic, labels, predicted, resamples=resamples)
        true = np.array([row["vcdr_true"] for row in labelled])
        known = np.isfinite(true)
        return found | {"auc_true_vcdr": stratified_interval(auc, labels[known], true[known], resamples=resamples)}


def score_submission(truth: MaskSet, prediction: MaskSet, where: Mapping[str, Path]) -> Submission:
    """Score predictions against true masks, photograph by photograph, matched by name.

    A prediction that is missing, unreadable or of another size than the truth counts as an empty mask (Dice 0,
    ratio 0) and is a problem. (The challenge's own script averages over the files that were handed in.) True masks
    that cannot be read, or without an annotated disc, are left out; so are predictions without a truth.

    Args:
        where: the paths of both, as "truth" and "prediction", for the problems' text.
    """
    rows, problems, unusable = [], [*prediction.problems], 0
    for stem in sorted(truth.masks):
        try:
            true_disc, true_cup = truth.masks[stem]()
        except BadInput as error:
            problems.append(error.problem)
            continue
        if true_disc is None or not true_disc.any():
            problems.append(Problem("no true disc", where["truth"], f"a disc for {stem}", "none: left out"))
            continue
        disc, cup, problem = _predicted(
            prediction, stem, true_disc.shape, where["prediction"], with_cup=true_cup is not None
        )
        problems += [problem] if problem else []
        unusable += problem is not None and not (disc.any() or cup.any())
        rows.append({"name": stem, "label": truth.labels.get(stem)} | score_masks(disc, cup, true_disc, true_cup))
    for stem in sorted(prediction.masks.keys() - truth.masks.keys()):
        problems.append(Problem("no truth", where["prediction"], f"a true mask named {stem}", "none: left out"))
    return Submission(rows, problems, unusable)


def as_json(metrics: Mapping[str, tuple[float, float, float]]) -> dict[str, float | None]:
    """Metrics as `<name>`, `<name>-low`, `<name>-high`; None for nan."""
    flat = {}
    for name, values in metrics.items():
        for suffix, value in zip(("", "-low", "-high"), values):
            flat[name + suffix] = value if math.isfinite(value) else None
    return flat


def _predicted(prediction: MaskSet, stem: str, shape: tuple[int, int], where: Path, *, with_cup: bool) -> tuple:
    nothing = np.zeros(shape, bool)
    if stem not in prediction.masks:
        return nothing, nothing, Problem("missing prediction", where, f"a mask named {stem}", "none: counts as empty")
    try:
        disc, cup = prediction.masks[stem]()
    except BadInput as error:
        return nothing, nothing, error.problem
    for mask in (disc, cup):
        if mask is not None and mask.shape != shape:
            sizes = (f"{width} x {height} pixels" for height, width in (shape, mask.shape))
            return nothing, nothing, Problem("size mismatch", where, f"{stem} of {next(sizes)}", next(sizes))
    wanted = {"disc": disc, "cup": cup} if with_cup else {"disc": disc}
    missing = " and ".join(name for name, mask in wanted.items() if mask is None)
    problem = Problem("missing prediction", where, f"a {missing} for {stem}", "none: counts as empty")
    return (nothing if disc is None else disc), (nothing if cup is None else cup), problem if missing else None


@dataclass(frozen=True)
class Scores:
    """Several submissions against one ground truth, by the paths they were given as; every problem once, as text."""

    truth: Path
    submissions: dict[str, Submission]
    problems: list[str]

    @property
    def rows(self) -> list[dict]:
        """A photograph each, of the first submission."""
        return next(iter(self.submissions.values())).rows

    @cached_property
    def metrics(self) -> dict[str, dict[str, tuple[float, float, float]]]:
        return {name: submission.metrics() for name, submission in self.submissions.items()}

    @property
    def ranks(self) -> dict[str, dict[str, float]]:
        """The challenge's ranks among them; none for a single one."""
        if len(self.submissions) < 2:
            return {}
        return rank_submissions({name: {key: x[0] for key, x in own.items()} for name, own in self.metrics.items()})


def score_folders(
    truth: Path, predictions: Sequence[Path], labels: Path | None = None, categories: Sequence[str] = ()
) -> Scores:
    """Score what lies at `predictions` against what lies at `truth`, each as `list_masks` reads it.

    `categories` are names such as `disc=papilla`. Raises BadInput where there are no masks to be had, or not one
    prediction that can be used: scores of 0 would look like a model's.
    """
    names = parse_categories(categories)
    true = list_masks(truth, labels=labels, categories=names)
    submissions = {}
    for path in predictions:
        predicted = list_masks(path, truth=true, categories=names, true=False)
        submission = score_submission(true, predicted, {"truth": truth, "prediction": path})
        if submission.rows and submission.unusable == len(submission.rows):
            found = f"none for {len(submission.rows)} photographs; the first problem: {submission.problems[0]}"
            raise BadInput("no masks", path, "predicted masks that can be used", found)
        submissions[str(path)] = submission
    problems = true.problems + [problem for x in submissions.values() for problem in x.problems]
    return Scores(truth, submissions, list(dict.fromkeys(map(str, problems))))


def summary(scores: Scores) -> str:
    """The scores as text: a table for each submission, and the challenge's ranks."""
    parts = []
    for name, submission in scores.submissions.items():
        labels = [row["label"] for row in submission.rows if row["label"] is not None]
        parts.append(f"{name}: {len(submission.rows)} photographs, {len(labels)} with a label, {sum(labels)} glaucoma")
        cells = [
            (x, f"{mean:.4f}", f"{low:.4f} to {high:.4f}") for x, (mean, low, high) in scores.metrics[name].items()
        ]
        parts[-1] += "\n" + tabulate(cells, headers=("", "value", "95 % interval"), disable_numparse=True)
    if scores.ranks:
        weights = ", ".join(f"{weight} {measure}" for measure, (weight, _) in RANK_WEIGHTS.items())
        rows = [(name, *ranks.values()) for name, ranks in scores.ranks.items()]
        table = tabulate(rows, headers=("", "score", *(f"rank {measure}" for measure in RANK_WEIGHTS)))
        parts.append(f"Ranks among these ({weights}; the lowest score wins)\n{table}")
    else:
        parts.append("The challenge's score is a weighted sum of ranks among submissions; one alone has none.")
    return "\n" + "\n\n".join(parts)


def write_scores(scores: Scores, folder: Path) -> None:
    """Write `scores.json`, and `images.csv` (of several `images_1.csv`, ...), a row a photograph."""
    for number, submission in enumerate(scores.submissions.values(), start=1):
        suffix = f"_{number}" if len(scores.submissions) > 1 else ""
        with atomic_write(folder / f"images{suffix}.csv") as file:
            writer = csv.DictWriter(file, fieldnames=list(submission.rows[0]))
            writer.writeheader()
            writer.writerows(submission.rows)
    document: dict = {"truth": str(scores.truth), "submissions": {}}
    for name, submission in scores.submissions.items():
        document["submissions"][name] = {"images": len(submission.rows), "metrics": as_json(scores.metrics[name])}
    document |= {"ranks": scores.ranks} if scores.ranks else {}
    document["problems"] = scores.problems
    with atomic_write(folder / "scores.json") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
