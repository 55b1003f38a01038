"""`fundus robustness`: trained models on photographs as they are and as other cameras would have taken them."""

import csv
import os

import rich_click as click

from .options import (
    Command,
    LateChoice,
    Several,
    dataset_option,
    load_config,
    load_release,
    overrides_argument,
    pairs,
)

ALTERATIONS = LateChoice("fundus_plugins.experiments.alterations:NAMES")


@click.command(cls=Command)
@click.option("--runs", required=True, cls=Several, help="folders with config.yaml and weights, or released files")
@dataset_option("a registered set; default: each run's own test set")
@click.option("--unaltered", is_flag=True, help="the photographs as they are, nothing else")
@click.option("--alterations", cls=Several, type=ALTERATIONS, help="which; default: all")
@click.option("--reference", metavar="FILE.csv", help="of this command, to be compared with")
@click.option("--output", required=True, help="path without suffix; .csv and .md are written")
@overrides_argument
def command(runs, dataset, unaltered, alterations, reference, output, overrides):
    """Measure trained RF-Nets on photographs as they are, and as other cameras would have taken them.

    Each run is a folder of `fundus train`, whose model_final.pth is tried on its own test set or on --dataset; or a
    file of `fundus release`, which wants --dataset. Runs of cross-validation thus see every photograph once, by a
    model that was not trained on it; several runs on one photograph are averaged.
    """
    from fundus_plugins.data.registration import register_fundus_datasets, require_dataset
    from fundus_plugins.experiments.alterations import alterations_named
    from fundus_plugins.experiments.robustness import measure, read_rows
    from fundus_plugins.experiments.robustness_report import robustness_markdown
    from fundus_plugins.files import atomic_write
    from fundus_plugins.prediction.predictor import FundusPredictor
    from fundus_plugins.provenance import command_line, current_commit

    overrides = pairs(overrides)
    register_fundus_datasets()
    others = read_rows(reference) if reference else []
    chosen = [] if unaltered else alterations_named(alterations)
    rows: list[dict] = []
    for run in runs:
        if run.endswith(".safetensors"):
            cfg = load_release(run, overrides)
        elif not os.path.isfile(os.path.join(run, "config.yaml")):
            raise click.UsageError(f"{run} is no run: there is no config.yaml in it")
        else:
            weights = ["MODEL.WEIGHTS", os.path.join(run, "model_final.pth")]
            cfg = load_config(os.path.join(run, "config.yaml"), [*weights, *overrides])
        name = dataset or next(iter(cfg.DATASETS.TEST), None)
        if name is None:
            raise click.UsageError(f"{run} has no test set; name one with --dataset")
        require_dataset(name)
        found = measure(FundusPredictor(cfg), name, chosen)
        rows += [{"run": os.path.basename(run.rstrip("/"))} | row for row in found]
    if not rows:
        raise ValueError("no photograph has an annotated disc")
    with atomic_write(f"{output}.csv") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    text = robustness_markdown(rows, others, reference or "")
    text += f"\n\nCommit {current_commit()}:\n\n    {command_line()}\n"
    with atomic_write(f"{output}.md") as file:
        file.write(text)
    print(text)
