"""FundusTrainer: Detectron2's DefaultTrainer with our data, evaluator, best checkpoint and CPU precision."""

import os
import time
import weakref

import torch
from detectron2.checkpoint import Checkpointer, DetectionCheckpointer
from detectron2.data import build_detection_test_loader, build_detection_train_loader
from detectron2.engine import DefaultTrainer, SimpleTrainer, hooks
from detectron2.evaluation import DatasetEvaluators
from detectron2.solver.build import get_default_optimizer_params, maybe_add_gradient_clipping
from detectron2.utils import comm

from .data.grading_mapper import GradingMapper
from .data.mapper import build_fundus_mapper
from .evaluation import DiscCupEvaluator, GradingEvaluator, RefugeMaskWriter
from .evaluation.curves import LossCurves
from .precision import autocast, resolve_precision
from .schedule import forget_checkpoints, in_iterations, is_grading, training_stages
from .weights.loading import local_weights, read_weights


class CPUAutocastTrainer(SimpleTrainer):
    """SimpleTrainer whose forward pass autocasts to `precision` on the CPU; Detectron2's AMPTrainer wants CUDA."""

    def __init__(self, model, data_loader, optimizer, precision: torch.dtype = torch.bfloat16):
        super().__init__(model, data_loader, optimizer)
        self.precision = precision

    def run_step(self) -> None:
        assert self.model.training, "CPUAutocastTrainer: the model is in eval mode"
        start = time.perf_counter()
        data = next(self._data_loader_iter)
        data_time = time.perf_counter() - start
        with autocast(self.precision, "cpu"):
            losses = self.model(data)
        self.optimizer.zero_grad()
        sum(losses.values()).backward()
        self.after_backward()
        self._write_metrics(losses, data_time)
        self.optimizer.step()


class FundusCheckpointer(DetectionCheckpointer):
    """Detectron2's checkpointer, which neither unpickles nor fetches what a config or `last_checkpoint` names.

    Raises ValueError, FileNotFoundError or RuntimeError as `read_weights`.
    """

    def load(self, path, *args, **kwargs):
        return super().load(local_weights(path) if path else path, *args, **kwargs)

    def _load_file(self, filename):
        found = read_weights(filename)
        return found if "model" in found else {"model": found}


class BestCheckpointer(hooks.HookBase):
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
        if value < self.best_metric if self.lowest else value > self.best_metric:
            self.best_metric = float(value)  # before saving, so that the checkpoint knows it
            # The last evaluation comes after the last step, when the storage counts on.
            self.checkpointer.save("model_best", iteration=min(iteration, self.trainer.max_iter - 1))

    def state_dict(self) -> dict:
        return {"best_metric": self.best_metric}

    def load_state_dict(self, state: dict) -> None:
        self.best_metric = state["best_metric"]


class FundusTrainer(DefaultTrainer):
    """Trains and evaluates RF-Net, a detector of disc and cup as two classes, or a grading model, from a config.

    SOLVER.AMP.ENABLED works on a CPU too, in SOLVER.AMP.PRECISION. After every evaluation
    (TEST.EVAL_PERIOD) the weights with the best TEST.BEST_METRIC on the first TEST set are kept as `model_best.pth`.
    A two-stage model without a trained first stage is for `train`, which makes a trainer for each stage.

    Raises ValueError for such a model.
    """

    def __init__(self, cfg):
        if len(training_stages(cfg)) > 1:
            raise ValueError(
                "a two-stage model wants MODEL.GRADING.STAGE1_WEIGHTS here; fundus_plugins.train trains both stages"
            )
        super().__init__(in_iterations(cfg))
        cfg = self.cfg
        if not cfg.SOLVER.AMP.ENABLED:
            return
        precision = resolve_precision(cfg.SOLVER.AMP.PRECISION, cfg.MODEL.DEVICE)
        trainer = self._trainer
        if torch.device(cfg.MODEL.DEVICE).type == "cpu":
            # Made anew rather than chosen: DefaultTrainer knows only SimpleTrainer and the CUDA-only AMPTrainer.
            self._trainer = CPUAutocastTrainer(trainer.model, trainer.data_loader, trainer.optimizer, precision)
        else:
            trainer.precision = precision

    def state_dict(self) -> dict:
        # After the last step Detectron2 counts one further, and a checkpoint saved there would skip one when resumed.
        return super().state_dict() | {"iteration": min(self.iter, self.max_iter - 1)}

    @classmethod
    def build_model(cls, cfg):
        model = super().build_model(cfg)
        return model.to(memory_format=torch.channels_last) if cfg.MODEL.CHANNELS_LAST else model

    @classmethod
    def build_optimizer(cls, cfg, model):
        name = cfg.SOLVER.OPTIMIZER
        if name == "SGD":
            return super().build_optimizer(cfg, model)
        if name not in ("AdamW", "RMSprop"):
            raise ValueError(f"SOLVER.OPTIMIZER {name!r}: expected SGD, AdamW or RMSprop")
        parameters = get_default_optimizer_params(
            model,
            base_lr=cfg.SOLVER.BASE_LR,
            weight_decay_norm=cfg.SOLVER.WEIGHT_DECAY_NORM,
            bias_lr_factor=cfg.SOLVER.BIAS_LR_FACTOR,
            weight_decay_bias=cfg.SOLVER.WEIGHT_DECAY_BIAS,
        )
        options = {"lr": cfg.SOLVER.BASE_LR, "weight_decay": cfg.SOLVER.WEIGHT_DECAY}
        if name == "AdamW":
            optimizer = torch.optim.AdamW(parameters, **options)
        else:
            optimizer = torch.optim.RMSprop(parameters, alpha=0.9, eps=1e-7, **options)  # as in Keras, the paper's
        return maybe_add_gradient_clipping(cfg, optimizer)

    @classmethod
    def build_train_loader(cls, cfg):
        build = GradingMapper if is_grading(cfg) else build_fundus_mapper
        return build_detection_train_loader(cfg, mapper=build(cfg, is_train=True))

    @classmethod
    def build_test_loader(cls, cfg, dataset_name):
        if is_grading(cfg):
            mapper = GradingMapper(cfg, is_train=False, dataset_name=dataset_name)
            return build_detection_test_loader(cfg, dataset_name, mapper=mapper, batch_size=cfg.SOLVER.IMS_PER_BATCH)
        return build_detection_test_loader(cfg, dataset_name, mapper=build_fundus_mapper(cfg, is_train=False))

    @classmethod
    def build_evaluator(cls, cfg, dataset_name):
        folder = os.path.join(cfg.OUTPUT_DIR, "evaluation")
        if is_grading(cfg):
            return GradingEvaluator(dataset_name, cfg.MODEL.GRADING.GRADES, folder)
        evaluator = DiscCupEvaluator(dataset_name, folder)
        if not cfg.TEST.SAVE_MASKS:
            return evaluator
        masks = os.path.join(cfg.OUTPUT_DIR, "masks", dataset_name)
        return DatasetEvaluators([evaluator, RefugeMaskWriter(masks, cfg.TEST.SAVE_MASKS)])

    def build_hooks(self):
        # Here, for DefaultTrainer makes its checkpointer just before, and the hooks keep what they are given.
        self.checkpointer = FundusCheckpointer(
            self.checkpointer.model, self.cfg.OUTPUT_DIR, trainer=weakref.proxy(self)
        )
        every = super().build_hooks()
        if comm.is_main_process() and self.cfg.DATASETS.TEST and self.cfg.TEST.EVAL_PERIOD > 0:
            # With several sets Detectron2 puts the set's name before the metric.
            prefix = f"{self.cfg.DATASETS.TEST[0]}/" if len(self.cfg.DATASETS.TEST) > 1 else ""
            metric = prefix + self.cfg.TEST.BEST_METRIC
            best = BestCheckpointer(self.cfg.TEST.EVAL_PERIOD, self.checkpointer, metric, self.cfg.TEST.BEST_IS_LOWEST)
            judged = [best]
            if is_grading(self.cfg):
                judged.append(LossCurves(self.cfg.OUTPUT_DIR, self.cfg.TEST.EVAL_PERIOD, f"{prefix}grading/loss"))
            # The checkpoint comes last: a run killed while it evaluates goes back before what it has not judged.
            savers = [hook for hook in every if isinstance(hook, hooks.PeriodicCheckpointer)]
            every = [hook for hook in every if hook not in savers]
            after_evaluation = 1 + next(i for i, hook in enumerate(every) if isinstance(hook, hooks.EvalHook))
            every[after_evaluation:after_evaluation] = judged + savers
        if comm.is_main_process() and self.cfg.SOLVER.EPOCHS > 0:
            for hook in every:
                if isinstance(hook, hooks.PeriodicCheckpointer):
                    hook.max_to_keep = 1  # one every epoch would fill the disk; the best is kept beside it
        return every


def train(cfg, resume: bool = False) -> None:
    """Train a model from start to end, a two-stage model's stages one after the other.

    With `resume`, go on where an interrupted run in OUTPUT_DIR stopped, in whichever stage that was; a stage that was
    trained to its end is evaluated once more, for it may have been interrupted there.

    Raises FileNotFoundError, OSError, ValueError: what a config names is not there, cannot be fetched, makes no sense.
    """
    stages = training_stages(cfg)
    if not resume and comm.is_main_process():
        for stage in stages:
            forget_checkpoints(stage)
    comm.synchronize()
    for stage in stages:
        trainer = FundusTrainer(stage)
        trainer.resume_or_load(resume=resume)
        trainer.train()
        comm.synchronize()  # the next stage reads what the main process writes last
