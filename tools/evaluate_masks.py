#!/usr/bin/env python3
"""Score predicted disc and cup masks as the REFUGE challenge does; no model, no GPU.

    python tools/evaluate_masks.py --gt REFUGE-Validation400-GT --pred masks/ [--pred others/] [--output scores/]

Both are a folder of .bmp or .png masks (0 cup, 128 rim, 255 background), or a COCO JSON; predictions also COCO results
beside a COCO ground truth. They are matched by name. A prediction that is missing or cannot be used counts as an empty
mask and is listed. With two or more --pred, the challenge's ranks among them are given too.
Exit code: 0 all well, 1 something is listed as wrong, or (with --strict) nothing was written for that reason.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

from tabulate import tabulate

from fundus_plugins.data.converters.record import BadInput
from fundus_plugins.data.mask_files import list_masks
from fundus_plugins.evaluation.refuge import RANK_WEIGHTS, rank_submissions
from fundus_plugins.evaluation.submission import as_json, score_submission
from fundus_plugins.files import atomic_write


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gt", required=True, type=Path, help="true masks")
    parser.add_argument("--pred", required=True, type=Path, action="append", help="predicted masks; may be repeated")
    parser.add_argument("--labels", type=Path, help="a sheet of labels, where --gt brings none (1: glaucoma)")
    parser.add_argument("--output", type=Path, help="a folder for scores.json and a CSV for each --pred")
    parser.add_argument("--strict", action="store_true", help="write nothing if there is any problem")
    args = parser.parse_args()

    try:
        truth = list_masks(args.gt, labels=args.labels)
        submissions = {
            str(path): score_submission(truth, list_masks(path, truth=truth), {"truth": args.gt, "prediction": path})
            for path in args.pred
        }
    except BadInput as error:
        sys.exit(f"error: {error.problem}")
    problems = truth.problems + [problem for x in submissions.values() for problem in x.problems]
    problems = list(dict.fromkeys(map(str, problems)))
    if args.strict and problems:
        return _list(problems)
    if not next(iter(submissions.values())).rows:
        _list(problems)
        sys.exit(f"error: no true mask of {args.gt} could be used")

    document, means = {"truth": str(args.gt), "submissions": {}}, {}
    for name, submission in submissions.items():
        metrics = submission.metrics()
        labels = [row["label"] for row in submission.rows if row["label"] is not None]
        print(f"\n{name}: {len(submission.rows)} photographs, {len(labels)} with a label, {sum(labels)} glaucoma")
        cells = [(key, f"{mean:.4f}", f"{low:.4f} to {high:.4f}") for key, (mean, low, high) in metrics.items()]
        print(tabulate(cells, headers=("", "value", "95 % interval"), disable_numparse=True))
        means[name] = {key: value for key, (value, _, _) in metrics.items()}
        document["submissions"][name] = {"images": len(submission.rows), "metrics": as_json(metrics)}
    if len(submissions) > 1:
        document["ranks"] = rank_submissions(means)
        weights = ", ".join(f"{weight} {measure}" for measure, (weight, _) in RANK_WEIGHTS.items())
        print(f"\nRanks among these ({weights}; the lowest score wins)")
        rows = [(name, *ranks.values()) for name, ranks in document["ranks"].items()]
        print(tabulate(rows, headers=("", "score", *(f"rank {measure}" for measure in RANK_WEIGHTS))))
    else:
        print("\nThe challenge's score is a weighted sum of ranks among submissions; one alone has none.")
    if args.output:
        for number, submission in enumerate(submissions.values(), start=1):
            suffix = f"_{number}" if len(submissions) > 1 else ""
            with atomic_write(args.output / f"images{suffix}.csv") as file:
                writer = csv.DictWriter(file, fieldnames=list(submission.rows[0]))
                writer.writeheader()
                writer.writerows(submission.rows)
        document["problems"] = problems
        with atomic_write(args.output / "scores.json") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
    return _list(problems)


def _list(problems: list[str]) -> int:
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
