"""`fundus compare-grading`: the grading methods beside each other."""

import rich_click as click

from .options import (
    PATH,
    Command,
    LateChoice,
    Several,
    command_line,
    load_config,
    overrides_argument,
    pairs,
    report_failures,
)

METHODS = "fundus_plugins.experiments.grading_runs:METHODS"


@click.command(cls=Command)
@click.option("--train", required=True, help="registered grading set that fits the weights")
@click.option("--val", required=True, help="registered grading set that chooses the checkpoint")
@click.option("--test", required=True, help="registered grading set that is reported")
@click.option("--methods", cls=Several, type=LateChoice(METHODS), help="default: all four")
@click.option("--seeds", cls=Several, type=int, help="of training; default: 0")
@click.option("--output", required=True, type=PATH, help="a folder")
@overrides_argument
def command(train, val, test, methods, seeds, output, overrides):
    """Train and test the grading methods with several seeds, and put them in a table beside the paper's.

    The validation set alone chooses each run's weights. An interrupted comparison goes on where it stopped when the
    same command is given again. Writes a folder for each method and seed, grading.md, grading.json and, for the first
    seed, loss curves and confusion matrices.
    """
    from detectron2.utils.logger import setup_logger

    from fundus_plugins.data.registration import register_fundus_datasets, require_dataset
    from fundus_plugins.experiments import grading_runs

    overrides = pairs(overrides)
    load_config("ranking_cnn.yaml", overrides)  # their errors before anything is started
    for name in ("detectron2", "fundus_plugins"):
        setup_logger(str(output / "log.txt"), name=name)
    register_fundus_datasets()
    for name in (train, val, test):
        require_dataset(name)
    study = grading_runs.GradingStudy(train, val, test, output, overrides)
    failures: list[str] = []
    for results in grading_runs.run_all(study, methods or grading_runs.METHODS, seeds or (0,), failures):
        print(grading_runs.write_comparison(study, results, command_line()))
    return report_failures(failures)
