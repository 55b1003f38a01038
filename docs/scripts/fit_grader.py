"""Fits fundus_plugins/weights/grader.json, and measures what it is worth.

    python docs/scripts/fit_grader.py "output/grading_crop/RF-Net's_trunk/seed0" \\
        gamma=gamma_run/predictions.csv:gamma/grades.csv odir=odir_run/predictions.csv:odir/grades.csv \\
        > docs/results/grading/grader.md

First comes a run of `fundus compare-grading` in folds (tables/grading_crop.yaml), then, of each set, a table of
`fundus predict` and the sheet of grades.

Two logistic regressions, one for each threshold, on what both say of a photograph: measures of the nerve head, and the
log odds of a network (configs/grader.yaml) that was not trained on the photograph. Every grade weighs the same. Five
folds by patient, stratified by grade, five times; 95 % bootstrap intervals over photographs.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score, confusion_matrix, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate

from fundus_plugins.files import atomic_write
from fundus_plugins.measures.bootstrap import stratified_draws
from fundus_plugins.measures.grading import calibration_error
from fundus_plugins.measures.screening import sensitivity_at_specificity
from fundus_plugins.prediction.grading import CLIP, FILE
from fundus_plugins.provenance import command_line, current_commit

GRADES = ("normal", "suspicious", "glaucoma")
NAMES = {"normal": 0, "early": 1, "suspicious": 1, "glaucoma": 2, "mid_advanced": 2}
MEASURES = ("vcdr", "acdr", "rim_inferior", "rim_superior", "rim_narrowest")
TIMES, FOLDS, RESAMPLES = 5, 5, 1000
SPECIFICITIES = (0.85, 0.95)


def read(word: str, network: dict[str, list[float]]) -> list[dict]:
    """The photographs of a set that were measured, that have a grade, and of which the network said something."""
    name, _, paths = word.partition("=")
    table, sheet = paths.split(":")
    with open(sheet, newline="", encoding="utf-8") as file:
        said = {Path(row["file"]).stem: row for row in csv.DictReader(file) if row["grade"] in NAMES}
    rows = []
    with open(table, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            stem = Path(row["path"]).stem
            if stem not in said or row["status"] != "measured" or f"{name}_{stem}" not in network:
                continue
            values = [float(row[x]) for x in MEASURES]
            patient = f"{name}_{said[stem].get('patient') or stem}"
            grade = NAMES[said[stem]["grade"]]
            rows.append({"set": name, "patient": patient, "grade": grade, "measures": values})
            rows[-1]["network"] = network[f"{name}_{stem}"]
    return rows


def read_network(folder: Path) -> dict[str, list[float]]:
    """<set>_<stem of a photograph> -> log odds of each threshold, by the model that did not see it."""
    found = {}
    for path in sorted(folder.glob("fold*/evaluation/*_test_grading_images.csv")):
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                odds = [float(row[f"p_above_{grade}"]) for grade in GRADES[:-1]]
                place = Path(row["file_name"])
                found[
                    place.stem
                    if "_" in place.stem and place.parent.name == "raw"
                    else f"{place.parent.name}_{place.stem}"
                ] = [
                    float(np.clip(np.log(p / (1 - p)) if 0 < p < 1 else np.sign(p - 0.5) * CLIP, -CLIP, CLIP))
                    for p in odds
                ]
    return found


def model() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))


def fit(values: np.ndarray, grades: np.ndarray, threshold: int) -> Pipeline:
    """One threshold's model; every grade weighs the same."""
    weights = (len(grades) / len(GRADES) / np.bincount(grades, minlength=len(GRADES)).clip(min=1))[grades]
    return model().fit(values, grades > threshold, logisticregression__sample_weight=weights)


def above(models: list[Pipeline], values: np.ndarray) -> np.ndarray:
    return np.array([x.predict_proba(values)[:, 1] for x in models]).T


def out_of_fold(values: np.ndarray, grades: np.ndarray, patients: np.ndarray) -> np.ndarray:
    total = np.zeros((len(grades), len(GRADES) - 1))
    for seed in range(TIMES):
        for fitted, test in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(
            values, grades, patients
        ):
            models = [fit(values[fitted], grades[fitted], k) for k in range(len(GRADES) - 1)]
            total[test] += above(models, values[test])
    return total / TIMES


def measures_of(grades: np.ndarray, p: np.ndarray) -> dict[str, float]:
    ends = grades != 1
    found = {
        "AUC, glaucoma against normal": roc_auc_score(grades[ends] > 1, p[ends, 0]),
        "AUC, suspicious against normal": roc_auc_score(grades[grades < 2] > 0, p[grades < 2, 0]),
        "AUC, glaucoma against suspicious": roc_auc_score(grades[grades > 0] > 1, p[grades > 0, 1]),
        "quadratic kappa": cohen_kappa_score(grades, (p > 0.5).sum(1), weights="quadratic"),
    }
    for x in SPECIFICITIES:
        name = f"sensitivity at {100 * x:.0f} % specificity, all above normal"
        found[name] = sensitivity_at_specificity((grades > 0).astype(int), p[:, 0], x)
    return found


def intervals(grades: np.ndarray, columns: dict[str, np.ndarray], reference: str) -> list[list[str]]:
    """A row for each measure: of every column value and interval, of all but the reference the paired difference."""
    drawn = stratified_draws(grades, RESAMPLES, np.random.default_rng(0))
    every = {name: [measures_of(grades[x], p[x]) for x in drawn] for name, p in columns.items()}
    lines = []
    for measure in every[reference][0]:
        line = [measure]
        base = np.array([x[measure] for x in every[reference]])
        for name in columns:
            values = np.array([x[measure] for x in every[name]])
            low, high = np.nanquantile(values[1:], (0.025, 0.975))
            line.append(f"{values[0]:.3f} ({low:.3f} to {high:.3f})")
            if name != reference:
                low, high = np.nanquantile((values - base)[1:], (0.025, 0.975))
                line.append(f"{(values - base)[0]:+.3f} ({low:+.3f} to {high:+.3f})")
        lines.append(line)
    return lines


def calibration(grades: np.ndarray, p: np.ndarray) -> list[list[str]]:
    """Of tenths of the probability of a grade above normal: its mean, and the share, every grade weighing the same."""
    weights = (1 / np.bincount(grades, minlength=3))[grades]
    places = np.clip((p[:, 0] * 10).astype(int), 0, 9)
    lines = []
    for x in range(10):
        inside = places == x
        if inside.any():
            mean, share = (np.average(v[inside], weights=weights[inside]) for v in (p[:, 0], grades > 0))
            lines.append([f"{x / 10:.1f} to {x / 10 + 0.1:.1f}", str(inside.sum()), f"{mean:.2f}", f"{share:.2f}"])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path)
    parser.add_argument("sets", nargs="+", metavar="NAME=TABLE:SHEET")
    parser.add_argument("--output", type=Path, default=FILE, help="for the regressions; default: the packaged file")
    chosen = parser.parse_args()
    network = read_network(chosen.network)
    rows = [row for word in chosen.sets for row in read(word, network)]
    grades, patients = (np.array([row[x] for row in rows]) for x in ("grade", "patient"))
    sets = np.array([row["set"] for row in rows])
    only_measures, only_network = (np.array([row[x] for row in rows]) for x in ("measures", "network"))
    both = np.hstack([only_measures, only_network])
    kinds = {"measures": only_measures, "network": only_network, "both": both}
    held_out = {name: out_of_fold(values, grades, patients) for name, values in kinds.items()}
    print("# The packaged grader\n")
    print(" ".join(str(__doc__).strip().split("\n\n")[3].split()) + "\n")
    heading = ["", "measures", "network", "network - measures", "both", "both - measures"]
    for name in dict.fromkeys(sets):
        here = sets == name
        counts = ", ".join(f"{n} {g}" for n, g in zip(np.bincount(grades[here], minlength=3), GRADES))
        print(f"## {name}\n\n{here.sum()} photographs: {counts}.\n")
        lines = intervals(grades[here], {k: p[here] for k, p in held_out.items()}, "measures")
        print(tabulate(lines, heading, tablefmt="github", disable_numparse=True))
        confusion = confusion_matrix(grades[here], (held_out["both"][here] > 0.5).sum(1), labels=range(3))
        print(
            "\n" + tabulate([[g, *x] for g, x in zip(GRADES, confusion)], ["truth \\ both", *GRADES], tablefmt="github")
        )
        p = held_out["both"][here]
        drawn = stratified_draws(grades[here], RESAMPLES, np.random.default_rng(0))
        means = np.array([[p[x][grades[here][x] == g, 0].mean() for g in range(3)] for x in drawn])
        low, high = np.quantile(means[1:], (0.025, 0.975), axis=0)
        text = "; ".join(f"{g} {m:.2f} ({a:.2f} to {b:.2f})" for g, m, a, b in zip(GRADES, means[0], low, high))
        order = (np.diff(means[1:]) > 0).all(1).mean()
        print(
            f"\nMean probability of a grade above normal: {text}; in this order in {100 * order:.1f} % of resamples.\n"
        )
    names = list(dict.fromkeys(sets))
    if len(names) > 1:
        print("## From one set to another\n\nThe regressions fitted on one, used on the other.\n")
        lines = []
        for a in names:
            for b in (x for x in names if x != a):
                p = above([fit(both[sets == a], grades[sets == a], k) for k in (0, 1)], both[sets == b])
                found = measures_of(grades[sets == b], p)
                lines.append([f"{a} to {b}", *(f"{found[x]:.3f}" for x in list(found)[:4])])
        print(tabulate(lines, ["", *list(found)[:4]], tablefmt="github", disable_numparse=True))
    weights = (1 / np.bincount(grades, minlength=3))[grades]
    print(
        "\n## Calibration\n\nOf all photographs, every grade weighing the same: "
        "the probability of a grade above normal, and the share.\n"
    )
    print(
        tabulate(
            calibration(grades, held_out["both"]),
            ["probability", "photographs", "mean", "share above normal"],
            tablefmt="github",
            disable_numparse=True,
        )
    )
    resampled = np.random.default_rng(0).choice(len(grades), 20000, p=weights / weights.sum())
    errors = [calibration_error((grades > k)[resampled], held_out["both"][resampled, k]) for k in (0, 1)]
    print(f"\nExpected calibration error: above normal {errors[0]:.3f}, above suspicious {errors[1]:.3f}.")
    normal = held_out["both"][grades == 0, 0]
    screening = {f"{100 * x:.0f}": round(float(np.quantile(normal, x)), 4) for x in SPECIFICITIES}
    print(
        "\n## Screening\n\nProbabilities of a grade above normal that so many of 100 normal eyes stay below: "
        + ", ".join(f"{k}: {v:.3f}" for k, v in screening.items())
        + ".\n"
    )
    fitted = [fit(both, grades, k) for k in (0, 1)]
    document = {
        "grades": GRADES,
        "measures": MEASURES,
        "thresholds": [
            {
                "mean": x[0].mean_.round(6).tolist(),
                "scale": x[0].scale_.round(6).tolist(),
                "weights": x[1].coef_[0].round(6).tolist(),
                "bias": round(float(x[1].intercept_[0]), 6),
            }
            for x in fitted
        ],
        "screening": screening,
        "photographs": {name: int((sets == name).sum()) for name in names},
        "commit": current_commit(),
    }
    with atomic_write(chosen.output) as file:
        json.dump(document, file, indent=1)
        file.write("\n")
    print(f"```bash\n{command_line()}\n```\n\nCommit {current_commit()}.")


if __name__ == "__main__":
    main()
