"""`fundus table`: experiments over folds."""

import sys

import rich_click as click

from .options import PATH, Command, command_line, dataset_option, overrides_argument, pairs, report_failures

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


@click.command(cls=Command)
@click.option("--table", "path", required=True, type=PATH, help="a YAML file such as those in tables/")
@dataset_option("a registered set, such as drishti_gs1_train", required=True)
@click.option("--folds", type=click.IntRange(min=2), default=5, show_default=True)
@click.option("--fold-seed", type=int, default=0, show_default=True, help="which photographs share a fold")
@click.option("--seeds", type=_Integers(), default="0", show_default=True, help="of training; each repeats all folds")
@click.option("--output", required=True, type=PATH, help="a folder for runs and figures")
@overrides_argument
def command(path, dataset, folds, fold_seed, seeds, output, overrides):
    """Train every row of a table on every fold, resumably, and write its figures.

    Tables with one --output share the runs they have in common. Run the same command again after an interruption:
    what is finished is skipped, what is not goes on from its last checkpoint. The figures, .md and .json in --output,
    are written after every run.
    """
    from fundus_plugins.data.registration import register_fundus_datasets
    from fundus_plugins.experiments.report import report_table, write_report
    from fundus_plugins.experiments.runs import RunFailed, execute
    from fundus_plugins.experiments.table import plan_runs, read_table

    register_fundus_datasets()
    table = read_table(path)
    runs = plan_runs(
        table,
        dataset=dataset,
        folds=folds,
        fold_seed=fold_seed,
        seeds=seeds,
        output=output,
        options=pairs(overrides),
    )
    results, failures = [], []
    for number, run in enumerate(runs, start=1):
        name = f"[{number}/{len(runs)}] {run.row}, seed {run.seed}, fold {run.fold}"
        print(f"{name}: {run.folder}", flush=True)
        try:
            result, done = execute(run, TRAINER)
        except RunFailed as error:  # one failed run must not cost the others
            failures.append(str(error))
            continue
        print(f"{name}: {'done' if done else 'was there'}", flush=True)
        results.append(result)
        report = report_table(table, results, dataset=dataset, folds=folds, seeds=seeds, command=command_line())
        write_report(report, output, path.stem)
    if results:
        print(f"{len(results)} of {len(runs)} runs -> {output / path.stem}.md")
    return report_failures(failures)
