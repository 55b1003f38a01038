#!/usr/bin/env python3
"""How good masks of a given side could be at best: the true masks, taken to the mask branch's grid and back.

    python tools/measure_mask_side.py --gt REFUGE-Validation400-GT --sides 28 56 112 --input 512 [--output FILE.json]

`--gt`: a folder of .bmp or .png masks (0 cup, 128 rim, 255 background) or a COCO JSON. No model is run: what is lost is
the input's resize, the grid and the threshold, and a model's own errors come on top.
Exit code: 0 all well, 1 masks are listed as unusable.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path

import numpy as np
from tabulate import tabulate

from fundus_plugins.data.converters.record import BadInput
from fundus_plugins.data.mask_files import list_masks
from fundus_plugins.evaluation.bootstrap import mean_interval
from fundus_plugins.evaluation.disc_cup import compare_disc_and_cup
from fundus_plugins.evaluation.mask_ceiling import through_the_grid
from fundus_plugins.files import atomic_write
from fundus_plugins.provenance import current_commit

METRICS = ("dice_oc", "dice_od", "miou", "vcdr_mae")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gt", required=True, type=Path, help="true masks")
    parser.add_argument("--sides", nargs="+", type=int, default=[28, 56, 112], help="cells (default 28 56 112)")
    parser.add_argument("--input", type=int, default=512, help="pixels on the input's longer side (default 512)")
    parser.add_argument("--output", type=Path, help="a JSON file of the same figures")
    args = parser.parse_args()

    rows: dict[int, list[dict]] = {side: [] for side in args.sides}
    try:
        truth = list_masks(args.gt)
    except BadInput as error:
        sys.exit(f"error: {error.problem}")
    problems = list(truth.problems)
    for read in truth.masks.values():
        try:
            disc, cup = read()
        except BadInput as error:
            problems.append(error.problem)
            continue
        if disc is None or not disc.any():
            continue
        for side in args.sides:
            found = through_the_grid(disc, disc if cup is None else cup, input_size=args.input, side=side)
            rows[side].append(compare_disc_and_cup(*found, disc, cup))

    figures, lines = {}, []
    for side, own in rows.items():
        intervals = {x: mean_interval(np.array([row[x] for row in own])) for x in METRICS}
        figures[side] = {x: dict(zip(("mean", "low", "high"), interval)) for x, interval in intervals.items()}
        lines.append([side, *("{:.4f} ({:.4f} to {:.4f})".format(*interval) for interval in intervals.values())])
    number = len(rows[args.sides[0]])
    print(f"{args.gt}: {number} photographs, input of {args.input} pixels; means and 95 % intervals")
    print(tabulate(lines, headers=("side", *METRICS), tablefmt="github", disable_numparse=True))
    if args.output:
        about = {"command": shlex.join(["python", *sys.argv]), "commit": current_commit(), "photographs": number}
        with atomic_write(args.output) as file:
            json.dump(about | {"sides": figures}, file, indent=1)
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
