"""Arrays kept on disk under the hash of all they were made from."""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from fundus_plugins.files import atomic_write
from fundus_plugins.photographs.photograph import READING


class ArrayCache:
    """Keeps what is slow to make (a 2000-pixel photograph decoded and resized) as one .npz file an entry.

    An entry's name is the hash of its key and of READING, so an entry is never out of date: whatever is made from
    something else has another name. Nothing is ever deleted; the folder may be, at any time. Processes may share it.

    Args:
        folder: made when needed; "" to keep nothing.
    """

    def __init__(self, folder: str):
        self.folder = folder

    def get(self, key: list, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The arrays kept under `key` (anything whose JSON tells it apart), or those of `make`, which are then kept."""
        if not self.folder:
            return make()
        name = hashlib.sha256(json.dumps([READING, key], sort_keys=True, default=str).encode()).hexdigest()
        path = os.path.join(self.folder, f"{name[:32]}.npz")
        try:
            with np.load(path, allow_pickle=False) as file:
                return dict(file)
        except (FileNotFoundError, zipfile.BadZipFile, ValueError, EOFError):  # not there, or damaged
            arrays: dict[str, Any] = make()  # of arrays; to the type checker a name might be an option of savez
        with atomic_write(path, "wb") as file:
            np.savez(file, **arrays)
        return arrays


def file_state(path: str) -> list:
    """What tells that a file has changed: its absolute path, size in bytes and time of change in nanoseconds."""
    state = os.stat(path)
    return [os.path.abspath(path), state.st_size, state.st_mtime_ns]
