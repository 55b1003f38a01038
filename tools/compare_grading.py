#!/usr/bin/env python3
"""Train and test the grading methods with several seeds, and put them in a table beside the paper's.

    python tools/compare_grading.py --train rim_one_r3_fit_grading --val rim_one_r3_val_grading \
        --test rim_one_r3_test_grading --seeds 0 1 2 --output output/compare [KEY VALUE ...]

The validation set alone chooses each run's weights. An interrupted comparison goes on where it stopped when the same
command is given again. Writes `<output>/<method>/seed<N>/`, `grading.md`, `grading.json` and, for the first seed, loss
curves and confusion matrices. Exit code: 0 done, 1 something is missing or a run diverged.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path

import numpy as np
from detectron2.utils.env import seed_all_rng
from detectron2.utils.logger import setup_logger

import fundus_plugins
from fundus_plugins.data.coco import require_dataset
from fundus_plugins.engine import FundusTrainer, train
from fundus_plugins.evaluation.curves import draw_confusion, draw_loss_curves, read_curve
from fundus_plugins.evaluation.grading_comparison import compare, comparison_markdown, read_runs
from fundus_plugins.files import atomic_write
from fundus_plugins.inference import without_weights
from fundus_plugins.provenance import current_commit
from fundus_plugins.weights.loading import load_trained_weights

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
METHODS = ("softmax_cnn", "ranking_cnn", "2s_cnn", "2sranking_cnn")


def run(method: str, seed: int, args: argparse.Namespace) -> dict:
    """Train one method with one seed, unless that is done, and give what the evaluator wrote for the test set."""
    folder = _folder(args, method, seed)
    result, started = folder / "evaluation" / f"{args.test}_metrics.json", folder / "started.json"
    own = ["DATASETS.TRAIN", (args.train,), "DATASETS.TEST", (args.val,), "OUTPUT_DIR", str(folder), "SEED", seed]
    cfg = fundus_plugins.get_fundus_cfg(str(CONFIGS / f"{method}.yaml"), [*args.opts, *own])
    written = folder / "config.yaml"
    if not written.is_file():
        with atomic_write(written) as file:
            file.write(cfg.dump())
    elif written.read_text(encoding="utf-8") != cfg.dump():
        raise ValueError(f"{written} is of a run with other options; give the same, or another --output")
    if not result.is_file():
        commits = json.loads(started.read_text(encoding="utf-8")) if started.is_file() else []
        with atomic_write(started) as file:
            json.dump([*commits, current_commit()], file)
        seed_all_rng(seed)
        train(cfg, resume=True)
        model = FundusTrainer.build_model(without_weights(cfg))
        load_trained_weights(model, str(folder / "model_best.pth"))
        cfg.DATASETS.TEST = (args.test,)
        FundusTrainer.test(cfg, model)
    return json.loads(result.read_text(encoding="utf-8")) | {"commits": json.loads(started.read_text(encoding="utf-8"))}


def _folder(args: argparse.Namespace, method: str, seed: int) -> Path:
    return args.output / method / f"seed{seed}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, text in (("train", "fits the weights"), ("val", "chooses the checkpoint"), ("test", "is reported")):
        parser.add_argument(f"--{name}", required=True, help=f"registered grading set that {text}")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs that override every config")
    args = parser.parse_args()
    setup_logger(str(args.output / "log.txt"))
    setup_logger(str(args.output / "log.txt"), name="fundus_plugins")
    fundus_plugins.register_fundus_datasets()
    runs: dict[str, dict[int, dict]] = {method: {} for method in args.methods}
    failures: list[str] = []
    try:
        for name in (args.train, args.val, args.test):
            require_dataset(name)
        for seed in args.seeds:
            for method in args.methods:
                try:
                    runs[method][seed] = run(method, seed, args)
                except FloatingPointError as error:  # one diverged run must not cost the others
                    failures.append(f"{method}, seed {seed}: {error}")
                    continue
                write(runs, args)
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"error: {error}")
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


def write(runs: dict, args: argparse.Namespace) -> None:
    """The table of what is there so far."""
    done = {method: seeds for method, seeds in runs.items() if seeds}
    some = next(iter(next(iter(done.values())).values()))
    graded = {
        method: read_runs(
            [_folder(args, method, seed) / "evaluation" / f"{args.test}_images.csv" for seed in seeds], some["grades"]
        )
        for method, seeds in done.items()
    }
    comparison = compare(graded, some["grades"])
    command = shlex.join(["python", *sys.argv])
    about = {"command": command, "train": args.train, "val": args.val, "test": args.test, "options": args.opts}
    text = comparison_markdown(comparison, f"Grading on {args.test}", some["images"])
    commits = sorted({commit for seeds in done.values() for found in seeds.values() for commit in found["commits"]})
    text += f"\nCommit {', '.join(commits)}:\n\n    {command}\n"
    with atomic_write(args.output / "grading.md") as file:
        file.write(text)
    with atomic_write(args.output / "grading.json") as file:
        json.dump(about | comparison | {"runs": runs}, file, indent=1)
    for method in done:
        confusion, grades = (next(iter(runs[method].values()))[key] for key in ("confusion", "grades"))
        draw_confusion(np.array(confusion), grades, args.output / f"confusion_{method}.png", title=method)
    curves = {m: read_curve(_folder(args, m, next(iter(runs[m]))) / "loss_curves.json") for m in done}
    draw_loss_curves(curves, args.output / "loss_curves.png")
    print(text)


if __name__ == "__main__":
    sys.exit(main())
