"""One training run of a table: done in a process of its own, resumed where it stopped, its result written last."""

import contextlib
import csv
import json
import math
import os
import re
import shlex
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import portalocker
from detectron2.config import CfgNode
from detectron2.modeling import build_model

from fundus_plugins.config import flatten, get_fundus_cfg, without_weights
from fundus_plugins.data.registration import register_fundus_datasets
from fundus_plugins.engine.precision import prediction_precision
from fundus_plugins.engine.run_record import named_files
from fundus_plugins.evaluation.disc_cup import file_stem
from fundus_plugins.experiments.robustness import measure
from fundus_plugins.files import atomic_write, file_hash
from fundus_plugins.old_names import OLD_NAMES
from fundus_plugins.prediction import gradability
from fundus_plugins.prediction.predictor import FundusPredictor
from fundus_plugins.provenance import current_commit

# What a table's report applies to what was measured, so that it may be chosen afterwards.
LIMITS = ("TEST.FLAG_BELOW", "TEST.FLAG_ELLIPSE_BELOW", "TEST.VCDR_MARGIN")
# What FundusPredictor alone reads (TEST.CROP frames photographs in training, too).
MEASURING = r"TEST\.(?!CROP$)|INPUT\.(MIN|MAX)_SIZE_TEST"


class RunFailed(Exception):
    """A run that could not be done; the text says which and where its log is."""


@dataclass(frozen=True)
class Run:
    """A row's training on one fold with one seed.

    `options` are KEY VALUE pairs; `files` are the data sets' that decide it, by what they are. A run of many training
    sets has the name of what it holds out, and what it is measured on (see `HeldOut`).
    """

    row: str
    seed: int
    fold: int
    folder: Path
    config: str
    options: tuple[str, ...]
    files: Mapping[str, Path]
    held_out: str = ""
    measured: Mapping[str, str] = field(default_factory=dict)

    @property
    def result_file(self) -> Path:
        return self.folder / "result.json"

    @property
    def command(self) -> list[str]:
        """What follows `fundus train`; without a checkpoint, --resume starts anew."""
        return ["--config-file", self.config, "--resume", *self.options]


def execute(run: Run, trainer: Sequence[str]) -> tuple[dict, bool]:
    """Do a run, or what is left of it, and return its result and whether anything had to be done.

    A run whose `result.json` is there is finished. Otherwise training goes on from the last checkpoint, then the last
    weights are evaluated on the held-out photographs. Nobody else works in the folder meanwhile: a training process
    that outlived whoever started it is waited for. Intermediate checkpoints are deleted when the result is written.
    A training that was interrupted sees the photographs that it would have seen; where processes load ahead
    (DATALOADER.NUM_WORKERS), their augmentations differ. The result's `commits` has an entry for every start. Where
    only the keys of the measurement differ (MEASURING), a run of many training sets is measured anew, not trained.

    Args:
        trainer: the command that trains, such as `fundus train`; its output goes to `train.log`.

    Raises:
        RunFailed: the training failed, or the folder holds a run with other settings.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    with _locked(run.folder) as lock:
        settings = _settings(run)
        started = _read_json(run.folder / "started.json") or {"settings": settings, "commits": []}
        _check_settings(run, started["settings"], settings)
        result = _read_json(run.result_file)
        measuring = _measuring(run)
        if result is not None and run.measured and result.get("measured_with") != measuring:
            result |= _measurement(run, measuring)
            _write_json(run.result_file, result)
            done = True
        elif result is None:
            started["commits"].append(current_commit())
            _write_json(run.folder / "started.json", started)
            with open(run.folder / "train.log", "ab") as log:
                inherited: dict[str, Any] = {"pass_fds": [lock]} if os.name == "posix" else {}
                command = [*trainer, *run.command]
                code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, **inherited).returncode
            if code:
                raise RunFailed(f"{run.folder}: training ended with exit code {code}; see {run.folder / 'train.log'}")
            result = _collect(run, started["commits"])
            _write_json(run.result_file, result)
            done = True
        else:
            done = False
        for path in run.folder.glob("model_[0-9]*.pth"):
            path.unlink()
    return {"row": run.row} | result, done


def attempt(run: Run, trainer: Sequence[str]) -> tuple[dict, bool] | RunFailed:
    """As `execute`, in whichever process; a failed run is returned, so that it does not cost the others."""
    register_fundus_datasets()
    try:
        return execute(run, trainer)
    except RunFailed as error:
        return error


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Hold the folder's lock; its descriptor goes on to the training process, so the lock lives as long as that.

    (On Windows a process inherits no descriptors: there it lives as long as this process.)
    """
    with open(folder / ".lock", "w") as file:
        try:
            portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.LockException:
            print(f"{folder}: waiting for the process that trains there", flush=True)
            portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE)
        yield file.fileno()


def _settings(run: Run) -> dict:
    """All that decides a run's figures: the config but for where it writes and LIMITS, and its data sets' files.

    Of a run of many training sets, what decides its weights: not the keys of MEASURING.
    """
    flat = _flat(run, measuring=False) if run.measured else _deciding(_flatten(get_fundus_cfg(run.config, run.options)))
    trained = [part for part in run.files if not run.measured or part in _trained_on(run)]
    named = named_files(get_fundus_cfg(run.config, run.options))
    return (
        flat
        | {f"{key} sha256": file_hash(path) for key, path in named.items() if key in flat}
        | {f"{part} sha256": file_hash(run.files[part]) for part in trained}
    )


def _measuring(run: Run) -> dict[str, str]:
    """All that decides how a run of many training sets is measured, and on what."""
    if not run.measured:
        return {}
    files = {f"{name} sha256": file_hash(run.files[name]) for name in run.measured.values()}
    cfg = get_fundus_cfg(run.config, run.options)  # what "auto" means is another thing on every machine
    precision = {"TEST.PRECISION": repr(str(prediction_precision(cfg.TEST.PRECISION, cfg.MODEL.DEVICE)))}
    judge = {"gradability sha256": file_hash(gradability.FILE)} if _judged(run) else {}
    return _flat(run, measuring=True) | precision | files | judge


def _judged(run: Run) -> bool:
    """Limits can be chosen afterwards; whether photographs are judged, which is with a limit, cannot."""
    return get_fundus_cfg(run.config, run.options).TEST.FLAG_BELOW > 0


def _trained_on(run: Run) -> tuple[str, ...]:
    return tuple(get_fundus_cfg(run.config, run.options).DATASETS.TRAIN)


def _flatten(cfg: CfgNode) -> dict[str, str]:
    return {key: repr(value) for key, value in flatten(cfg).items()}


def _flat(run: Run, *, measuring: bool) -> dict[str, str]:
    """The keys by which a run is measured, or all others that decide its figures."""
    flat = _deciding(_flatten(get_fundus_cfg(run.config, run.options)))
    return {key: value for key, value in flat.items() if bool(re.match(MEASURING, key)) == measuring}


def _deciding(flat: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in flat.items() if key not in ("OUTPUT_DIR", *LIMITS)}


def _check_settings(run: Run, old: dict, new: dict) -> None:
    # What a run knew nothing of was as it is by default.
    old = _deciding(_flatten(get_fundus_cfg()) | {OLD_NAMES.get(key, key): value for key, value in old.items()})
    if run.measured:
        measured = [f"{name} sha256" for name in run.measured.values()]
        old = {key: value for key, value in old.items() if not re.match(MEASURING, key) and key not in measured}
    # Nor was the content of every file told by runs of before.
    old = {key: value for key, value in new.items() if key.endswith(" sha256") and key[:-7] in new} | old
    differing = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    if differing:
        key = differing[0]
        more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
        raise RunFailed(
            f"{run.folder} holds a run with other settings: {key} is {old.get(key)} there and {new.get(key)} now"
            f"{more}; choose another --output, or delete that folder"
        )


def _collect(run: Run, commits: list[str]) -> dict:
    cfg = without_weights(get_fundus_cfg(run.config, run.options))
    cfg.MODEL.DEVICE = "cpu"
    return {
        "config": run.config,
        "seed": run.seed,
        "fold": run.fold,
        **({"held_out": run.held_out} if run.held_out else {}),
        "command": shlex.join(["fundus", "train", *run.command]),
        "commits": commits,
        "iterations": cfg.SOLVER.MAX_ITER,
        "parameters": sum(parameter.numel() for parameter in build_model(cfg).parameters()),
        "seconds_per_iteration": _seconds_per_iteration(run.folder / "metrics.json"),
        "seconds_per_image": _seconds_per_image(run.folder / "log.txt"),
        **(_measurement(run, _measuring(run)) if run.measured else {"images": _evaluated(run, cfg.DATASETS.TEST[0])}),
    }


def _measurement(run: Run, measuring: dict) -> dict:
    """The parts of a result that come of measuring. Raises RunFailed for whatever stops it."""
    try:
        images = _measured(run)
    except (OSError, ValueError, RuntimeError) as error:
        raise RunFailed(f"{run.folder}: could not be measured: {error}") from error
    command = shlex.join(["fundus", "train", *run.command])
    return {"command": command, "measured_with": measuring, "measured_commit": current_commit(), "images": images}


def _evaluated(run: Run, dataset: str) -> list[dict]:
    with open(run.folder / "evaluation" / f"{file_stem(dataset)}_images.csv", newline="") as file:
        images = [_numbers(image) for image in csv.DictReader(file)]
    return [image | {"image_id": int(image["image_id"])} for image in images]


def _measured(run: Run) -> list[dict]:
    weights = ["MODEL.WEIGHTS", str(run.folder / "model_final.pth")]
    least = {"TEST.FLAG_BELOW": 1e-9 if _judged(run) else 0.0}
    no_limits = [x for key in LIMITS for x in (key, least.get(key, 0.0))]
    predictor = FundusPredictor(get_fundus_cfg(run.config, [*run.options, *weights, *no_limits]))
    return [
        {"set": label} | _numbers({key: value for key, value in row.items() if key not in ("alteration", "level")})
        for label, dataset in run.measured.items()
        for row in measure(predictor, dataset, ())
    ]


def _numbers(image: dict) -> dict:
    name = image.pop("file_name")
    numbers = {key: float(value) for key, value in image.items()}
    values = {key: number if math.isfinite(number) else None for key, number in numbers.items()}
    return {"file_name": os.path.basename(name)} | values


def _seconds_per_iteration(metrics: Path) -> float | None:
    """Median of `time` in Detectron2's metrics.json; a line that a kill cut off is left out."""
    times = []
    for line in metrics.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError, KeyError):
            times.append(json.loads(line)["time"])
    return statistics.median(times) if times else None


def _seconds_per_image(log: Path) -> float | None:
    """The model's own time for one photograph, from the last such line of Detectron2's log."""
    found = re.findall(r"pure compute time: .*?\(([\d.]+) s / iter per device", log.read_text(encoding="utf-8"))
    return float(found[-1]) if found else None


def _read_json(path: Path) -> dict | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _write_json(path: Path, document: dict) -> None:
    with atomic_write(path) as file:
        json.dump(document, file, indent=1)
        file.write("\n")
