"""`train`: a training from start to end."""

import logging
import os
import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from detectron2.utils import comm
from detectron2.utils.env import seed_all_rng

from fundus_plugins.engine.before import (
    check_batch,
    check_best_metric,
    check_data,
    check_goes_on,
    check_photographs,
    check_schedule,
    check_sources,
)
from fundus_plugins.engine.checkpoint import refuse_earlier_run, remove_earlier_run
from fundus_plugins.engine.run_record import (
    FILE,
    compare_metrics,
    describe,
    recorded_seed,
    refuse_other_data,
    write_start,
)
from fundus_plugins.engine.schedule import training_stages
from fundus_plugins.engine.trainer import FundusTrainer
from fundus_plugins.files import FolderLock, remove_leftovers

_log = logging.getLogger(__name__)


def refuse_folder(cfg, resume: bool = False, overwrite: bool = False) -> None:
    """Raise ValueError where `train` would refuse OUTPUT_DIR; nothing in it is changed."""
    for stage in training_stages(cfg):
        if os.path.isdir(stage.OUTPUT_DIR):
            with FolderLock(stage.OUTPUT_DIR):
                if not (resume or overwrite):
                    refuse_earlier_run([stage])


def train(cfg, resume: bool = False, overwrite: bool = False, again: str | None = None) -> None:
    """Train a model from start to end, a two-stage model's stages one after the other.

    With `resume`, go on where an interrupted run in OUTPUT_DIR stopped, in whichever stage that was; a stage that was
    trained to its end is evaluated once more, for it may have been interrupted there. Without it, a folder that holds
    checkpoints is refused, unless `overwrite` says that they may be removed, with the metrics beside them. With
    DATASETS.CHECK all photographs and masks are looked at first. No other training can use the folder meanwhile. What
    made the run is in OUTPUT_DIR's run.json; a SEED below 0 becomes a number there. `again` is the folder of an earlier
    run with which this one is compared.

    Raises FileNotFoundError, OSError, ValueError: what a config names is not there, cannot be fetched, makes no sense,
    or has errors in its data, or other data than the run that is done again; another run is in the folder.
    FloatingPointError: the loss is no longer finite.
    """
    cfg = _with_seed(cfg, resume)
    check_schedule(cfg)
    check_sources(cfg)
    names = [*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST]
    check_photographs(cfg, names)
    check_data(cfg, names)
    stages = training_stages(cfg)
    for stage in stages:
        check_batch(stage)
        check_best_metric(stage)
        for name in stage.DATASETS.TEST:
            FundusTrainer.build_evaluator(stage, name)  # these raise what they would at the first evaluation
            FundusTrainer.build_test_loader(stage, name)
    with ExitStack() as locks:
        if comm.is_main_process():
            for stage in stages:
                os.makedirs(stage.OUTPUT_DIR, exist_ok=True)
                locks.enter_context(FolderLock(stage.OUTPUT_DIR))
                remove_leftovers(Path(stage.OUTPUT_DIR), below=False)  # of a run that was killed while it wrote
            if resume:
                check_goes_on(cfg, stages)
            else:
                if not overwrite:
                    refuse_earlier_run(stages)
                remove_earlier_run(stages)
            start = describe(cfg)
            if again:
                _log.warning(f"{again} is done again. " + _told("Not as it was", refuse_other_data(again, start)))
            changed = write_start(cfg.OUTPUT_DIR, start, goes_on=resume)
            if changed:
                _log.warning(_told("Not as at the start before", changed))
        comm.synchronize()
        for stage in stages:
            if cfg.SEED >= 0:  # so that a stage is the same, whatever was resumed before it
                seed_all_rng(cfg.SEED + comm.get_rank())
            trainer = FundusTrainer(stage)
            trainer.resume_or_load(resume=resume)
            trainer.train()
            comm.synchronize()  # the next stage reads what the main process writes last
        if again and comm.is_main_process():
            for stage in stages:
                first = os.path.normpath(os.path.join(again, os.path.relpath(stage.OUTPUT_DIR, cfg.OUTPUT_DIR)))
                _log.info(f"{first} and {stage.OUTPUT_DIR}: {compare_metrics(first, stage.OUTPUT_DIR)}")


def _with_seed(cfg, resume: bool):
    """The same config, or a copy whose SEED is not negative: that of the run which goes on, or any."""
    if cfg.SEED >= 0:
        return cfg
    cfg = cfg.clone()
    cfg.defrost()
    record = Path(cfg.OUTPUT_DIR) / FILE
    seed = recorded_seed(cfg.OUTPUT_DIR) if resume and record.is_file() else secrets.randbelow(1 << 31)
    cfg.SEED = comm.all_gather(seed)[0]
    return cfg


def _told(what: str, lines: Sequence[str]) -> str:
    return f"{what}: {'; '.join(lines)}" if lines else "Everything is as it was"
