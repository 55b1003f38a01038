"""Which split a folder, or a cell of a sheet, means."""

import re

from fundus_plugins.photographs.sheets import normalised

_WORDS = {
    "train": ("train", "training", "trainset", "trainingset", "trn"),
    "val": ("val", "valid", "validation", "valset", "validationset", "validset"),
    "test": ("test", "testing", "testset", "testingset"),
}
SPLITS = tuple(_WORDS)
_SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}


def split_named(cell) -> str | None:
    """The split that all of a name means, as `Training Set` does; else None."""
    return _SPLIT_OF.get(normalised(cell))


def splits_within(name: str) -> set[str]:
    """The splits of which a folder's name speaks, as `Training400`, `test_data` and `data-val` do.

    >>> splits_within("Training400"), splits_within("latest"), sorted(splits_within("train_test"))
    ({'train'}, set(), ['test', 'train'])
    """
    words = re.findall("[a-z]+", name.lower())
    return {_SPLIT_OF[word] for word in words if word in _SPLIT_OF} | ({split_named(name) or ""} - {""})
