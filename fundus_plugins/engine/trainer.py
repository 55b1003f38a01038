"""FundusTrainer: Detectron2's DefaultTrainer with our data, evaluator, best checkpoint and CPU precision."""

import logging
import os
import warnings
import weakref
from collections.abc import Sequence

import torch
from detectron2.data import (
    DatasetCatalog,
    build_detection_test_loader,
    build_detection_train_loader,
    get_detection_dataset_dicts,
)
from detectron2.data.build import filter_images_with_only_crowd_annotations
from detectron2.engine import AMPTrainer, DefaultTrainer, HookBase, SimpleTrainer, hooks
from detectron2.evaluation import DatasetEvaluators
from detectron2.utils import comm
from detectron2.utils.logger import setup_logger

from fundus_plugins.data.annotations import CUP, DISC, parse_categories
from fundus_plugins.data.detected_discs import check_detected
from fundus_plugins.data.grading_mapper import GradingMapper
from fundus_plugins.data.mapper import DiscCropMapper, build_fundus_mapper
from fundus_plugins.data.registration import disc_cup_dataset, disc_cup_structures, read_grading_set
from fundus_plugins.data.shares import share_factors
from fundus_plugins.engine.autocast import CPUAutocastTrainer
from fundus_plugins.engine.checkpoint import FundusCheckpointer, checkpoints
from fundus_plugins.engine.failures import told
from fundus_plugins.engine.hooks import BestCheckpointer, LossCurves, MakeUpForEvaluation, SaveBeforeEvaluation
from fundus_plugins.engine.layout import channels_last
from fundus_plugins.engine.memory import keep_freed_memory
from fundus_plugins.engine.optimizer import build_optimizer
from fundus_plugins.engine.order import ContinueOrder, KnownBatches, WholeBatches, training_sampler
from fundus_plugins.engine.precision import resolve_precision
from fundus_plugins.engine.processes import data_parallel
from fundus_plugins.engine.schedule import in_iterations, is_grading, training_stages
from fundus_plugins.engine.statistics import AverageStatistics
from fundus_plugins.evaluation import DiscCupEvaluator, GradingEvaluator, RefugeMaskWriter

_log = logging.getLogger(__name__)


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
        for name in cfg.DATASETS.TRAIN + cfg.DATASETS.TEST:  # not at the first evaluation, which may be an hour away
            _require_categories(cfg, name)
        if cfg.MODEL.DEVICE == "cpu":
            keep_freed_memory(of_any_size=True)
        # Not DefaultTrainer's: it takes a trainer for CUDA alone, and gives a model on the CPU a GPU to be spread over.
        super(DefaultTrainer, self).__init__()
        if not logging.getLogger("detectron2").isEnabledFor(logging.INFO):
            setup_logger()
        self.cfg = cfg = self.auto_scale_workers(in_iterations(cfg), comm.get_world_size())
        model = self.build_model(cfg)
        optimizer = self.build_optimizer(cfg, model)
        batches = self.build_train_loader(cfg)
        model = data_parallel(model)
        self._trainer = _steps(cfg, model, batches, optimizer)
        self.scheduler = self.build_lr_scheduler(cfg, optimizer)
        self.checkpointer = FundusCheckpointer(model, cfg.OUTPUT_DIR, trainer=weakref.proxy(self))
        self.max_iter = cfg.SOLVER.MAX_ITER
        self._judges: list[HookBase] = []
        self.register_hooks(self.build_hooks())

    def state_dict(self) -> dict:
        # After the last step Detectron2 counts one further, and a checkpoint saved there would skip one when resumed.
        return super().state_dict() | {"iteration": min(self.iter, self.max_iter - 1)}

    def after_train(self):
        if self.iter < self.max_iter:  # an error; in the last step Detectron2 would evaluate all the same
            self._hooks = [hook for hook in self._hooks if hook not in self._judges]
        super().after_train()

    def run_step(self):
        batches = self._trainer.data_loader
        with told(self.iter, batches, self.cfg.OUTPUT_DIR):
            super().run_step()

    @classmethod
    def build_model(cls, cfg):
        model = super().build_model(cfg)
        return channels_last(model) if cfg.MODEL.CHANNELS_LAST else model

    @classmethod
    def build_optimizer(cls, cfg, model):
        return build_optimizer(cfg, model)

    @classmethod
    def build_train_loader(cls, cfg):
        _refuse_proposal_files(cfg)
        if is_grading(cfg):
            records = get_detection_dataset_dicts(cfg.DATASETS.TRAIN, cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS)
            mapper, sampler = GradingMapper(cfg, is_train=True), training_sampler(cfg, records)
        else:
            # Detectron2's own list wants sets whose categories have the same numbers.
            records = disc_cup_dataset(cfg.DATASETS.TRAIN, parse_categories(cfg.DATASETS.CATEGORIES))
            if cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS:
                records = filter_images_with_only_crowd_annotations(records)
            # Where a cup alone was drawn, the disc is not known; without a row it would be learned as none.
            records = [x for x in records if not x["annotations"] or _shows(x, DISC)]
            _require_cups(cfg, records)
            mapper = build_fundus_mapper(cfg, is_train=True, structures=(DISC, CUP))
            factors = share_factors(records, cfg.DATASETS.TRAIN, cfg.DATASETS.SHARES)
            seed = cfg.SEED if factors is not None and cfg.SEED >= 0 else None
            sampler = training_sampler(cfg, records, factors, seed)
        loader = build_detection_train_loader(
            cfg,
            mapper=mapper,
            dataset=records,
            sampler=sampler,
            aspect_ratio_grouping=False,  # the sampler's, which can be resumed
        )
        return KnownBatches(loader, sampler)

    @classmethod
    def build_test_loader(cls, cfg, dataset_name):
        _refuse_proposal_files(cfg)
        if is_grading(cfg):
            mapper = GradingMapper(cfg, is_train=False, dataset_name=dataset_name)
            batch = cfg.SOLVER.IMS_PER_BATCH
            sampler = WholeBatches(len(DatasetCatalog.get(dataset_name)), batch)
            return build_detection_test_loader(cfg, dataset_name, mapper=mapper, batch_size=batch, sampler=sampler)
        structures = disc_cup_structures(dataset_name, parse_categories(cfg.DATASETS.CATEGORIES))
        mapper = build_fundus_mapper(cfg, is_train=False, structures=structures)
        if isinstance(mapper, DiscCropMapper) and mapper.discs is not None:
            check_detected(mapper.discs, DatasetCatalog.get(dataset_name))
        return build_detection_test_loader(cfg, dataset_name, mapper=mapper)

    @classmethod
    def build_evaluator(cls, cfg, dataset_name):
        folder = os.path.join(cfg.OUTPUT_DIR, "evaluation")
        if is_grading(cfg):
            return GradingEvaluator(dataset_name, cfg.MODEL.GRADING.GRADES, folder, cfg.TEST.INTERVALS)
        evaluator = DiscCupEvaluator(dataset_name, folder, cfg.DATASETS.CATEGORIES)
        if not cfg.TEST.SAVE_MASKS:
            return evaluator
        masks = os.path.join(cfg.OUTPUT_DIR, "masks", dataset_name)
        photographs = [record["file_name"] for record in DatasetCatalog.get(dataset_name)]
        return DatasetEvaluators([evaluator, RefugeMaskWriter(masks, cfg.TEST.SAVE_MASKS, photographs)])

    def build_hooks(self):
        every = super().build_hooks()
        judged: list[HookBase] = []
        if comm.is_main_process() and self.cfg.DATASETS.TEST and self.cfg.TEST.EVAL_PERIOD > 0:
            # With several sets Detectron2 puts the set's name before the metric.
            prefix = f"{self.cfg.DATASETS.TEST[0]}/" if len(self.cfg.DATASETS.TEST) > 1 else ""
            metric = prefix + self.cfg.TEST.BEST_METRIC
            best = BestCheckpointer(self.cfg.TEST.EVAL_PERIOD, self.checkpointer, metric, self.cfg.TEST.BEST_IS_LOWEST)
            judged.append(best)
            if is_grading(self.cfg):
                judged.append(LossCurves(self.cfg.OUTPUT_DIR, self.cfg.TEST.EVAL_PERIOD, f"{prefix}grading/loss"))
        # The checkpoint comes last, with what the evaluation said; one that nobody has judged yet comes before it.
        savers = [hook for hook in every if isinstance(hook, hooks.PeriodicCheckpointer)]
        every = [hook for hook in every if hook not in savers]
        place = next(i for i, hook in enumerate(every) if isinstance(hook, hooks.EvalHook))
        self._judges = judges = [every[place], *judged, *savers]
        period = self.cfg.TEST.EVAL_PERIOD if self.cfg.DATASETS.TEST else 0
        before = SaveBeforeEvaluation(period, self.checkpointer)
        every[place : place + 1] = [AverageStatistics(), before, *judges, MakeUpForEvaluation(before, judges)]
        every.insert(0, ContinueOrder(self._trainer.data_loader.sampler, self.cfg.SOLVER.IMS_PER_BATCH))
        if comm.is_main_process() and self.cfg.SOLVER.EPOCHS > 0:
            for hook in every:
                if isinstance(hook, hooks.PeriodicCheckpointer):
                    there = checkpoints(self.cfg.OUTPUT_DIR)  # of a run that is resumed
                    hook.recent_checkpoints = [str(x) for x in there if x.stem[-1].isdigit()]
                    hook.max_to_keep = 2  # all would fill the disk; one might be damaged
        return every


def _steps(cfg, model, batches, optimizer) -> SimpleTrainer:
    """What makes the steps, in the precision that the config asks for."""
    if not cfg.SOLVER.AMP.ENABLED:
        return SimpleTrainer(model, batches, optimizer)
    precision = resolve_precision(cfg.SOLVER.AMP.PRECISION, cfg.MODEL.DEVICE)
    if torch.device(cfg.MODEL.DEVICE).type == "cpu":
        return CPUAutocastTrainer(model, batches, optimizer, precision)
    # Of Detectron2's own calls; told at every step, since reading a picture makes Python forget what it has told.
    warnings.filterwarnings("ignore", r"`torch\.cuda\.amp\.", FutureWarning)
    return AMPTrainer(model, batches, optimizer, precision=precision)


def _require_categories(cfg, name: str) -> None:
    """Raise ValueError where a data set's categories are not what this model learns."""
    if not is_grading(cfg):
        disc_cup_structures(name, parse_categories(cfg.DATASETS.CATEGORIES))
        return
    records, names = read_grading_set(name)
    used = {x["category_id"] for record in records for x in record.get("annotations", ())}
    unknown = [names[x] if x < len(names) else str(x) for x in sorted(used)]
    unknown = [x for x in unknown if x not in cfg.MODEL.GRADING.GRADES]
    if unknown:
        expected = ", ".join(cfg.MODEL.GRADING.GRADES)
        raise ValueError(f"data set {name}: expected the grades {expected} (MODEL.GRADING.GRADES), found {unknown[0]}")


def _require_cups(cfg, records: Sequence[dict]) -> None:
    """Raise ValueError where a model is to outline cups and nobody has drawn one: it would outline anything."""
    heads = cfg.MODEL.META_ARCHITECTURE == "GeneralizedRCNN" and cfg.MODEL.ROI_HEADS.NAME == "RFNetROIHeads"
    rfnet = heads and cfg.MODEL.MASK_ON and "cup" in cfg.MODEL.RFNET.CLASSES
    if not rfnet and cfg.MODEL.META_ARCHITECTURE != "DiscCupSegmentor":
        return
    if not any(_shows(record, CUP) for record in records):
        what = "the disc alone is learned by RF-Net with MODEL.RFNET.CLASSES ['disc'] and MODEL.ROI_HEADS.NUM_CLASSES 1"
        raise ValueError(f"{', '.join(cfg.DATASETS.TRAIN)}: no cup is annotated; {what}")


def _shows(record: dict, structure: int) -> bool:
    return any(x["category_id"] == structure for x in record["annotations"])


def _refuse_proposal_files(cfg) -> None:
    if cfg.MODEL.LOAD_PROPOSALS:
        raise ValueError(
            "MODEL.LOAD_PROPOSALS: proposal files are pickles, which can run any code, and no model here reads them"
        )
