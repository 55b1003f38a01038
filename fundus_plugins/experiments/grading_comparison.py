"""Several grading methods over several seeds on the same photographs, beside the paper's Table 1."""

import csv
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import rankdata
from tabulate import tabulate

from fundus_plugins.measures.bootstrap import stratified_draws
from fundus_plugins.measures.grading import kappa_of_confusion

# Table 1 of the paper, in per cent, on 199 photographs of its own.
PAPER = {
    "2sranking_cnn": {"acc": 96.46, "sp": 96.00, "se_suspicious": 97.56, "se_glaucoma": 95.18},
    "ranking_cnn": {"acc": 86.87, "sp": 80.00, "se_suspicious": 82.93, "se_glaucoma": 93.98},
    "softmax_cnn": {"acc": 85.86, "sp": 84.00, "se_suspicious": 73.17, "se_glaucoma": 92.77},
}


@dataclass(frozen=True)
class GradedRuns:
    """What one method said of N photographs, R times.

    truth: (N,) int; predicted: (R, N) int; scores: (R, N, K), one grade's score for each of K grades.
    """

    truth: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray


def read_runs(paths: list[list[Path]], grades: list[str]) -> GradedRuns:
    """The runs whose `GradingEvaluator` wrote these `<dataset>_images.csv`; of a run in folds one of each fold.

    Raises ValueError if they are not of the same photographs and grades.
    """
    runs: list[list[dict[str, str]]] = []
    for files in paths:
        runs.append([])
        for path in files:
            with open(path, newline="", encoding="utf-8") as file:
                runs[-1] += csv.DictReader(file)
        keys = ("image_id", "file_name", "truth")
        if [[row[key] for key in keys] for row in runs[-1]] != [[row[key] for key in keys] for row in runs[0]]:
            raise ValueError(f"{files[0]}: expected the photographs and grades of {paths[0][0]}, found others")
    return GradedRuns(
        truth=np.array([grades.index(row["truth"]) for row in runs[0]]),
        predicted=np.array([[grades.index(row["predicted"]) for row in run] for run in runs]),
        scores=np.array([[[float(row[f"score_{grade}"]) for grade in grades] for row in run] for run in runs]),
    )


def resampled_measures(runs: GradedRuns, grades: list[str], *, resamples: int = 2000, seed: int = 0) -> dict:
    """Measure -> (1 + resamples,), means of R runs: `acc`, `sp`, `se_<grade>`, `kappa`, and two AUC of the last grade.

    `auc_<grade>` tells it from all others, `auc_ends` from the first alone.

    The first is of all photographs and runs as they are. The others are of photographs drawn with replacement within
    their true grade, and of runs drawn with replacement; methods with the same photographs and the same number of runs
    get the same draws, so that their differences are paired. A grade without photographs has no measure.
    """
    rng = np.random.default_rng(seed)
    drawn = stratified_draws(runs.truth, resamples, rng)
    which = np.tile(np.arange(len(runs.predicted)), (1 + resamples, 1))
    which[1:] = rng.integers(len(runs.predicted), size=(resamples, len(runs.predicted)))

    per_run: dict[str, list[np.ndarray]] = {}
    for predicted, scores in zip(runs.predicted, runs.scores, strict=True):
        for name, values in _measures(runs.truth, predicted[drawn], scores[drawn, -1], grades).items():
            per_run.setdefault(name, []).append(values)
    return {name: np.take_along_axis(np.stack(v, axis=1), which, axis=1).mean(1) for name, v in per_run.items()}


def _measures(truth: np.ndarray, predicted: np.ndarray, score: np.ndarray, grades: list[str]) -> dict:
    """Of one run: truth (N,), predictions and the last grade's scores (B, N); every measure (B,)."""
    correct = predicted == truth
    measures = {"acc": correct.mean(1)}
    for index, grade in enumerate(grades):
        if (truth == index).any():
            measures["sp" if index == 0 else f"se_{grade}"] = correct[:, truth == index].mean(1)
    ours, theirs = (np.eye(len(grades))[x] for x in (predicted, truth))
    measures["kappa"] = kappa_of_confusion(np.einsum("nt,bnp->btp", theirs, ours))
    sick = truth == len(grades) - 1
    well = truth == 0
    for name, others in ((f"auc_{grades[-1]}", ~sick), ("auc_ends", well)):
        if sick.any() and others.any():
            measures[name] = _auc(score[:, sick], score[:, others])
    return measures


def _auc(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each row of scores, (B, P) and (B, M); ties count half."""
    number = positives.shape[1]
    ranks = rankdata(np.concatenate([positives, negatives], axis=1), axis=1)[:, :number].sum(1)
    return (ranks - number * (number + 1) / 2) / (number * negatives.shape[1])


def compare(methods: dict[str, GradedRuns], grades: list[str], reference: str = "") -> dict:
    """`methods`: method -> measure -> mean, 95 % interval and every run's value; `differences`: the same of every pair.

    Pairs are of methods with the same number of runs, the later minus the earlier; with a `reference`, every other
    method minus that one. Raises ValueError if the methods were not given the same photographs.
    """
    first = next(iter(methods.values()))
    for method, runs in methods.items():
        if not np.array_equal(runs.truth, first.truth):
            raise ValueError(
                f"{method}: expected the {len(first.truth)} photographs of the other methods, found others"
            )
    resampled = {method: resampled_measures(runs, grades) for method, runs in methods.items()}
    table = {method: {name: _interval(v) for name, v in found.items()} for method, found in resampled.items()}
    for method, runs in methods.items():
        for name in table[method]:
            single = _measures(runs.truth, runs.predicted, runs.scores[..., -1], grades)
            table[method][name]["runs"] = single[name].tolist()
    differences = {}
    every = itertools.combinations(methods, 2)
    pairs = [(reference, x) for x in methods if x != reference] if reference in methods else list(every)
    for earlier, later in pairs:
        if len(methods[earlier].predicted) == len(methods[later].predicted):
            pair = {name: _interval(resampled[later][name] - resampled[earlier][name]) for name in resampled[earlier]}
            differences[f"{later} - {earlier}"] = pair
    return {"methods": table, "differences": differences}


def _interval(values: np.ndarray) -> dict[str, float]:
    low, high = np.nanquantile(values[1:], (0.025, 0.975))
    return {"mean": float(values[0]), "low": float(low), "high": float(high)}


def comparison_markdown(comparison: dict, title: str, photographs: int) -> str:
    """`compare` as Markdown, with the paper's figures for the same measures, where the grades are the paper's."""
    columns = list(next(iter(comparison["methods"].values())))
    as_in_paper = [x for x in columns if x.startswith("se_")] == ["se_suspicious", "se_glaucoma"]
    lines = []
    for method, measures in comparison["methods"].items():
        lines.append([method, str(len(measures["acc"]["runs"])), *(_cell(x, measures[x]) for x in columns)])
    if as_in_paper:
        for method, figures in PAPER.items():
            lines.append(
                [f"{method}, the paper's", "", *(f"{figures[x]:.2f}" if x in figures else "" for x in columns)]
            )
    body = tabulate(lines, headers=("method", "runs", *columns), tablefmt="github", disable_numparse=True)
    pairs = [[name, *(_cell(x, found[x], "+") for x in columns)] for name, found in comparison["differences"].items()]
    notes = (
        f"{photographs} photographs; acc, sp and se in per cent. Means of the runs (seeds); 95 % intervals over "
        "photographs and runs, both drawn with replacement (of a single run, over photographs alone). Differences are "
        "paired."
    )
    if as_in_paper:
        notes += "\nThe paper's figures are for 199 photographs of its own, which are not public: no like for like."
    text = f"# {title}\n\n{body}\n\n{notes}\n"
    if pairs:
        text += (
            "\n" + tabulate(pairs, headers=("difference", *columns), tablefmt="github", disable_numparse=True) + "\n"
        )
    return text


def _cell(name: str, found: dict, sign: str = "") -> str:
    scale, digits = (1, 3) if name.startswith(("kappa", "auc")) else (100, 1)
    mean, low, high = (f"{found[x] * scale:{sign}.{digits}f}" for x in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"
