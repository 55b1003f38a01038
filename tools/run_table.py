#!/usr/bin/env python3
"""Run a table of experiments over k folds, resumably, and write its figures.

    python tools/run_table.py --table tables/table3_loss.yaml --dataset drishti_gs1_train --folds 5 \\
        --output output/tables [--seeds 0,1] [KEY VALUE ...]

Each row is trained on each fold by tools/train_net.py, in <output>/runs; tables with one --output share the runs they
have in common. Run the same command again after an interruption: what is finished is skipped, what is not goes on from
its last checkpoint. <output>/<table>.md and .json are written after every run.
Exit code: 0 every run is there, 1 something is missing or went wrong.
"""

import argparse
import shlex
import sys
from pathlib import Path

import fundus_plugins
from fundus_plugins import experiments
from fundus_plugins.experiments.runs import RunFailed

TRAINER = [sys.executable, str(Path(__file__).resolve().with_name("train_net.py"))]


def _integers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", required=True, type=Path, help="a YAML file such as those in tables/")
    parser.add_argument("--dataset", required=True, help="a registered set, such as drishti_gs1_train")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--fold-seed", type=int, default=0, help="which photographs share a fold")
    parser.add_argument("--seeds", type=_integers, default=[0], help="of training, such as 0,1; each repeats all folds")
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs over every row's config")
    args = parser.parse_args()

    fundus_plugins.register_fundus_datasets()
    try:
        table = experiments.read_table(args.table)
        runs = experiments.plan_runs(
            table,
            dataset=args.dataset,
            folds=args.folds,
            fold_seed=args.fold_seed,
            seeds=args.seeds,
            output=args.output,
            options=args.opts,
        )
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    results, failures = [], []
    for number, run in enumerate(runs, start=1):
        name = f"[{number}/{len(runs)}] {run.row}, seed {run.seed}, fold {run.fold}"
        print(f"{name}: {run.folder}", flush=True)
        try:
            result, done = experiments.execute(run, TRAINER)
        except RunFailed as error:  # one failed run must not cost the others
            failures.append(str(error))
            continue
        print(f"{name}: {'done' if done else 'was there'}", flush=True)
        results.append(result)
        command = shlex.join(["python", *sys.argv])
        report = experiments.report_table(
            table, results, dataset=args.dataset, folds=args.folds, seeds=args.seeds, command=command
        )
        experiments.write_report(report, args.output, args.table.stem)
    if results:
        print(f"{len(results)} of {len(runs)} runs -> {args.output / args.table.stem}.md")
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
