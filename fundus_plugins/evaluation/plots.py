"""Pictures of numbers: losses, confusion matrices (the paper's Figures 4 and 3), ROC curves, reliability."""

import io
import json
import os

import numpy as np
from matplotlib.figure import Figure
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import ConfusionMatrixDisplay, RocCurveDisplay

from fundus_plugins.files import atomic_write


def read_curve(path: str | os.PathLike) -> list[dict]:
    """The rows of a `loss_curves.json`, which the hook LossCurves writes."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def draw_loss_curves(curves: dict[str, list[dict]], path: str | os.PathLike) -> None:
    """Write a PNG with a panel for each named curve: training and validation loss over iterations, on one scale."""
    figure = Figure(figsize=(4.5 * len(curves), 3.5), layout="constrained")
    panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for panel, (name, rows) in zip(panels, curves.items()):
        for key, label in (("train_loss", "training"), ("val_loss", "validation")):
            panel.plot([row["iteration"] for row in rows], [row[key] for row in rows], label=label, marker=".")
        panel.set(title=name, xlabel="iteration")
    panels[0].set(ylabel="loss", ylim=(0, None))  # the panels share it; set once all are drawn
    panels[0].legend()
    _save(figure, path)


def draw_confusion(confusion: np.ndarray, grades: list[str], path: str | os.PathLike, title: str = "") -> None:
    """Write a PNG of a confusion matrix, rows true grades, shaded by the share of each row, numbers photographs."""
    figure = Figure(figsize=(4.5, 4), layout="constrained")
    panel = figure.subplots()
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    display = ConfusionMatrixDisplay(shares, display_labels=grades)
    display.plot(ax=panel, cmap="Blues", im_kw={"vmin": 0, "vmax": 1}, include_values=False)
    for (row, column), number in np.ndenumerate(confusion):
        color = "white" if shares[row, column] > 0.5 else "black"
        panel.text(column, row, str(int(number)), ha="center", va="center", color=color)
    panel.set(title=title, xlabel="predicted", ylabel="truth")
    _save(figure, path)


def draw_roc(truth: np.ndarray, above: np.ndarray, grades: list[str], path: str | os.PathLike) -> None:
    """Write a PNG with the ROC curve of each threshold that the photographs lie on both sides of.

    Args:
        truth: (N,) int grades.
        above: (N, K - 1), probabilities of a grade above each of the first K - 1.
        grades: the K names.
    """
    figure = Figure(figsize=(4.5, 4), layout="constrained")
    panel = figure.subplots()
    for number, name in _thresholds(truth, grades):
        RocCurveDisplay.from_predictions(truth > number, above[:, number], ax=panel, name=f"above {name}")
    panel.plot([0, 1], [0, 1], ":", color="grey")
    panel.set(xlabel="1 - specificity", ylabel="sensitivity")
    _save(figure, path)


def draw_reliability(truth: np.ndarray, above: np.ndarray, grades: list[str], path: str | os.PathLike) -> None:
    """Write a PNG of the share of photographs above each threshold over its probability, in ten bins; as `draw_roc`."""
    figure = Figure(figsize=(4.5, 4), layout="constrained")
    panel = figure.subplots()
    for number, name in _thresholds(truth, grades):
        CalibrationDisplay.from_predictions(
            truth > number, above[:, number], n_bins=10, ax=panel, name=f"above {name}", ref_line=False
        )
    panel.plot([0, 1], [0, 1], ":", color="grey")
    panel.set(xlabel="probability", ylabel="share")
    _save(figure, path)


def _thresholds(truth: np.ndarray, grades: list[str]) -> list[tuple[int, str]]:
    return [(k, name) for k, name in enumerate(grades[:-1]) if 0 < (truth > k).mean() < 1]


def _save(figure: Figure, path: str | os.PathLike) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    with atomic_write(path, "wb") as file:
        file.write(buffer.getvalue())
