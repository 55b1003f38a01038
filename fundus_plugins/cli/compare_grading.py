"""`fundus compare-grading`: the grading methods beside each other."""

from pathlib import Path

import rich_click as click

from fundus_plugins.provenance import command_line

from .options import (
    PATH,
    Command,
    LateChoice,
    Several,
    load_config,
    overrides_argument,
    pairs,
    report_failures,
)

METHODS = "fundus_plugins.experiments.grading_runs:METHODS"


@click.command(cls=Command)
@click.option("--train", help="registered grading set that fits the weights")
@click.option("--val", help="registered grading set that chooses the checkpoint")
@click.option("--test", help="registered grading set that is reported")
@click.option("--data", help="instead of these three: a grading set to be cut into folds, patients whole")
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True, help="of --data")
@click.option("--fold-seed", type=int, default=0, show_default=True, help="of who is in which fold, and of --at-most")
@click.option(
    "--at-most", cls=Several, metavar="GRADE=N", help="of --data, no more photographs of a grade than this, drawn once"
)
@click.option("--with-disc", is_flag=True, help="of --data, only photographs in which fundus find-discs found a disc")
@click.option("--methods", cls=Several, type=LateChoice(METHODS), help="default: all four")
@click.option("--table", type=PATH, metavar="FILE.yaml", help="instead of --methods: rows of configs and keys")
@click.option("--seeds", cls=Several, type=int, help="of training; default: 0")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="processes that train side by side")
@click.option("--output", required=True, type=PATH, help="a folder")
@overrides_argument
def command(
    train, val, test, data, folds, fold_seed, at_most, with_disc, methods, table, seeds, jobs, output, overrides
):
    """Train and test the grading methods with several seeds, and put them in a table beside the paper's.

    Validation photographs alone choose each run's weights; in folds each photograph is tested once. An interrupted
    comparison goes on where it stopped when the same command is given again. Writes a folder for each run, grading.md,
    grading.json and, for the first seed, loss curves and confusion matrices.
    """
    if bool(data) == any((train, val, test)) or not data and not all((train, val, test)):
        raise click.UsageError("expected either --data, or --train, --val and --test")
    from detectron2.utils.logger import setup_logger

    from fundus_plugins.data.registration import register_fundus_datasets, require_dataset
    from fundus_plugins.experiments import grading_runs
    from fundus_plugins.experiments.table import Row, Table, read_table
    from fundus_plugins.model_zoo import get_config_file

    overrides = pairs(overrides)
    load_config("ranking_cnn.yaml", overrides)  # their errors before anything is started
    for name in ("detectron2", "fundus_plugins"):
        setup_logger(str(output / "log.txt"), name=name)
    register_fundus_datasets()
    if data:
        splits = fold_sets(data, folds, fold_seed, with_disc, at_most_of(at_most))
    else:
        splits = [grading_runs.Split(train, val, test)]
    for split in splits:
        for name in (split.train, split.val, split.test):
            require_dataset(name)
    if table:
        read = read_table(table)
    else:
        rows = [Row(x, get_config_file(x), {}, {}) for x in methods or grading_runs.METHODS]
        read = Table("Grading", "", "", rows)
    study = grading_runs.GradingStudy(
        f"{read.title}: {data or test}", read.rows, splits, output, read.options(overrides), read.reference
    )
    failures: list[str] = []
    text, about, written = "", {"splits": [vars(split) for split in splits]}, None
    for results in grading_runs.run_all(study, seeds or (0,), failures, jobs):
        there = {method: tuple(found) for method, found in results.items()}
        if there and there != written:
            text, written = grading_runs.write_comparison(study, results, command_line(), about), there
    print(text)
    return report_failures(failures)


def at_most_of(words: tuple[str, ...]) -> dict[str, int]:
    """Grade -> number of GRADE=N words. Raises UsageError for others."""
    found = {}
    for word in words:
        grade, _, number = word.rpartition("=")
        if not grade or not number.isdigit():
            raise click.UsageError(f"--at-most: expected GRADE=N such as normal=400, found {word!r}")
        found[grade] = int(number)
    return found


def fold_sets(name: str, folds: int, seed: int, with_disc: bool, at_most: dict[str, int]) -> list:
    """The splits of a registered grading set into folds, whose files are written and registered."""
    from detectron2.data import MetadataCatalog

    from fundus_plugins.data.folds import write_grading_folds
    from fundus_plugins.data.registration import part_name, register_fundus_datasets, require_dataset
    from fundus_plugins.experiments.grading_runs import Split

    require_dataset(name)
    source = Path(MetadataCatalog.get(name).json_file)
    cut = write_grading_folds(source, folds, seed, with_disc=with_disc, at_most=at_most)
    register_fundus_datasets()
    return [Split(*(part_name(name, path) for path in paths)) for paths in cut]
