"""Pictures of numbers: training and validation loss, and confusion matrices (the paper's Figures 4 and 3)."""

import io
import json
import os

import numpy as np
from detectron2.engine import HookBase
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay

from fundus_plugins.files import atomic_write


class LossCurves(HookBase):
    """After every evaluation, adds a row to `loss_curves.json` and draws `loss_curves.png` anew.

    A row has `iteration` (done so far), `train_loss` (mean since the row before; None if unknown) and `val_loss`. A
    resumed run keeps the rows of the iterations that it does not repeat.

    Args:
        output_dir: a folder.
        eval_period: as of the EvalHook, which comes before this hook.
        metric: the validation loss's name in the event storage.
    """

    def __init__(self, output_dir: str, eval_period: int, metric: str):
        self.path = os.path.join(output_dir, "loss_curves")
        self.eval_period = eval_period
        self.metric = metric
        self.rows: list[dict] = []

    def before_train(self) -> None:
        if self.trainer.start_iter and os.path.isfile(f"{self.path}.json"):
            self.rows = [row for row in read_curve(f"{self.path}.json") if row["iteration"] <= self.trainer.start_iter]

    def after_step(self) -> None:
        done = self.trainer.iter + 1
        if done % self.eval_period == 0 and done != self.trainer.max_iter:
            self._add(done)

    def after_train(self) -> None:
        if self.trainer.iter + 1 >= self.trainer.max_iter:
            self._add(self.trainer.max_iter)

    def _add(self, done: int) -> None:
        last = self.rows[-1]["iteration"] if self.rows else 0
        history = self.trainer.storage.histories().get("total_loss")
        losses = [value for value, iteration in history.values() if iteration >= last] if history else []
        if not losses and last == done:  # a finished run, resumed: nothing is new
            return
        value = float(self.trainer.storage.latest()[self.metric][0])
        # No losses: the run was interrupted after its last step, and its training loss with it.
        mean = float(np.mean(losses)) if losses else None
        self.rows.append({"iteration": done, "train_loss": mean, "val_loss": value})
        with atomic_write(f"{self.path}.json") as file:
            json.dump(self.rows, file, indent=1)
        draw_loss_curves({"": self.rows}, f"{self.path}.png")


def read_curve(path: str | os.PathLike) -> list[dict]:
    """The rows that `LossCurves` wrote."""
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
        panel.text(column, row, int(number), ha="center", va="center", color=color)
    panel.set(title=title, xlabel="predicted", ylabel="truth")
    _save(figure, path)


def _save(figure: Figure, path: str | os.PathLike) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    with atomic_write(path, "wb") as file:
        file.write(buffer.getvalue())
