"""Opening files that somebody named: a pipe would wait for ever, and a device never end."""

import os
import stat
from typing import IO


def open_regular(path: str | os.PathLike) -> IO[bytes]:
    """A file opened to be read. Raises OSError for what is no regular file, or leads to none."""
    # Without O_NONBLOCK a pipe without a writer stops at once; of regular files it changes nothing.
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(None, "a regular file was expected, and this is a pipe, a device or a socket", os.fspath(path))
    return file


def read_regular(path: str | os.PathLike, most: int | None = None) -> bytes:
    """All of a regular file. Raises OSError as `open_regular`, ValueError for one of more than `most` bytes."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise ValueError(f"{size >> 20} MiB; at most {most >> 20} are read")
        return file.read()
