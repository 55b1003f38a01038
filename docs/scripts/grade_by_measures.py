"""How far the measures of the nerve head alone grade: the baseline that every deep model must beat.

    fundus predict odir/photographs --output odir_run --write csv
    python docs/scripts/grade_by_measures.py odir=odir_run/predictions.csv:odir/grades.csv \\
        gamma=gamma_run/predictions.csv:gamma/grades.csv > docs/results/grading/measures.md

Logistic regressions. grades.csv has the columns file and grade, and patient where there are several photographs of one.
Five folds by patient, stratified by grade, five times; a photograph's probabilities are the means of the five times.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate

from fundus_plugins.measures.bootstrap import statistic_interval
from fundus_plugins.provenance import current_commit

GRADES = {"normal": 0, "early": 1, "suspicious": 1, "glaucoma": 2, "mid_advanced": 2}
NUMBERS = (
    "vcdr", "hcdr", "acdr", "rim_inferior", "rim_superior", "rim_left", "rim_right", "rim_narrowest", "disc_tilt",
)  # fmt: skip
SETS = {"vCDR": ("vcdr",), "all measures": (*NUMBERS, "disc_size"), "all measures, and gradability": ()}
TIMES, FOLDS = 5, 5


def read(table: Path, grades: Path) -> tuple[list[dict], int]:
    """Rows that were measured and have a grade; and how many that have one were not measured."""
    with open(grades, newline="", encoding="utf-8") as file:
        said = {Path(row["file"]).name: row for row in csv.DictReader(file) if row["grade"] in GRADES}
    rows, left = [], 0
    with open(table, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = Path(row["path"]).name
            if name not in said:
                continue
            if row["status"] != "measured":
                left += 1
                continue
            values = {x: float(row[x]) for x in (*NUMBERS, "gradability")}
            values["disc_size"] = float(row["disc_height"]) / float(row["height"])
            patient = said[name].get("patient") or name
            rows.append({"grade": GRADES[said[name]["grade"]], "patient": patient, **values})
    return rows, left


def out_of_fold(rows: list[dict], names: tuple[str, ...], grades: tuple[int, ...]) -> np.ndarray:
    """Probabilities of `grades`, (N, len(grades)), of all rows, by models that saw neither them nor their patients.

    The models are fitted on rows with these grades alone.
    """
    values = np.array([[row[x] for x in names] for row in rows])
    truth = np.array([row["grade"] for row in rows])
    patients = np.array([row["patient"] for row in rows])
    total = np.zeros((len(rows), len(grades)))
    for seed in range(TIMES):
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(values, truth, patients)
        for fit, test in folds:
            fit = fit[np.isin(truth[fit], grades)]
            total[test] += model().fit(values[fit], truth[fit]).predict_proba(values[test])
    return total / TIMES


def model() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))


def across(source: list[dict], target: list[dict], names: tuple[str, ...]) -> list[str]:
    """Of models fitted on one set and used on another: AUC, glaucoma against normal, and quadratic kappa."""
    (x, truth), (other, wanted) = (
        (np.array([[row[name] for name in names] for row in rows]), np.array([row["grade"] for row in rows]))
        for rows in (source, target)
    )
    ends, wanted_ends = truth != 1, wanted != 1
    score = model().fit(x[ends], truth[ends]).predict_proba(other[wanted_ends])[:, 1]
    first = statistic_interval(auc, (wanted[wanted_ends] > 1).astype(int), score, resamples=1000)
    second = statistic_interval(kappa, wanted, model().fit(x, truth).predict(other), resamples=1000)
    return ["{:.3f} ({:.3f} to {:.3f})".format(*x) for x in (first, second)]


def kappa(truth: np.ndarray, found: np.ndarray) -> float:
    return float(cohen_kappa_score(truth, found, weights="quadratic"))


def auc(truth: np.ndarray, score: np.ndarray) -> float:
    return float(roc_auc_score(truth, score)) if 0 < truth.mean() < 1 else float("nan")


def main() -> None:
    print("""# Grades by the measures of the nerve head alone

Logistic regressions with balanced classes on what `fundus predict` measures (packaged weights; disc size: height
over the picture's). Five folds by patient, five times; 95 % bootstrap intervals over photographs. Early glaucoma and
suspicious eyes are "between".""")
    every: dict[str, list[dict]] = {}
    for word in sys.argv[1:]:
        name, _, paths = word.partition("=")
        rows, left = read(*map(Path, paths.split(":")))
        every[name] = rows
        truth = np.array([row["grade"] for row in rows])
        counts = ", ".join(f"{(truth == g).sum()} {x}" for x, g in (("normal", 0), ("between", 1), ("glaucoma", 2)))
        print(
            f"\n## {name}\n\n{len(rows)} photographs: {counts}; {left} more could not be measured and are left out.\n"
        )
        table = []
        for text, names in SETS.items():
            names = names or (*NUMBERS, "disc_size", "gradability")
            two = out_of_fold(rows, names, (0, 2))[:, 1]
            ends, lower, upper = truth != 1, truth < 2, truth > 0
            cells = [
                statistic_interval(auc, (truth[some] > least).astype(int), two[some], resamples=1000)
                for some, least in ((ends, 1), (lower, 0), (upper, 1))
            ]
            three = out_of_fold(rows, names, (0, 1, 2)).argmax(axis=1)
            quadratic = statistic_interval(kappa, truth, three, resamples=1000)
            table.append([text, *("{:.3f} ({:.3f} to {:.3f})".format(*x) for x in (*cells, quadratic))])
        heading = [
            "",
            "AUC, glaucoma against normal",
            "between against normal",
            "glaucoma against between",
            "quadratic kappa",
        ]
        print(tabulate(table, heading, tablefmt="github", disable_numparse=True))
    if len(every) > 1:
        print(
            "\n## From one set to another\n\n"
            "Fitted on all of one set, used on another, of whose grades nothing was learned.\n"
        )
        rows = [
            [f"{text}: {a} to {b}", *across(every[a], every[b], names)]
            for text, names in SETS.items()
            for a in every
            for b in every
            if names and a != b
        ]
        heading = ["", "AUC, glaucoma against normal", "quadratic kappa"]
        print(tabulate(rows, heading, tablefmt="github", disable_numparse=True))
    words = " ".join(sys.argv[1:])
    print(f"\n```bash\npython docs/scripts/grade_by_measures.py {words}\n```\n\nCommit {current_commit()}.")


if __name__ == "__main__":
    main()
