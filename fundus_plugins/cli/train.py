"""`fundus train`: Detectron2's trainer on one of our models; `--eval-only` evaluates."""

import argparse
import logging
import os
from collections.abc import Sequence

import rich_click as click
from click.core import ParameterSource

from .options import Command, config_option, load_config, overrides_argument, pairs

LOUD = ("detectron2.engine.train_loop",)  # loggers that show a traceback of an error which is told in one line anyway


@click.command(cls=Command)
@config_option()
@click.option(
    "--from-run", metavar="FOLDER", help="do the run in this folder again, in another OUTPUT_DIR, and compare"
)
@click.option("--resume", is_flag=True, help="go on from the last checkpoint in OUTPUT_DIR, if there is one")
@click.option(
    "--overwrite", is_flag=True, help="begin anew: checkpoints and metrics of a run in OUTPUT_DIR are removed"
)
@click.option("--eval-only", is_flag=True, help="evaluate MODEL.WEIGHTS on DATASETS.TEST, train nothing")
@click.option(
    "--num-gpus", type=click.IntRange(min=0), default=1, show_default=True, help="on each machine, a process each"
)
@click.option("--num-processes", type=click.IntRange(min=1), help="on each machine, on the CPU, instead of GPUs")
@click.option("--num-machines", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--machine-rank", type=click.IntRange(min=0), default=0, show_default=True, help="of this machine")
@click.option("--dist-url", default="auto", show_default=True, help="where the machines meet: tcp://HOST:PORT")
@overrides_argument
@click.pass_context
def command(ctx, config_file, from_run, resume, overwrite, eval_only, overrides, **several):
    """Train or evaluate a model.

    Everything is Detectron2's: OUTPUT_DIR gets checkpoints, metrics.json and TensorBoard's events. The weights with the
    best validation TEST.BEST_METRIC are kept as model_best.pth. KEY VALUE pairs override the config.

    Several processes share each batch, SOLVER.IMS_PER_BATCH. torchrun may start them, too.
    """
    if resume and overwrite:
        raise click.UsageError("--resume goes on with a run, --overwrite removes it: give one of them")
    if bool(config_file) == bool(from_run):
        raise click.UsageError("give --config-file or --from-run, one of them")
    if from_run and eval_only:
        raise click.UsageError("--from-run trains; evaluate with --config-file and its config.yaml")
    overrides = pairs(overrides)
    if from_run:
        from fundus_plugins.engine.run_record import recorded_cfg

        cfg = recorded_cfg(from_run, overrides)
    else:
        from fundus_plugins.model_zoo import find_config_file

        config_file = find_config_file(config_file)
        cfg = load_config(config_file, overrides)  # its errors in one line, before any process is started

    from fundus_plugins.engine.processes import by_torchrun, joined, launch

    given = [name for name in several if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT]
    on_cpu = several["num_processes"] is not None or cfg.MODEL.DEVICE == "cpu"
    if several["num_processes"]:
        _refuse_gpus(given, overrides)
        overrides += ["MODEL.DEVICE", "cpu"]
    args = argparse.Namespace(
        config_file=config_file or "",  # which default_setup shows
        from_run=from_run,
        resume=resume,
        overwrite=overwrite,
        eval_only=eval_only,
        opts=overrides,
    )
    if by_torchrun():
        if given:
            option = f"--{given[0].replace('_', '-')}"
            raise click.UsageError(f"{option}: torchrun has started the processes, and says how many there are")
        with joined(on_cpu):
            train_or_evaluate(args)
        return
    processes = several["num_processes"] or several["num_gpus"]
    _refuse_numbers(processes, on_cpu, several)
    machines, rank, url = (several[name] for name in ("num_machines", "machine_rank", "dist_url"))
    launch(
        train_or_evaluate, (args,), processes=processes, on_cpu=on_cpu, machines=machines, machine_rank=rank, url=url
    )


def _refuse_gpus(given: Sequence[str], overrides: Sequence[str]) -> None:
    if "num_gpus" in given:
        raise click.UsageError("--num-processes is for the CPU, --num-gpus for GPUs: give one of them")
    device = dict(zip(overrides[::2], overrides[1::2])).get("MODEL.DEVICE", "cpu")
    if device != "cpu":
        raise click.UsageError(f"--num-processes is for the CPU: expected MODEL.DEVICE cpu, found {device}")


def _refuse_numbers(processes: int, on_cpu: bool, several: dict) -> None:
    """Raise UsageError for more GPUs than there are, and machines that could not meet."""
    import torch

    if several["num_processes"] is None and processes > 1:
        if processes > torch.cuda.device_count():
            raise click.UsageError(
                f"--num-gpus {processes}: this machine has {torch.cuda.device_count()}; --num-processes {processes} "
                "works on the CPU"
            )
        if on_cpu:
            raise click.UsageError(f"--num-gpus {processes} with MODEL.DEVICE cpu: did you mean --num-processes?")
    machines, rank = several["num_machines"], several["machine_rank"]
    if rank >= machines:
        raise click.UsageError(f"--machine-rank {rank}: expected 0 to {machines - 1}, for --num-machines {machines}")
    if machines > 1 and several["dist_url"] == "auto":
        raise click.UsageError(f"--num-machines {machines}: expected --dist-url tcp://HOST:PORT, where they meet")


def train_or_evaluate(args: argparse.Namespace) -> None:
    """What every process does; `args` has config_file or from_run, resume, overwrite, eval_only and opts."""
    from detectron2.engine import default_setup
    from detectron2.modeling import GeneralizedRCNNWithTTA
    from detectron2.utils import comm
    from detectron2.utils.logger import setup_logger

    from fundus_plugins.config import get_fundus_cfg, without_weights
    from fundus_plugins.data.registration import register_fundus_datasets, require_dataset
    from fundus_plugins.engine.before import check_data
    from fundus_plugins.engine.run_record import recorded_cfg
    from fundus_plugins.engine.train import refuse_folder, train
    from fundus_plugins.engine.trainer import FundusTrainer
    from fundus_plugins.weights.loading import load_trained_weights

    cfg = recorded_cfg(args.from_run, args.opts) if args.from_run else get_fundus_cfg(args.config_file, args.opts)
    register_fundus_datasets(categories=cfg.DATASETS.CATEGORIES)
    for name in cfg.DATASETS.TEST if args.eval_only else cfg.DATASETS.TRAIN + cfg.DATASETS.TEST:
        require_dataset(name, cfg.DATASETS.CATEGORIES)
    cfg.freeze()
    if not args.eval_only and comm.is_main_process():
        refuse_folder(cfg, args.resume, args.overwrite)  # before the set-up writes config.yaml there
    comm.synchronize()
    default_setup(cfg, args)
    setup_logger(cfg.OUTPUT_DIR, distributed_rank=comm.get_rank(), name="fundus_plugins")
    if not args.eval_only:
        logging.raiseExceptions = False  # a log that cannot be written is no reason for a traceback a line
        for name in LOUD:
            logging.getLogger(name).addFilter(_without_traceback)
        train(cfg, resume=args.resume, overwrite=args.overwrite, again=args.from_run)
        return
    check_data(cfg, cfg.DATASETS.TEST)
    model = FundusTrainer.build_model(without_weights(cfg))
    load_trained_weights(model, cfg.MODEL.WEIGHTS)
    if cfg.TEST.AUG.ENABLED:
        cfg.defrost()
        cfg.TEST.DETECTIONS_PER_IMAGE *= 2  # it counts a disc and its cup, and would drop the cup
        model = GeneralizedRCNNWithTTA(cfg, model)
    FundusTrainer.test(cfg, model)


def _without_traceback(record: logging.LogRecord) -> bool:
    if not os.environ.get("FUNDUS_TRACEBACK"):
        record.exc_info = record.exc_text = None
    return True
