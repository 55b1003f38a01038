"""Grading methods trained with several seeds and folds, resumably, in several processes, and their figures on disk."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.utils.env import seed_all_rng
from detectron2.utils.logger import setup_logger

from fundus_plugins.config import get_fundus_cfg, without_weights
from fundus_plugins.data.registration import datasets_root, register_fundus_datasets, require_dataset
from fundus_plugins.engine.train import train
from fundus_plugins.engine.trainer import FundusTrainer
from fundus_plugins.evaluation.disc_cup import file_stem
from fundus_plugins.evaluation.plots import draw_confusion, draw_loss_curves, read_curve
from fundus_plugins.experiments.in_processes import each_in_processes
from fundus_plugins.experiments.table import Row
from fundus_plugins.files import atomic_write, file_hash
from fundus_plugins.provenance import current_commit
from fundus_plugins.weights.loading import load_trained_weights

from .grading_comparison import compare, comparison_markdown, read_runs

METHODS = ("softmax_cnn", "ranking_cnn", "2s_cnn", "2sranking_cnn")
HERE = ("MODEL.DEVICE", "OUTPUT_DIR")  # keys that may differ where a run is gone on with

Results = dict[str, dict[int, list[dict]]]  # method -> seed -> of each split, what the evaluator wrote for its test set


@dataclass(frozen=True)
class Split:
    """Registered grading sets: to fit on, to choose the checkpoint by, and to report."""

    train: str
    val: str
    test: str


@dataclass(frozen=True)
class GradingStudy:
    """What is compared, on which splits; each photograph is in the test set of one.

    `options` are KEY VALUE pairs; `reference` is the row that the others are compared with, "": each with each.
    """

    title: str
    rows: Sequence[Row]
    splits: Sequence[Split]
    output: Path
    options: Sequence[str] = ()
    reference: str = ""

    def folder(self, row: str, seed: int, split: int) -> Path:
        folder = self.output / row.replace(" ", "_") / f"seed{seed}"
        return folder / f"fold{split}" if len(self.splits) > 1 else folder

    def config(self, row: Row, seed: int, split: int) -> CfgNode:
        sets = self.splits[split]
        own = ["DATASETS.TRAIN", (sets.train,), "DATASETS.TEST", (sets.val,), "SEED", seed, "TEST.INTERVALS", False]
        folder = ["OUTPUT_DIR", str(self.folder(row.name, seed, split))]
        keys = [part for pair in row.overrides.items() for part in pair]
        return get_fundus_cfg(row.config, [*self.options, *keys, *own, *folder])

    def result(self, row: str, seed: int, split: int) -> dict | None:
        """What the evaluator wrote for a run's test set, and the commits it was made by; None if it is not done."""
        folder = self.folder(row, seed, split)
        path = folder / "evaluation" / f"{file_stem(self.splits[split].test)}_metrics.json"
        if not path.is_file():
            return None
        commits = json.loads((folder / "started.json").read_text(encoding="utf-8"))
        return json.loads(path.read_text(encoding="utf-8")) | {"commits": commits}


def run(study: GradingStudy, row: Row, seed: int, split: int) -> None:
    """Train one method with one seed on one split, unless that is done, and write the figures of its test set.

    Raises ValueError where its folder has a run with other options, FloatingPointError where the training diverges.
    """
    cfg, folder = study.config(row, seed, split), study.folder(row.name, seed, split)
    written, started = folder / "config.yaml", folder / "started.json"
    if not written.is_file():
        with atomic_write(written) as file:
            file.write(cfg.dump())
    elif _deciding(get_fundus_cfg(str(written)).dump()) != _deciding(cfg.dump()):  # keys may have other names since
        raise ValueError(f"{written} is of a run with other options; give the same, or another --output")
    _refuse_other_photographs(folder / "sets.json", study.splits[split])
    if study.result(row.name, seed, split) is None:
        commits = json.loads(started.read_text(encoding="utf-8")) if started.is_file() else []
        with atomic_write(started) as file:
            json.dump([*commits, current_commit()], file)
        seed_all_rng(seed)
        train(cfg, resume=True)
        model = FundusTrainer.build_model(without_weights(cfg))
        load_trained_weights(model, str(folder / "model_best.pth"))
        cfg.DATASETS.TEST = (study.splits[split].test,)
        FundusTrainer.test(cfg, model)
        if study.result(row.name, seed, split) is None:
            raise RuntimeError(f"{folder}: the evaluation wrote no figures of {cfg.DATASETS.TEST[0]}")
        for path in folder.rglob("*.pth"):
            if path.name != "model_best.pth":  # of many runs they would fill the disk
                path.unlink()


def _refuse_other_photographs(path: Path, split: Split) -> None:
    """Note the hashes of a run's sets; raise ValueError where other ones are noted: other folds have the same names."""
    hashes = {name: file_hash(MetadataCatalog.get(name).json_file) for name in (split.train, split.val, split.test)}
    if not path.is_file():
        with atomic_write(path) as file:
            json.dump(hashes, file, indent=1)
    elif json.loads(path.read_text(encoding="utf-8")) != hashes:
        raise ValueError(f"{path} is of a run on other photographs; give the same, or another --output")


def _deciding(config: str) -> dict:
    """A config without what may differ where a run is gone on with."""
    document = yaml.safe_load(config)
    for key in HERE:
        *sections, name = key.split(".")
        node = document
        for section in sections:
            node = node[section]
        node.pop(name)
    return document


def run_all(study: GradingStudy, seeds: Sequence[int], failures: list[str], jobs: int = 1) -> Iterator[Results]:
    """Do every run and give, after each, the results so far; diverged runs go to `failures`.

    All splits of a method come before the next method, all methods with a seed before the next seed.

    Args:
        jobs: processes that train at the same time.

    Raises ValueError as `run`, ChildProcessError where one of several processes was killed.
    """
    cells = [(row, seed, split) for seed in seeds for row in study.rows for split in range(len(study.splits))]
    if jobs == 1:
        outcomes: Iterator[tuple[int, str | None]] = (
            (place, _attempt(cell, study)) for place, cell in enumerate(cells)
        )
    else:
        outcomes = each_in_processes(_attempt_in_process, cells, study, datasets_root(), jobs=jobs)
    for place, diverged in outcomes:
        if diverged is not None:
            row, seed, split = cells[place]
            failures.append(f"{row.name}, seed {seed}, split {split}: {diverged}")
        yield collect(study, seeds)


def _attempt(cell: tuple[Row, int, int], study: GradingStudy) -> str | None:
    """Do a run; why it diverged, which must not cost the others, or None."""
    try:
        run(study, *cell)
    except FloatingPointError as error:
        return str(error)
    return None


def _attempt_in_process(cell: tuple[Row, int, int], study: GradingStudy, root: str) -> str | None:
    """`_attempt` in a process that knows nothing yet."""
    setup_logger(None, name="fundus_plugins")
    register_fundus_datasets(root)
    for split in study.splits:
        for name in (split.train, split.val, split.test):
            require_dataset(name)
    return _attempt(cell, study)


def collect(study: GradingStudy, seeds: Sequence[int]) -> Results:
    """What is done: of each method the seeds of which all splits are."""
    results: Results = {}
    for row in study.rows:
        for seed in seeds:
            found = [study.result(row.name, seed, split) for split in range(len(study.splits))]
            if all(found):
                results.setdefault(row.name, {})[seed] = [x for x in found if x is not None]
    return results


def write_comparison(study: GradingStudy, results: Results, command: str, about: Mapping[str, Any]) -> str:
    """Write `grading.md`, `grading.json`, confusion matrices and loss curves of the first seed; gives the Markdown.

    Of a study in folds the photographs of all test sets are one set. `about` goes into the JSON.
    """
    grades = next(iter(next(iter(results.values())).values()))[0]["grades"]
    graded = {
        method: read_runs(
            [
                [
                    study.folder(method, seed, split) / "evaluation" / f"{file_stem(sets.test)}_images.csv"
                    for split, sets in enumerate(study.splits)
                ]
                for seed in seeds
            ],
            grades,
        )
        for method, seeds in results.items()
    }
    comparison = compare(graded, grades, study.reference)
    photographs = len(next(iter(graded.values())).truth)
    text = comparison_markdown(comparison, study.title, photographs)
    every = [found for seeds in results.values() for splits in seeds.values() for found in splits]
    commits = sorted({commit for found in every for commit in found["commits"]})
    text += f"\nCommit {', '.join(commits)}:\n\n    {command}\n"
    with atomic_write(study.output / "grading.md") as file:
        file.write(text)
    document = {"command": command, **about, "options": list(study.options)}
    with atomic_write(study.output / "grading.json") as file:
        json.dump(document | comparison | {"runs": results}, file, indent=1)
    for method, seeds in results.items():
        confusion = np.sum([found["confusion"] for found in next(iter(seeds.values()))], axis=0)
        draw_confusion(confusion, grades, study.output / f"confusion_{method.replace(' ', '_')}.png", title=method)
    curves = {m: read_curve(study.folder(m, next(iter(seeds)), 0) / "loss_curves.json") for m, seeds in results.items()}
    draw_loss_curves(curves, study.output / "loss_curves.png")
    return text
