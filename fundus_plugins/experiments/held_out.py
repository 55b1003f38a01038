"""What a table holds out of many training sets: a whole set at a time, or a fold of each at once."""

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog

from fundus_plugins.config import parse_readers
from fundus_plugins.data.folds import write_folds
from fundus_plugins.data.registration import (
    is_registered,
    part_name,
    register_fundus_datasets,
    require_dataset,
)
from fundus_plugins.data.shares import parse_shares


@dataclass(frozen=True)
class HeldOut:
    """One cut: its name, which training set is replaced by which (None: left out), and what it is measured on.

    `measured` is the name of a whole set -> the set that is measured, which may be a fold of it.
    """

    name: str
    replaced: Mapping[str, str | None]
    measured: Mapping[str, str]

    def options(self, cfg: CfgNode) -> dict[str, object]:
        """DATASETS.TRAIN, DATASETS.SHARES, MODEL.RFNET.READERS and TEST.READERS of a config, cut so.

        Raises ValueError where nothing is left, or the config does not train on what is held out.
        """
        names = list(cfg.DATASETS.TRAIN)
        kept = [new for name in names if (new := self.replaced.get(name, name)) is not None]
        if missing := [name for name in self.replaced if name not in names]:
            raise ValueError(f"{missing[0]} is to be held out, and DATASETS.TRAIN is {', '.join(names)}")
        if not kept:
            raise ValueError(f"without {', '.join(self.replaced)} nothing is left to train on")

        def cut(words: Mapping[str, str]) -> list[str]:
            pairs = [(self.replaced.get(name, name), text) for name, text in words.items()]
            return [text.format(new) for new, text in pairs if new is not None]

        shares = {name: f"{{}}={weight:g}" for name, weight in parse_shares(cfg.DATASETS.SHARES, names).items()}
        readers = {name: f"{reader}={{}}" for reader, name in parse_readers(cfg.MODEL.RFNET.READERS).items()}
        left = [word.partition("=")[0] for word in cut(readers)]
        return {
            "DATASETS.TRAIN": tuple(kept),
            "DATASETS.SHARES": cut(shares),
            "MODEL.RFNET.READERS": cut(readers),
            "TEST.READERS": [name for name in cfg.TEST.READERS if name in left],
        }


def json_file(name: str) -> Path:
    """The file of a registered set of ours, or of the path of one.

    Raises FileNotFoundError where it is not there, with the command that makes it; ValueError for another name.
    """
    require_dataset(name)
    if not is_registered(name) or MetadataCatalog.get(name).get("fundus_set") is None:
        raise ValueError(
            f"data set {name}: not one that fundus_plugins registers; the folder of that name in DETECTRON2_DATASETS, "
            "and the split's JSON in it, is what makes it one"
        )
    return Path(MetadataCatalog.get(name).json_file)


def refuse_common_photographs(row: str, trained: Sequence[str], measured: Sequence[str]) -> None:
    """Raise ValueError where a photograph, by its file, is in a set that is trained on and in one that is measured."""
    learned = {path: name for name in trained for path in _photographs(name)}
    for name in measured:
        common = sorted(learned.keys() & _photographs(name))
        if common:
            both = f"in {name}, which is measured, and in {learned[common[0]]}, which is trained on"
            raise ValueError(f"row {row}: {common[0]} is {both}")


def _photographs(name: str) -> frozenset[str]:
    return frozenset(os.path.realpath(record["file_name"]) for record in DatasetCatalog.get(name))


def without_each(groups: Sequence[Sequence[str]], always: Sequence[str]) -> list[HeldOut]:
    """Every group of sets held out once; `always` are measured every time, and never trained on."""
    for name in [*itertools.chain(*groups), *always]:
        json_file(name)
    return [
        HeldOut(f"without {' and '.join(names)}", dict.fromkeys(names), {x: x for x in (*names, *always)})
        for names in groups
    ]


def folds_of_each(groups: Sequence[Sequence[str]], always: Sequence[str], folds: int, seed: int) -> list[HeldOut]:
    """Fold i of every set of every group held out at once; the files of folds are written beside the sets'."""
    names = list(itertools.chain(*groups))
    files: dict[str, list[tuple[Path, Path]]] = {}
    for name in (*names, *always):
        source = json_file(name)
        if name in names:
            files[name] = write_folds(source, folds, seed)
    register_fundus_datasets()  # the folds, too
    cuts = []
    for fold in range(folds):
        fit, val = ({name: part_name(name, files[name][fold][part]) for name in names} for part in (0, 1))
        cuts.append(HeldOut(f"fold {fold} of {folds}, seed {seed}", fit, val | {x: x for x in always}))
    return cuts
