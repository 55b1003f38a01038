"""Scoring a set of predicted masks as the REFUGE challenge does, and what to do with those that are missing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fundus_plugins.data.converters.record import BadInput, Problem
from fundus_plugins.data.mask_files import MaskSet

from .bootstrap import mean_interval
from .refuge import refuge_sensitivity, score_masks
from .screening import auc, screening_interval, sensitivity_at_specificity

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
            found[name] = screening_interval(statistic, labels, predicted, resamples=resamples)
        true = np.array([row["vcdr_true"] for row in labelled])
        known = np.isfinite(true)
        return found | {"auc_true_vcdr": screening_interval(auc, labels[known], true[known], resamples=resamples)}


def score_submission(truth: MaskSet, prediction: MaskSet, where: Mapping[str, object]) -> Submission:
    """Score predictions against true masks, photograph by photograph, matched by name.

    A prediction that is missing, unreadable or of another size than the truth counts as an empty mask (Dice 0,
    ratio 0) and is a problem. (The challenge's own script averages over the files that were handed in.) True masks
    that cannot be read, or without an annotated disc, are left out; so are predictions without a truth.

    Args:
        where: the paths of both, as "truth" and "prediction", for the problems' text.
    """
    rows, problems = [], [*prediction.problems]
    for stem in sorted(truth.masks):
        try:
            true_disc, true_cup = truth.masks[stem]()
        except BadInput as error:
            problems.append(error.problem)
            continue
        if true_disc is None or not true_disc.any():
            problems.append(Problem("no true disc", where["truth"], f"a disc for {stem}", "none: left out"))
            continue
        disc, cup, problem = _predicted(prediction, stem, true_disc.shape, where["prediction"])
        problems += [problem] if problem else []
        rows.append({"name": stem, "label": truth.labels.get(stem)} | score_masks(disc, cup, true_disc, true_cup))
    for stem in sorted(prediction.masks.keys() - truth.masks.keys()):
        problems.append(Problem("no truth", where["prediction"], f"a true mask named {stem}", "none: left out"))
    return Submission(rows, problems)


def as_json(metrics: Mapping[str, tuple[float, float, float]]) -> dict[str, float | None]:
    """Metrics as `<name>`, `<name>-low`, `<name>-high`; None for nan."""
    flat = {}
    for name, values in metrics.items():
        for suffix, value in zip(("", "-low", "-high"), values):
            flat[name + suffix] = value if math.isfinite(value) else None
    return flat


def _predicted(prediction: MaskSet, stem: str, shape: tuple[int, int], where) -> tuple:
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
    return (nothing if disc is None else disc), (nothing if cup is None else cup), None
