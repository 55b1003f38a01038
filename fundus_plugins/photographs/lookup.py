"""Finding the photograph that somebody's sheet names."""

import os
from pathlib import Path

from .folders import is_photograph, walk_files
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
