#!/usr/bin/env python3
"""Measure trained RF-Nets on photographs as they are, and as other cameras would have taken them.

    python tools/measure_robustness.py --runs output/tables/runs/rfnet/seed0/* --output output/robustness
    python tools/measure_robustness.py --runs rfnet.safetensors --dataset masked_test --unaltered --output ...

Each run is a folder of tools/train_net.py, whose model_final.pth is tried on its own test set, or on --dataset; or a
file of tools/release_weights.py, which wants --dataset. Runs of cross-validation thus see every photograph once, by a
model that was not trained on it; several runs on one photograph are averaged. Writes <output>.csv, a row a photograph
and alteration, and <output>.md; with --reference, such a .csv of other runs, also the differences to it, photograph by
photograph. Exit code: 0 all measured.
"""

import argparse
import csv
import math
import os
import shlex
import sys

from tabulate import tabulate

import fundus_plugins
from fundus_plugins.data.coco import require_dataset
from fundus_plugins.evaluation.alterations import ALTERATIONS
from fundus_plugins.evaluation.confidence import (
    SIGNALS,
    TRUTHS,
    cross_validated_flags,
    cross_validated_margin,
    rank_correlations,
    threshold_for,
)
from fundus_plugins.evaluation.robustness import METRICS, differences, measure, read_rows, summarise
from fundus_plugins.files import atomic_write
from fundus_plugins.provenance import current_commit

NAMES = [x.name for x in ALTERATIONS]
FLAGGED = 0.1  # part of the photographs that are flagged as the least certain


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--runs", required=True, nargs="+", help="folders with config.yaml and weights, or released files"
    )
    parser.add_argument("--dataset", help="a registered set; without it each run's own test set")
    parser.add_argument("--unaltered", action="store_true", help="the photographs as they are, nothing else")
    parser.add_argument("--alterations", nargs="+", choices=NAMES, default=NAMES, help="which; default all")
    parser.add_argument("--reference", help="a .csv of this tool, to be compared with")
    parser.add_argument("--output", required=True, help="path without suffix; .csv and .md are written")
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs over every run's config")
    args = parser.parse_args()

    fundus_plugins.register_fundus_datasets()
    try:
        reference = read_rows(args.reference) if args.reference else []
    except (OSError, ValueError) as error:
        sys.exit(f"error: {args.reference}: {error}")
    chosen = [] if args.unaltered else [x for x in ALTERATIONS if x.name in args.alterations]
    rows = []
    for run in args.runs:
        try:
            if run.endswith(".safetensors"):
                cfg = fundus_plugins.release_cfg(run, args.opts)
            else:
                weights = ["MODEL.WEIGHTS", os.path.join(run, "model_final.pth")]
                cfg = fundus_plugins.get_fundus_cfg(os.path.join(run, "config.yaml"), [*weights, *args.opts])
            dataset = args.dataset or next(iter(cfg.DATASETS.TEST), None)
            if dataset is None:
                raise ValueError("it has no test set; name one with --dataset")
            require_dataset(dataset)
            found = measure(fundus_plugins.FundusPredictor(cfg), dataset, chosen)
            rows += [{"run": os.path.basename(run.rstrip("/"))} | row for row in found]
        except (OSError, ValueError, RuntimeError, KeyError, AssertionError) as error:  # the last two: yacs
            sys.exit(f"error: {run}: {error}")
    if not rows:
        sys.exit("error: no photograph has an annotated disc")
    with atomic_write(f"{args.output}.csv") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    summary = summarise(rows)
    compared = differences(rows, reference)
    text = (
        f"{summary[0]['photographs']} photographs; means with 95 % intervals over photographs.\n\n"
        f"{_table(summary, '{:.3f} ({:.3f} to {:.3f})')}\n\n"
    )
    if compared:
        text += f"Less {args.reference}, paired:\n\n{_table(compared, '{:+.3f} ({:+.3f} to {:+.3f})')}\n\n"
    text += f"{_confidence(rows)}\n\nCommit {current_commit()}:\n\n    {shlex.join(['python', *sys.argv])}\n"
    with atomic_write(f"{args.output}.md") as file:
        file.write(text)
    print(text)
    return 0


def _table(lines: list[dict], form: str) -> str:
    cells = [[line["alteration"], f"{line['level']:g}", *(form.format(*line[x]) for x in METRICS)] for line in lines]
    return tabulate(cells, headers=("alteration", "level", *METRICS), tablefmt="github", disable_numparse=True)


def _confidence(rows: list[dict]) -> str:
    """How the predictions' own numbers go with the truth: on the photographs as they are, and over all rows."""
    unchanged = [row for row in rows if row["alteration"] == rows[0]["alteration"]]
    kinds = [("unchanged", unchanged), ("all rows", rows)][: 1 if len(unchanged) == len(rows) else 2]
    signals = [x for x in SIGNALS if any(row[x] == row[x] for row in rows)]  # one view: no agreement
    text = "Spearman's rank correlation with the truth:\n\n" + tabulate(
        [
            [name, signal, *(f"{correlations[signal][truth]:.2f}" for truth in TRUTHS)]
            for name, some in kinds
            for correlations in (rank_correlations(some),)
            for signal in signals
        ],
        headers=("photographs", "signal", *TRUTHS),
        tablefmt="github",
        disable_numparse=True,
    )
    runs = {row["run"] for row in rows}
    if len(runs) < 2 or len({(row["run"], row["file_name"]) for row in rows}) > len({row["file_name"] for row in rows}):
        return text  # nothing is held out, or other runs have seen the same photographs
    names = [f"{truth} {which}" for truth in TRUTHS for which in ("flagged", "others")]
    text += f"\n\nWith the threshold that flags {FLAGGED:.0%} of the other runs' photographs:\n\n" + tabulate(
        [
            [name, signal, *(f"{value:.3f}" for value in cross_validated_flags(some, signal, FLAGGED).values())]
            for name, some in kinds
            for signal in signals
        ],
        headers=("photographs", "signal", "flagged", *names),
        tablefmt="github",
        disable_numparse=True,
    )
    if "agreement" in signals:
        threshold = threshold_for(unchanged, "agreement", FLAGGED)
        text += f"\n\nUnchanged photographs: {FLAGGED:.0%} have an agreement below {threshold:.3f}."
    margin = cross_validated_margin(unchanged)
    if math.isfinite(margin["margin"]):
        text += (
            f"\n\nUnchanged photographs: 90% have a vCDR within {margin['margin']:.3f} of the truth; the other runs' "
            f"margins hold {margin['covered']:.0%}."
        )
    return text


if __name__ == "__main__":
    sys.exit(main())
