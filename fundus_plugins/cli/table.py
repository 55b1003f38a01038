"""`fundus table`: experiments over folds."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import rich_click as click

from fundus_plugins.provenance import command_line

from .options import PATH, dataset_option, overrides_argument, pairs, report_failures
from .ray_option import RayCommand, ray_option

if TYPE_CHECKING:
    from fundus_plugins.experiments.runs import Run, RunFailed

TRAINER = [sys.executable, "-m", "fundus_plugins", "train"]


class _Integers(click.ParamType):
    name = "N,N,..."

    def convert(self, value, param, ctx):
        if isinstance(value, list):
            return value
        try:
            return [int(part) for part in value.split(",")]
        except ValueError:
            self.fail(f"expected whole numbers such as 0,1, found {value!r}", param, ctx)


@click.command(cls=RayCommand)
@click.option("--table", "path", required=True, type=PATH, help="a YAML file such as those in tables/")
@dataset_option("a registered set, such as drishti_gs1_train; a table that names its sets wants none")
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    help="default: 5; a table that names its sets holds out a whole set at a time by default",
)
@click.option("--fold-seed", type=int, default=0, show_default=True, help="which photographs share a fold")
@click.option("--seeds", type=_Integers(), default="0", show_default=True, help="of training; each repeats all folds")
@click.option("--output", required=True, type=PATH, help="a folder for runs and figures")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="runs side by side on this machine")
@ray_option("runs side by side on Ray: of this machine; auto: the one that it is part of; or a head's host:port")
@click.option(
    "--cpus", type=click.IntRange(1), default=1, show_default=True, help="of a run with --ray, which are threads"
)
@overrides_argument
def command(path, dataset, folds, fold_seed, seeds, output, jobs, ray, cpus, overrides):
    """Train every row of a table on every fold, resumably, and write its figures.

    Tables with one --output share the runs they have in common. Run the same command again after an interruption:
    what is finished is skipped, what is not goes on from its last checkpoint. The figures, .md and .json in --output,
    are written after every run.

    A table may name sets, or groups of sets, as `held_out`, and sets as `always`: each of the first is then left out
    of its rows' DATASETS.TRAIN in turn and measured, or with --folds a part of each set at once; the others are
    measured every time.
    """
    from fundus_plugins.data.registration import register_fundus_datasets
    from fundus_plugins.experiments.held_out import folds_of_each, without_each
    from fundus_plugins.experiments.held_out_report import held_out_markdown, report_held_out
    from fundus_plugins.experiments.report import report_table, to_markdown, write_report
    from fundus_plugins.experiments.runs import RunFailed
    from fundus_plugins.experiments.table import plan_held_out, plan_runs, read_table

    register_fundus_datasets()
    table = read_table(path)
    if bool(dataset) == bool(table.held_out):
        raise click.UsageError(f"either --dataset or a table that names its sets as held_out, {path}")
    if ray and jobs > 1:
        raise click.UsageError("--jobs is without Ray, which does as many runs at a time as there are processors for")
    common = {"seeds": seeds, "output": output, "options": pairs(overrides)}
    if table.held_out:
        cuts = (
            folds_of_each(table.held_out, table.always, folds, fold_seed)
            if folds
            else without_each(table.held_out, table.always)
        )
        runs = plan_held_out(table, cuts, **common)
    else:
        folds = folds or 5
        runs = plan_runs(table, dataset=dataset, folds=folds, fold_seed=fold_seed, **common)
    names = [f"{x.row}, seed {x.seed}, {x.held_out or f'fold {x.fold}'}" for x in runs]
    names = [f"[{number}/{len(runs)}] {name}" for number, name in enumerate(names, start=1)]
    found: dict[int, dict] = {}
    failures = []
    if ray:
        outcomes = on_ray(runs, names, ray, cpus)
    else:
        outcomes = in_processes(runs, names, jobs) if jobs > 1 else one_by_one(runs, names)
    for place, outcome in outcomes:
        if isinstance(outcome, RunFailed):  # which must not cost the others
            failures.append(str(outcome))
            continue
        found[place], done = outcome
        print(f"{names[place]}: {'done' if done else 'was there'}", flush=True)
        results = [found[x] for x in sorted(found)]
        if table.held_out:
            report = report_held_out(table, results, seeds=seeds, command=command_line(), options=common["options"])
            text = held_out_markdown(report)
        else:
            report = report_table(table, results, dataset=dataset, folds=folds, seeds=seeds, command=command_line())
            text = to_markdown(report)
        write_report(report, text, output, path.stem)
    if found:
        print(f"{len(found)} of {len(runs)} runs -> {output / path.stem}.md")
    return report_failures(failures)


Outcomes = Iterator[tuple[int, "tuple[dict, bool] | RunFailed"]]  # by the run's place


def one_by_one(runs: "Sequence[Run]", names: Sequence[str]) -> Outcomes:
    """Do the runs in this process, in their order."""
    from fundus_plugins.experiments.runs import attempt

    for place, run in enumerate(runs):
        print(f"{names[place]}: {run.folder}", flush=True)
        yield place, attempt(run, TRAINER)


def in_processes(runs: "Sequence[Run]", names: Sequence[str], jobs: int) -> Outcomes:
    """Do the runs in processes of this machine, `jobs` at a time."""
    from fundus_plugins.experiments.in_processes import each_in_processes
    from fundus_plugins.experiments.runs import attempt

    for name, run in zip(names, runs):
        print(f"{name}: {run.folder}", flush=True)
    yield from each_in_processes(attempt, runs, TRAINER, jobs=jobs)


def on_ray(runs: "Sequence[Run]", names: Sequence[str], address: str, cpus: int) -> Outcomes:
    """Do the runs on Ray, as many at a time as there are processors for."""
    from fundus_plugins.experiments.on_ray import each_on_ray
    from fundus_plugins.experiments.runs import attempt

    for name, run in zip(names, runs):
        print(f"{name}: {run.folder}", flush=True)
    yield from each_on_ray(attempt, runs, TRAINER, address=address, cpus=cpus)
