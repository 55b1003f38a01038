"""What can be known to go wrong before the first iteration, rather than at an evaluation hours later."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog
from detectron2.utils import comm

from fundus_plugins.config import flatten, parse_readers
from fundus_plugins.data.annotations import CUP, DISC, parse_categories
from fundus_plugins.data.checks.check import require_sound
from fundus_plugins.data.registration import disc_cup_structures
from fundus_plugins.data.shares import parse_shares
from fundus_plugins.engine.checkpoint import checkpoints
from fundus_plugins.engine.run_record import FILE, read_starts
from fundus_plugins.engine.schedule import is_grading
from fundus_plugins.evaluation.disc_cup import metric_names
from fundus_plugins.measures.grading import grading_metrics


def check_photographs(cfg: CfgNode, names: Sequence[str]) -> None:
    """Raise where photographs of a registered set are not there, or none of them says anything; none is opened.

    Raises:
        FileNotFoundError: a photograph that is not there, or is no regular file.
        ValueError: no photographs, or none with a disc (of grading sets: a grade).
    """
    for name in dict.fromkeys(names):
        records = DatasetCatalog.get(name)
        if not records:
            raise ValueError(f"data set {name}: there are no photographs in it")
        missing = [x["file_name"] for x in records if not os.path.isfile(x["file_name"])]
        if missing:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise FileNotFoundError(f"data set {name}: there is no photograph {missing[0]}{more}")
        if is_grading(cfg):
            known, what = any(x.get("annotations") for x in records), "a grade"
        else:
            structures = disc_cup_structures(name, parse_categories(cfg.DATASETS.CATEGORIES))
            annotations = (x for record in records for x in record.get("annotations", ()))
            known, what = any(structures[x["category_id"]] == DISC for x in annotations), "an annotated optic disc"
        if not known:
            raise ValueError(f"data set {name}: none of its {len(records)} photographs has {what}")


def check_schedule(cfg: CfgNode) -> None:
    """Raise ValueError for no training set, or numbers of a schedule that count nothing or cannot be shared."""
    if not cfg.DATASETS.TRAIN:
        raise ValueError("DATASETS.TRAIN: expected at least one data set, found none")
    for key in ("MAX_ITER", "CHECKPOINT_PERIOD", "IMS_PER_BATCH"):
        if cfg.SOLVER[key] < 1:
            raise ValueError(f"SOLVER.{key}: expected at least 1, found {cfg.SOLVER[key]}")
    processes, batch = comm.get_world_size(), cfg.SOLVER.IMS_PER_BATCH
    if not cfg.SOLVER.REFERENCE_WORLD_SIZE and batch % processes:  # with it Detectron2 makes the batch fit
        raise ValueError(
            f"SOLVER.IMS_PER_BATCH {batch}: expected a multiple of the {processes} processes, which share the batch"
        )


def check_batch(cfg: CfgNode) -> None:
    """Raise ValueError for a grading model whose batch norm would see one photograph a process: it has no variance."""
    each = cfg.SOLVER.IMS_PER_BATCH // comm.get_world_size()
    if is_grading(cfg) and cfg.MODEL.GRADING.FC_DIM > 0 and each < 2:
        raise ValueError(
            f"SOLVER.IMS_PER_BATCH {cfg.SOLVER.IMS_PER_BATCH}: expected at least 2 photographs a process, for "
            "the batch norm of MODEL.GRADING.FC_DIM"
        )


def check_goes_on(cfg: CfgNode, stages: Sequence[CfgNode]) -> None:
    """Raise ValueError where a run that is resumed would not heed what `cfg` says: its checkpoint has the optimizer."""
    if not any(checkpoints(stage.OUTPUT_DIR) for stage in stages) or not Path(cfg.OUTPUT_DIR, FILE).is_file():
        return
    before = flatten(CfgNode.load_cfg(read_starts(cfg.OUTPUT_DIR)[-1]["config"]))
    for key, value in flatten(cfg).items():
        if key in _OF_THE_OPTIMIZER and before.get(key, value) != value:
            raise ValueError(
                f"{key} {value}: the run in {cfg.OUTPUT_DIR} was started with {before[key]}, and --resume goes on "
                "with that; leave it as it was, or choose another OUTPUT_DIR"
            )


_OF_THE_OPTIMIZER = {
    f"SOLVER.{key}"
    for key in (
        *("FUNDUS_OPTIMIZER", "BASE_LR", "MOMENTUM", "NESTEROV"),
        *("WEIGHT_DECAY", "WEIGHT_DECAY_NORM", "WEIGHT_DECAY_BIAS", "BIAS_LR_FACTOR"),
    )
}


def check_best_metric(cfg: CfgNode) -> None:
    """Raise ValueError for a TEST.BEST_METRIC that no evaluation gives, and where TEST.BEST_IS_LOWEST keeps the worst.

    `cfg` has its schedule in iterations.
    """
    if not cfg.DATASETS.TEST or cfg.TEST.EVAL_PERIOD < 1:
        return
    group, _, name = cfg.TEST.BEST_METRIC.partition("/")
    expected = "grading" if is_grading(cfg) else "disc_cup"
    if is_grading(cfg):
        names = ["loss", "contradictions"]
        if name not in names:  # else two seconds for nothing
            names += _grading_names(cfg.MODEL.GRADING.GRADES)
    else:
        names = list(metric_names())
    names += [f"{x}-{bound}" for x in names for bound in ("low", "high")]
    if group != expected or name not in names:
        some = ", ".join(f"{expected}/{x}" for x in names[:6])
        raise ValueError(f"TEST.BEST_METRIC {cfg.TEST.BEST_METRIC}: expected a metric such as {some}")
    if not is_grading(cfg) and re.match(_OF_CUPS, name) and not _has_cups(cfg, cfg.DATASETS.TEST[0]):
        raise ValueError(
            f"TEST.BEST_METRIC {cfg.TEST.BEST_METRIC}: data set {cfg.DATASETS.TEST[0]} has no cup, without which it is "
            "no number; choose one of the disc, such as disc_cup/dice_od"
        )
    if re.match(_NO_BEST, name):
        raise ValueError(f"TEST.BEST_METRIC {cfg.TEST.BEST_METRIC}: neither its highest nor its lowest value is best")
    lowest = re.match(_LOWEST_IS_BEST, name) is not None
    if cfg.TEST.BEST_IS_LOWEST != lowest:
        raise ValueError(
            f"TEST.BEST_IS_LOWEST {cfg.TEST.BEST_IS_LOWEST}: expected {lowest} with TEST.BEST_METRIC "
            f"{cfg.TEST.BEST_METRIC}, whose {'lowest' if lowest else 'highest'} value is best"
        )


_LOWEST_IS_BEST = r"(loss|contradictions|(vcdr_)?mae)\b|(hd95|asd|ece)_"  # with -low and -high
_NO_BEST = r"vcdr_(bias|limit_)"
_OF_CUPS = r"miou|iou_cup|vcdr_|\w+_oc\b|\w+_oc_"


def _has_cups(cfg: CfgNode, name: str) -> bool:
    structures = disc_cup_structures(name, parse_categories(cfg.DATASETS.CATEGORIES))
    annotations = (x for record in DatasetCatalog.get(name) for x in record.get("annotations", ()))
    return any(structures[x["category_id"]] == CUP for x in annotations)


def _grading_names(grades: Sequence[str]) -> list[str]:
    """Of what is measured of one photograph of each grade."""
    number = np.arange(len(grades))
    above = (number[:, None] > number[None, :-1]).astype(float)
    with np.errstate(all="ignore"):
        return list(grading_metrics(number, number, np.eye(len(grades)), above, list(grades)))


def check_sources(cfg: CfgNode) -> None:
    """Raise ValueError where DATASETS.SHARES or MODEL.RFNET.READERS do not fit DATASETS.TRAIN."""
    parse_shares(cfg.DATASETS.SHARES, cfg.DATASETS.TRAIN)
    drawn = list(parse_readers(cfg.MODEL.RFNET.READERS).values())
    for name in drawn:
        if name not in cfg.DATASETS.TRAIN or drawn.count(name) > 1:
            raise ValueError(f"MODEL.RFNET.READERS: expected one reader at most of each training set, found {name}")


def check_data(cfg: CfgNode, names: Sequence[str]) -> None:
    """With DATASETS.CHECK, `require_sound` of these sets, in the main process. Raises ValueError."""
    if cfg.DATASETS.CHECK and comm.is_main_process():
        require_sound(names, cfg.DATASETS.CATEGORIES, os.cpu_count() or 1)
    comm.synchronize()
