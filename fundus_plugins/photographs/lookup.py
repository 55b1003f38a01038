"""Finding the photograph that somebody's sheet names."""

import os
from collections.abc import Callable
from pathlib import Path

from .folders import is_photograph, walk_files
from .problems import BadInput
from .sheets import file_of


class NamedPhotographs:
    """The photographs below a folder by their names: slashes of either kind, any case, with or without suffix."""

    def __init__(self, root: Path):
        self.root = root
        self.files = [file for file in walk_files(root) if is_photograph(file)]
        self._by_name: dict[str, list[Path]] = {}
        for file in self.files:
            for name in (file.as_posix(), file.with_suffix("").as_posix()):
                self._by_name.setdefault(name.lower(), []).append(file)

    def find(self, cell: str) -> Path:
        """What a cell means; where there is nothing, or more than one, the path that it names."""
        named = self.root / file_of(cell)
        for exact in (self.root / cell, named):
            if os.path.isfile(exact):
                return exact
        found = self._by_name.get(os.path.normpath(file_of(cell)).lower(), [])
        return self.root / found[0] if len(found) == 1 else named


class PhotographsByStem:
    """The photographs below a folder by the last part of their name, wherever they lie: in any case, without suffix.

    Numbers are the same with and without zeros before them: 1 is 0001.jpg. `prefer` tells which of several of one name
    is meant.
    """

    def __init__(self, root: Path, prefer: Callable[[Path], bool] = lambda file: True):
        self.root = root
        self.prefer = prefer
        self.files = [file for file in walk_files(root) if is_photograph(file)]
        self._by_stem: dict[str, list[Path]] = {}
        for file in self.files:
            self._by_stem.setdefault(_key(file.stem), []).append(file)

    def find(self, cell: str) -> Path:
        """What a cell means; where there is nothing, the path that it names. Raises BadInput where there are several.

        A path that is there as it is written, from the root, is that one.
        """
        named = Path(file_of(cell))
        if os.path.isfile(self.root / named):
            return self.root / named
        found = self._by_stem.get(_key(named.stem), []) or self._by_stem.get(_key(named.name), [])
        found = [file for file in found if self.prefer(file)] or found
        if len(found) > 1:
            other = ", ".join(map(str, found[1:3]))
            raise BadInput(
                "ambiguous photograph", self.root / found[0], f"one photograph {named.stem}", f"also {other}"
            )
        return self.root / (found[0] if found else named)


def _key(stem: str) -> str:
    return str(int(stem)) if stem.isdecimal() else stem.lower()
