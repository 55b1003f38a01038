"""The grading methods trained with several seeds, resumably, and their figures on disk."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from detectron2.config import CfgNode
from detectron2.utils.env import seed_all_rng

from fundus_plugins.config import get_fundus_cfg, without_weights
from fundus_plugins.engine.trainer import FundusTrainer, train
from fundus_plugins.evaluation.plots import draw_confusion, draw_loss_curves, read_curve
from fundus_plugins.files import atomic_write
from fundus_plugins.model_zoo import get_config_file
from fundus_plugins.provenance import current_commit
from fundus_plugins.weights.loading import load_trained_weights

from .grading_comparison import compare, comparison_markdown, read_runs

METHODS = ("softmax_cnn", "ranking_cnn", "2s_cnn", "2sranking_cnn")

Results = dict[str, dict[int, dict]]  # method -> seed -> what the evaluator wrote for the test set


@dataclass(frozen=True)
class GradingStudy:
    """What is compared: registered grading sets to fit on, to choose the checkpoint and to report; KEY VALUE pairs."""

    train: str
    val: str
    test: str
    output: Path
    options: Sequence[str] = ()

    def folder(self, method: str, seed: int) -> Path:
        return self.output / method / f"seed{seed}"

    def config(self, method: str, seed: int) -> CfgNode:
        own = ["DATASETS.TRAIN", (self.train,), "DATASETS.TEST", (self.val,), "SEED", seed]
        folder = ["OUTPUT_DIR", str(self.folder(method, seed))]
        return get_fundus_cfg(get_config_file(method), [*self.options, *own, *folder])


def run(study: GradingStudy, method: str, seed: int) -> dict:
    """Train one method with one seed, unless that is done, and give what the evaluator wrote for the test set.

    Raises ValueError where its folder has a run with other options, FloatingPointError where the training diverges.
    """
    cfg, folder = study.config(method, seed), study.folder(method, seed)
    result, started = folder / "evaluation" / f"{study.test}_metrics.json", folder / "started.json"
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
        cfg.DATASETS.TEST = (study.test,)
        FundusTrainer.test(cfg, model)
    return json.loads(result.read_text(encoding="utf-8")) | {"commits": json.loads(started.read_text(encoding="utf-8"))}


def run_all(
    study: GradingStudy, methods: Sequence[str], seeds: Sequence[int], failures: list[str]
) -> Iterator[Results]:
    """Run every method with every seed and give, after each, the results so far; diverged runs go to `failures`."""
    results: Results = {}
    for seed in seeds:
        for method in methods:
            try:
                results.setdefault(method, {})[seed] = run(study, method, seed)
            except FloatingPointError as error:  # one diverged run must not cost the others
                failures.append(f"{method}, seed {seed}: {error}")
                continue
            yield {method: own for method, own in results.items() if own}


def write_comparison(study: GradingStudy, results: Results, command: str) -> str:
    """Write `grading.md`, `grading.json`, confusion matrices and loss curves of the first seed; gives the Markdown."""
    some = next(iter(next(iter(results.values())).values()))
    graded = {
        method: read_runs(
            [study.folder(method, seed) / "evaluation" / f"{study.test}_images.csv" for seed in seeds], some["grades"]
        )
        for method, seeds in results.items()
    }
    comparison = compare(graded, some["grades"])
    about: dict[str, Any] = {"command": command, "train": study.train, "val": study.val, "test": study.test}
    about["options"] = list(study.options)
    text = comparison_markdown(comparison, f"Grading on {study.test}", some["images"])
    commits = sorted({commit for seeds in results.values() for found in seeds.values() for commit in found["commits"]})
    text += f"\nCommit {', '.join(commits)}:\n\n    {command}\n"
    with atomic_write(study.output / "grading.md") as file:
        file.write(text)
    with atomic_write(study.output / "grading.json") as file:
        json.dump(about | comparison | {"runs": results}, file, indent=1)
    for method, seeds in results.items():
        confusion, grades = (next(iter(seeds.values()))[key] for key in ("confusion", "grades"))
        draw_confusion(np.array(confusion), grades, study.output / f"confusion_{method}.png", title=method)
    curves = {m: read_curve(study.folder(m, next(iter(seeds))) / "loss_curves.json") for m, seeds in results.items()}
    draw_loss_curves(curves, study.output / "loss_curves.png")
    return text
