"""A table of experiments as a small YAML file describes it, and the training runs it asks for."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog

from fundus_plugins.config import get_fundus_cfg
from fundus_plugins.data.folds import write_folds
from fundus_plugins.data.registration import part_name, require_dataset
from fundus_plugins.experiments.held_out import HeldOut, json_file, refuse_common_photographs
from fundus_plugins.experiments.runs import Run
from fundus_plugins.model_zoo import find_config_file

FORBIDDEN = ("DATASETS.TRAIN", "DATASETS.TEST", "SEED", "OUTPUT_DIR", "TEST.EVAL_PERIOD")


@dataclass(frozen=True)
class Row:
    """One row: a config file, keys over it, and the paper's figures (0 to 1, by metric)."""

    name: str
    config: str
    overrides: dict[str, object]
    paper: dict[str, float]


@dataclass(frozen=True)
class Table:
    """A table: its rows, the name of the row that the others are compared with, and where the paper measured.

    Its `overrides` are keys over every row's config; the command's options go before them, and a row's own last.

    A table of many training sets names those to be held out, group by group or in folds (`held_out`), and those that
    every run is measured on and none may train on (`always`).
    """

    title: str
    reference: str
    paper_data: str
    rows: list[Row]
    held_out: tuple[tuple[str, ...], ...] = ()
    always: tuple[str, ...] = ()
    overrides: dict[str, object] = field(default_factory=dict)

    def options(self, given: Sequence[str]) -> list[str]:
        """Keys and values over every row's config: the table's, then those `given` on the command line."""
        return [*_words(self.overrides), *given]


def read_table(path: Path) -> Table:
    """Read a table's YAML; a row's `config` is a path relative to that file, or the name of a packaged config.

    Raises ValueError, one line that names the file, for what is not a table; FileNotFoundError for a missing table or
    config.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        rows = [
            Row(
                name=str(row["name"]),
                config=_config_of(path, str(row["config"])),
                overrides=dict(row.get("overrides", {})),
                paper={metric: float(value) for metric, value in row.get("paper", {}).items()},
            )
            for row in document["rows"]
        ]
        groups = [[x] if isinstance(x, str) else x for x in document.get("held_out", ())]
        held_out = tuple(tuple(map(str, group)) for group in groups)
        always = document.get("always", ())
        always = tuple(map(str, [always] if isinstance(always, str) else always))
        paper = document.get("paper_data", "")
        overrides = dict(document.get("overrides", {}))
        table = Table(document["title"], str(document["reference"]), paper, rows, held_out, always, overrides)
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        expected = "title, reference, and rows with name and config"
        raise ValueError(f"{path}: expected {expected}, found {type(error).__name__}: {error}") from None
    _check_keys(list(table.overrides), str(path))
    names = [row.name for row in rows]
    if len(set(names)) < len(names) or table.reference not in names:
        raise ValueError(f"{path}: expected rows of different names, one of them {table.reference!r}, found {names}")
    for row in rows:
        try:
            find_config_file(row.config)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{path}: row {row.name}: {error}") from None
        _check_keys(list(row.overrides), f"{path}: row {row.name}")
    return table


def _config_of(table: Path, config: str) -> str:
    beside = table.parent / config
    return os.path.relpath(beside) if beside.is_file() else config


def plan_runs(
    table: Table,
    *,
    dataset: str,
    folds: int,
    fold_seed: int,
    seeds: Sequence[int],
    output: Path,
    options: Sequence[str] = (),
) -> list[Run]:
    """The runs of a table in the order to do them, all rows of a fold before the next fold; fold files are written.

    Args:
        dataset: a registered segmentation set of ours, or the path of a COCO JSON; each photograph is held out once.
        options: keys and values over every row's config; a row's own overrides come after them.

    Raises:
        FileNotFoundError: the set is not there. ValueError: it is not registered, cannot be cut into so many folds,
            or a row's config and `options` do not fit, or set a key that the table itself sets.
    """
    _check_keys(list(options)[::2], "options")
    options = table.options(options)
    for row in table.rows:
        _check_config(row, options)
    require_dataset(dataset)
    metadata = MetadataCatalog.get(dataset)
    if metadata.get("fundus_set") is None:
        raise ValueError(f"data set {dataset}: not one that fundus_plugins registers")
    cut = write_folds(Path(metadata.json_file), folds, fold_seed)
    runs = []
    for seed in seeds:
        for fold, (fit, val) in enumerate(cut):
            for row in table.rows:
                name = _run_name(row, table.overrides)
                folder = output / "runs" / name / f"seed{seed}" / f"{fit.stem.removesuffix('_fit')}"
                keys = {
                    "DATASETS.TRAIN": f'("{part_name(dataset, fit)}",)',
                    "DATASETS.TEST": f'("{part_name(dataset, val)}",)',
                    "SEED": seed,
                    "TEST.EVAL_PERIOD": 0,  # once, after the last iteration: held-out photographs choose nothing
                    "OUTPUT_DIR": folder,
                }
                own = _words(row.overrides | keys)
                cfg = get_fundus_cfg(row.config, [*options, *own])
                if cfg.SOLVER.EPOCHS:
                    raise ValueError(f"row {row.name}: SOLVER.EPOCHS evaluates every epoch; SOLVER.MAX_ITER does not")
                if cfg.DATASETS.SHARES or cfg.MODEL.RFNET.READERS:
                    raise ValueError(f"row {row.name}: a config of many sets wants a table that names them as held_out")
                files = {"fit": fit, "val": val}
                runs.append(Run(row.name, seed, fold, folder, row.config, (*options, *own), files))
    return runs


def plan_held_out(
    table: Table, cuts: Sequence[HeldOut], *, seeds: Sequence[int], output: Path, options: Sequence[str] = ()
) -> list[Run]:
    """The runs of a table of many training sets, all rows of a cut before the next cut.

    Each trains on what a cut leaves of its config's DATASETS.TRAIN, and is measured, as FundusPredictor sees, on what
    the cut says. Raises ValueError as `plan_runs` and `HeldOut.options`, and for a row that trains on what no run may,
    or on photographs, by their files, that it is measured on. What its starting weights learned from nobody checks.
    """
    _check_keys(list(options)[::2], "options")
    options = table.options(options)
    runs = []
    for seed in seeds:
        for number, cut in enumerate(cuts):
            for row in table.rows:
                cfg = _check_config(row, options)
                if forbidden := set(table.always) & set(cfg.DATASETS.TRAIN):
                    raise ValueError(f"row {row.name}: it trains on {min(forbidden)}, which no run may")
                name = _run_name(row, table.overrides)
                folder = output / "runs" / name / f"seed{seed}" / re.sub(r"[^\w.-]+", "_", cut.name)
                keys = cut.options(cfg) | {
                    "DATASETS.TEST": (),
                    "SEED": seed,
                    "TEST.EVAL_PERIOD": 0,
                    "OUTPUT_DIR": folder,
                }
                own = _words(row.overrides | keys)
                trained = get_fundus_cfg(row.config, own).DATASETS.TRAIN
                files = {name: json_file(name) for name in sorted({*trained, *cut.measured.values()})}
                refuse_common_photographs(row.name, trained, tuple(cut.measured.values()))
                where = (*options, *own)
                runs.append(Run(row.name, seed, number, folder, row.config, where, files, cut.name, cut.measured))
    return runs


def _check_keys(keys: Sequence[str], where: str) -> None:
    for key in keys:
        if key in FORBIDDEN:
            raise ValueError(f"{where}: {key} is set by the table's runs")


def _check_config(row: Row, options: Sequence[str]) -> CfgNode:
    try:
        return get_fundus_cfg(row.config, [*options, *_words(row.overrides)])
    except Exception as error:  # yacs and YAML have many ways to say no
        raise ValueError(f"row {row.name}: {type(error).__name__}: {error}") from error


def _run_name(row: Row, common: Mapping[str, object]) -> str:
    """By config and overrides, not by row, so that tables with one `output` share the runs they have in common."""
    name, overrides = Path(row.config).stem, {**common, **row.overrides}
    if overrides:
        name += "_" + hashlib.sha256(json.dumps(overrides, sort_keys=True).encode()).hexdigest()[:8]
    return name


def _words(overrides: Mapping[str, object]) -> list[str]:
    return [str(part) for pair in overrides.items() for part in pair]
