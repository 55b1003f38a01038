"""What made a training run, in OUTPUT_DIR/run.json, so that it can be done again and compared."""

import hashlib
import json
import math
import os
import platform
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.utils import comm

from fundus_plugins.config import flatten, get_fundus_cfg, on_what_there_is
from fundus_plugins.files import atomic_write, file_hash
from fundus_plugins.old_names import merge_with_old_names
from fundus_plugins.provenance import command_line, current_commit
from fundus_plugins.weights import PREFIX
from fundus_plugins.weights.loading import local_weights

FILE = "run.json"
PACKAGES = (
    *("fundus-plugins", "torch", "torchvision", "detectron2", "fvcore", "timm"),
    *("numpy", "opencv-python-headless", "pillow", "pycocotools"),
)
_HOW_LONG = re.compile(r"time|eta_seconds|img/s|gpu_mem")  # of metrics.json: no part of the result


def write_start(folder: str, start: Mapping[str, Any], *, goes_on: bool) -> list[str]:
    """Write what `describe` gives to the folder's run.json; a run that goes on adds it to the starts before.

    The lines that are returned say what is not as it was then. Raises ValueError as `read_starts`.
    """
    path = Path(folder) / FILE
    starts = read_starts(folder) if goes_on and path.is_file() else []
    with atomic_write(path, durable=True) as file:
        json.dump({"starts": [*starts, start]}, file, indent=1)
        file.write("\n")
    return list_differences(starts[-1], start) if starts else []


def describe(cfg: CfgNode) -> dict[str, Any]:
    """What makes a run that starts now: command, config, versions, machine, and the hashes of all that is read.

    The data sets of `cfg` are registered; its SEED is not negative, so that it says all.
    """
    values = flatten(cfg)
    return {
        "command": command_line(),
        "config": cfg.dump(),
        "commit": current_commit(),
        "processes": comm.get_world_size(),
        "threads": torch.get_num_threads(),
        "environment": _environment(),
        "data": {name: _data_hash(name) for name in dict.fromkeys([*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST])},
        "files": {values[key]: file_hash(path) for key, path in named_files(cfg).items()},
    }


def read_starts(folder: str | os.PathLike) -> list[dict[str, Any]]:
    """What made the run in a folder, a dictionary as `describe` gives it for each time that it was started.

    Raises FileNotFoundError where there is no run.json, ValueError where it is another.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: expected a training run with its {FILE}, found none")
    try:
        starts = json.loads(path.read_text(encoding="utf-8"))["starts"]
        whole = all(isinstance(start[key], kind) for start in starts for key, kind in _KINDS.items())
    except (ValueError, KeyError, TypeError):
        whole = starts = False
    if not whole or not starts:
        raise ValueError(f"{path}: expected what fundus train writes, found another content")
    return starts


_KINDS = {"command": str, "config": str, "environment": dict, "data": dict, "files": dict}


def recorded_cfg(folder: str, opts: Sequence = ()) -> CfgNode:
    """The config of the run in a folder, as it was last started, with KEY VALUE pairs over it.

    Raises ValueError where they do not give another OUTPUT_DIR, and as `read_starts`.
    """
    kept = CfgNode.load_cfg(read_starts(folder)[-1]["config"])  # by a safe loader
    cfg = get_fundus_cfg()
    merge_with_old_names(cfg, lambda x: x.merge_from_other_cfg(kept))
    merge_with_old_names(cfg, lambda x: x.merge_from_list(list(opts)))
    if "OUTPUT_DIR" not in opts or Path(cfg.OUTPUT_DIR).resolve() == Path(folder).resolve():
        raise ValueError(f"--from-run {folder}: expected OUTPUT_DIR and another folder after it, found none")
    return on_what_there_is(cfg)


def recorded_seed(folder: str) -> int:
    """The SEED of the run in a folder; raises as `read_starts`."""
    return CfgNode.load_cfg(read_starts(folder)[-1]["config"]).SEED


def refuse_other_data(folder: str, now: Mapping[str, Any]) -> list[str]:
    """Raise ValueError where the run in a folder cannot be done again: what it read is not what is read `now`.

    Returns a line for everything else that differs: settings, versions, processors.
    """
    starts = read_starts(folder)
    for start in starts:
        for kind, what in (("data", "data set"), ("files", "file")):
            for name, found in now[kind].items():
                if start[kind].get(name, found) != found:
                    raise ValueError(f"{what} {name}: it is not what it was for the run in {folder} (another SHA-256)")
    lines = list_differences(starts[-1], now)
    if len(starts) > 1:
        lines.append(f"that run was started {len(starts)} times, this one once")
    return lines


def list_differences(before: Mapping, now: Mapping) -> list[str]:
    """A line for everything in which two starts differ, but for the command and OUTPUT_DIR."""
    one, other = _facts(before), _facts(now)
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return [f"{name}: {one.get(name, 'none')}, now {other.get(name, 'none')}" for name in names if name != "OUTPUT_DIR"]


def _facts(start: Mapping) -> dict[str, Any]:
    other = {key: value for key, value in start.items() if key not in ("command", "config")}
    return flatten(CfgNode.load_cfg(start["config"])) | flatten(other)


def compare_metrics(first: str | os.PathLike, second: str | os.PathLike) -> str:
    """One line: how far two runs' metrics.json are from one another, at the iterations that both have.

    Losses, accuracies, learning rates and evaluations are compared, not times.
    """
    one, other = (_metrics(Path(x) / "metrics.json") for x in (first, second))
    both = sorted(one.keys() & other.keys())
    if not both:
        return "nothing to compare: no value of metrics.json is in both runs"
    far = [(_distance(one[key], other[key]), key) for key in both]
    same = sum(distance == 0 for distance, _ in far)
    if same == len(both):
        return f"the same to the bit: all {same} values of metrics.json"
    most, (iteration, name) = max(far)
    return (
        f"{same} of {len(both)} values of metrics.json are the same to the bit; the largest relative difference is "
        f"{most:.2g} ({name}, iteration {iteration})"
    )


def _distance(one: float, other: float) -> float:
    if one == other or (math.isnan(one) and math.isnan(other)):
        return 0.0
    far = abs(one - other) / max(abs(one), abs(other), 1e-12)
    return far if math.isfinite(far) else math.inf


def _metrics(path: Path) -> dict[tuple[int, str], float]:
    """Values by iteration and name; of an iteration that was written twice, the last."""
    if not path.is_file():
        return {}
    values = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except ValueError:  # the end of what a kill cut off
            continue
        for name, value in record.items():
            if isinstance(value, int | float) and name != "iteration" and not _HOW_LONG.search(name):
                values[record.get("iteration", 0), name] = float(value)
    return values


def _environment() -> dict[str, str]:
    found = {"Python": platform.python_version(), "system": platform.platform(), "processor": _processor()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    has: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    names = [x for x in ("avx2", "avx512_f", "avx512_bf16", "amx_bf16") if has.get(x)]
    cards = [torch.cuda.get_device_name(x) for x in range(torch.cuda.device_count())]
    return ", ".join([platform.machine(), *names, *cards])


def _data_hash(name: str) -> str:
    """Of the annotations, which hold the masks, and of every photograph that they name, in their order."""
    records = DatasetCatalog.get(name)
    total = hashlib.sha256()
    annotations = MetadataCatalog.get(name).get("json_file")
    total.update((file_hash(annotations) if annotations else repr(records)).encode())
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for one in threads.map(file_hash, [x["file_name"] for x in records]):
            total.update(one.encode())
    return total.hexdigest()


def named_files(cfg: CfgNode) -> dict[str, str]:
    """The key and the path of every file that a value of the config names: weights, discs, a detector."""
    values = {key: value for key, value in flatten(cfg).items() if isinstance(value, str) and value}
    paths = {key: local_weights(value) if value.startswith(PREFIX) else value for key, value in values.items()}
    return {key: path for key, path in paths.items() if os.path.isfile(path)}
