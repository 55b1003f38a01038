"""Predictions against each of the readers who drew a data set's masks, and these readers against each other."""

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from detectron2.data import MetadataCatalog

from fundus_plugins.data.annotations import CUP, DISC, disc_and_cup
from fundus_plugins.data.coco import READER
from fundus_plugins.data.coco_file import disc_cup_records
from fundus_plugins.measures.disc_cup import compare_disc_and_cup

_SCORES = ("dice_od", "dice_oc", "vcdr_mae")
_BETWEEN = "between_readers"
_FOLD = "_fold"  # what follows in a fold's file belongs to the split before


class ReaderScores:
    """Dice of disc and cup and the error of their vertical ratio, against each reader and between the readers.

    Readers are known by the files `<split>_reader_<name>.json` beside the data set's own.

    Args:
        dataset_name: registered with Detectron2.
        categories: names of disc and cup beside the usual ones, as `parse_categories` gives them.

    Attributes:
        metrics: names of what `scores` gives, such as `dice_oc_reader_1` and `dice_oc_between_readers`; none, where
            there are no readers.
    """

    def __init__(self, dataset_name: str, categories: Mapping[str, int] | None = None):
        path = Path(MetadataCatalog.get(dataset_name).get("json_file", ""))
        split = path.stem.partition(_FOLD)[0]
        files = sorted(path.parent.glob(f"{split}{READER}*.json")) if split and READER not in path.stem else []
        files = [file for file in files if _FOLD not in file.stem]  # folds of a reader's own set are no readers
        self._readers = {
            file.stem.partition(READER)[2]: {
                _place(x["file_name"]): x for x in disc_cup_records(str(file), str(file.parent), categories)
            }
            for file in files
        }
        suffixes = [f"reader_{name}" for name in self._readers] + [_BETWEEN] * (len(self._readers) > 1)
        self.metrics = [f"{score}_{suffix}" for suffix in suffixes for score in _SCORES]

    def scores(self, file_name: str, disc: np.ndarray, cup: np.ndarray) -> dict[str, float]:
        """`metrics` of one photograph, of a predicted disc and cup, (H, W) bool; nan for who did not draw it.

        Between readers it is the mean over pairs of those who did.

        Raises:
            BadInput: a mask that cannot be read, has another size, or that no eye has.
        """
        drawn = {
            name: self._masks(records.get(_place(file_name)), disc.shape) for name, records in self._readers.items()
        }
        found = {
            f"{score}_reader_{x}": value for x, masks in drawn.items() for score, value in _compare((disc, cup), masks)
        }
        if len(self._readers) > 1:
            masks = [x for x in drawn.values() if x]
            pairs = [dict(_compare(one, other)) for one, other in itertools.combinations(masks, 2)]
            found |= {f"{score}_{_BETWEEN}": _mean([pair[score] for pair in pairs]) for score in _SCORES}
        return found

    def _masks(self, record: dict | None, size: Sequence[int]) -> tuple[np.ndarray, np.ndarray | None] | None:
        if record is None:
            return None
        found = disc_and_cup(record["annotations"], [DISC, CUP], (size[0], size[1]), record["file_name"])
        return (found[DISC] > 0, found[CUP] > 0 if CUP in found else None) if DISC in found else None


def _compare(one: tuple[np.ndarray, np.ndarray | None], other: tuple[np.ndarray, np.ndarray | None] | None):
    """(score, value) of disc and cup against another's, nan where either has not drawn them."""
    if other is None:
        return [(score, float("nan")) for score in _SCORES]
    cup = np.zeros_like(one[0]) if one[1] is None else one[1]
    row = compare_disc_and_cup(one[0], cup, other[0], other[1] if one[1] is not None else None)
    return [(score, row[score]) for score in _SCORES]


def _mean(values: Sequence[float]) -> float:
    finite = [x for x in values if np.isfinite(x)]
    return float(np.mean(finite)) if finite else float("nan")


def _place(file_name: str) -> str:
    return os.path.realpath(file_name)
