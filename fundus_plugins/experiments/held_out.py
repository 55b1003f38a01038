"""What a table holds out of many training sets: a whole set at a time, or a fold of each at once."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog

from fundus_plugins.config import parse_readers
from fundus_plugins.data.folds import write_folds
from fundus_plugins.data.registration import part_name, register_fundus_datasets, require_dataset
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
        """DATASETS.TRAIN, DATASETS.SHARES and MODEL.RFNET.READERS of a config, cut so.

        Raises ValueError where nothing is left, or the config does not train on what is held out.
        """
        names = list(cfg.DATASETS.TRAIN)
        if missing := [name for name in self.replaced if name not in names]:
            raise ValueError(f"{missing[0]} is to be held out, and DATASETS.TRAIN is {', '.join(names)}")
        left = [new for name in names if (new := self.replaced.get(name, name)) is not None]
        if not left:
            raise ValueError(f"without {', '.join(self.replaced)} nothing is left to train on")

        def cut(words: Mapping[str, str]) -> list[str]:
            pairs = [(self.replaced.get(name, name), text) for name, text in words.items()]
            return [text.format(new) for new, text in pairs if new is not None]

        shares = {name: f"{{}}={weight:g}" for name, weight in parse_shares(cfg.DATASETS.SHARES, names).items()}
        readers = {name: f"{reader}={{}}" for reader, name in parse_readers(cfg.MODEL.RFNET.READERS).items()}
        return {
            "DATASETS.TRAIN": tuple(left),
            "DATASETS.SHARES": cut(shares),
            "MODEL.RFNET.READERS": cut(readers),
        }


def without_each(groups: Sequence[Sequence[str]], always: Sequence[str]) -> list[HeldOut]:
    """Every group of sets held out once; `always` are measured every time, and never trained on."""
    for name in [*itertools.chain(*groups), *always]:
        require_dataset(name)
    return [
        HeldOut(f"without {' and '.join(names)}", dict.fromkeys(names), {x: x for x in (*names, *always)})
        for names in groups
    ]


def folds_of_each(groups: Sequence[Sequence[str]], always: Sequence[str], folds: int, seed: int) -> list[HeldOut]:
    """Fold i of every set of every group held out at once; the files of folds are written beside the sets'."""
    names = list(itertools.chain(*groups))
    files: dict[str, list[tuple[Path, Path]]] = {}
    for name in (*names, *always):
        require_dataset(name)
        if name in names:
            files[name] = write_folds(Path(MetadataCatalog.get(name).json_file), folds, seed)
    register_fundus_datasets()  # the folds, too
    cuts = []
    for fold in range(folds):
        fit, val = ({name: part_name(name, files[name][fold][part]) for name in names} for part in (0, 1))
        cuts.append(HeldOut(f"fold {fold}", fit, val | {x: x for x in always}))
    return cuts
