"""The pictures that a report shows: files below its folder, in the page or beside it."""

import base64
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import quote

# What every browser shows.
TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
}


class Pictures:
    """The files among names that are there; what is missing, lies elsewhere or is no picture counts as none.

    Attributes:
        bytes: of all of them together, each counted once.
    """

    def __init__(self, folder: Path, names: Iterable[str | None]):
        """Args: the report's folder, and names relative to it, with slashes."""
        self._folder = folder
        sizes = {name: self._size(name) for name in names if name}
        self._there = {name for name, size in sizes.items() if size}
        self.bytes = sum(sizes.values())

    def url(self, name: str | None, split: bool) -> str | None:
        """Where the page finds a picture: relative to the page if `split`, otherwise the picture itself."""
        if name not in self._there or name is None:
            return None
        if split:
            return quote(os.fsencode(name), safe="/")
        data = base64.b64encode((self._folder / name).read_bytes()).decode("ascii")
        return f"data:{TYPES[PurePosixPath(name).suffix.lower()]};base64,{data}"

    def _size(self, name: str) -> int:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or path.suffix.lower() not in TYPES:
            return 0
        try:
            return (self._folder / name).stat().st_size if (self._folder / name).is_file() else 0
        except (OSError, ValueError):  # a name that no file can have
            return 0
