"""Hooks: the best weights, curves of the loss, and evaluations that cost no training, however they end."""

import json
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from detectron2.checkpoint import Checkpointer
from detectron2.engine import HookBase

from fundus_plugins.engine.checkpoint import FINAL, is_whole
from fundus_plugins.evaluation.plots import draw_loss_curves, read_curve
from fundus_plugins.files import atomic_write

_PICTURE_SECONDS = 10  # a picture takes longer than a short epoch on a GPU


class BestCheckpointer(HookBase):
    """Keeps the weights of the best evaluation as `model_best.pth`, and remembers its value when a run is resumed.

    Detectron2's hook of that name forgets it, and its first evaluation after a resume overwrites the best weights.

    Args:
        eval_period: as of the EvalHook, which comes before this hook.
        checkpointer: saves the weights, with the trainer's state.
        metric: name in the event storage; nan is never best.
        lowest: whether lower is better; else higher is.
    """

    def __init__(self, eval_period: int, checkpointer: Checkpointer, metric: str, lowest: bool = False):
        self.eval_period = eval_period
        self.checkpointer = checkpointer
        self.metric = metric
        self.lowest = lowest
        self.best_metric = float("inf" if lowest else "-inf")

    def before_train(self) -> None:
        """Of best weights that a resumed run no longer has, it forgets how good they were."""
        path = os.path.join(self.checkpointer.save_dir, "model_best.pth")
        if np.isfinite(self.best_metric) and not is_whole(path):
            logging.getLogger(__name__).warning(f"{path} is gone or damaged: the next evaluation's weights replace it")
            self.best_metric = float("inf" if self.lowest else "-inf")

    def after_step(self) -> None:
        finished = self.trainer.iter + 1
        if finished % self.eval_period == 0 and finished != self.trainer.max_iter:
            self._keep_if_best()

    def after_train(self) -> None:
        if self.trainer.iter + 1 >= self.trainer.max_iter:
            self._keep_if_best()

    def _keep_if_best(self) -> None:
        value, iteration = self.trainer.storage.latest().get(self.metric, (None, None))
        if value is None:
            raise KeyError(f"TEST.BEST_METRIC: the evaluation gives no {self.metric}")
        if np.isnan(value):
            logging.getLogger(__name__).warning(f"{self.metric} is not a number: no weights are kept as the best")
        if value < self.best_metric if self.lowest else value > self.best_metric:
            self.best_metric = float(value)  # before saving, so that the checkpoint knows it
            # The last evaluation comes after the last step, when the storage counts on.
            self.checkpointer.save("model_best", iteration=min(iteration, self.trainer.max_iter - 1))

    def state_dict(self) -> dict:
        return {"best_metric": self.best_metric}

    def load_state_dict(self, state: dict) -> None:
        self.best_metric = state["best_metric"]


class LossCurves(HookBase):
    """After every evaluation, adds a row to `loss_curves.json` and, if the picture is some seconds old, draws it anew.

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
        self._drawn = 0.0  # when

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
        if done >= self.trainer.max_iter or time.monotonic() - self._drawn > _PICTURE_SECONDS:
            draw_loss_curves({"": self.rows}, f"{self.path}.png")
            self._drawn = time.monotonic()


class SaveBeforeEvaluation(HookBase):
    """Saves `model_before_evaluation.pth` before each evaluation; before the last it sees to a whole `model_final.pth`.

    It comes before the EvalHook, whose `eval_period` it has; `MakeUpForEvaluation` is its other half.
    """

    NAME = "model_before_evaluation"

    def __init__(self, eval_period: int, checkpointer: Checkpointer):
        self.eval_period = eval_period
        self.checkpointer = checkpointer
        self.pending = False  # as the checkpoint has it: its iteration is still to be evaluated

    def after_step(self) -> None:
        done = self.trainer.iter + 1
        if self.eval_period > 0 and done % self.eval_period == 0 and done != self.trainer.max_iter:
            self.pending = True
            self.checkpointer.save(self.NAME, iteration=self.trainer.iter)
            self.pending = False

    def after_train(self) -> None:
        finished = self.trainer.iter >= self.trainer.max_iter
        # A run that was killed after its last step has no step left that would write it.
        if finished and self.checkpointer.save_to_disk:
            if not is_whole(os.path.join(self.checkpointer.save_dir, f"{FINAL}.pth")):
                self.checkpointer.save(FINAL, iteration=self.trainer.max_iter - 1)

    def state_dict(self) -> dict:
        return {"pending": self.pending}

    def load_state_dict(self, state: dict) -> None:
        self.pending = state["pending"]


class MakeUpForEvaluation(HookBase):
    """Before a resumed run goes on, evaluates what `SaveBeforeEvaluation` saved and nobody judged any more.

    Args:
        saved: has read the checkpoint.
        judges: the EvalHook and those after it that a step of training would call, in their order.
    """

    def __init__(self, saved: SaveBeforeEvaluation, judges: Sequence[HookBase]):
        self.saved = saved
        self.judges = judges

    def before_train(self) -> None:
        pending, self.saved.pending = self.saved.pending, False
        if not pending:
            return
        start = self.trainer.start_iter
        try:  # as in the step after which it was due
            self.trainer.iter = self.trainer.storage.iter = start - 1
            for hook in self.judges:
                hook.after_step()
        finally:
            self.trainer.iter = self.trainer.storage.iter = start

    def after_train(self) -> None:
        checkpointer = self.saved.checkpointer
        if self.trainer.iter >= self.trainer.max_iter and checkpointer.save_to_disk:
            Path(checkpointer.save_dir, f"{SaveBeforeEvaluation.NAME}.pth").unlink(missing_ok=True)
