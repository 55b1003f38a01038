"""Writing files so that a reader never meets half of one, and telling them apart."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_LEFTOVER = ".part"


@contextmanager
def atomic_write(path: str | os.PathLike, mode: str = "w") -> Iterator[IO]:
    """Open a temporary file beside `path` and rename it to `path` on success; on an error `path` stays as it was."""
    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    # A file's name need not be UTF-8: what is not is written as \udcXX, so that the rest of the text is not lost.
    text: dict[str, Any] = {"encoding": "utf-8", "newline": "", "errors": "backslashreplace"}
    options = {} if "b" in mode else text
    handle, temporary = tempfile.mkstemp(_LEFTOVER, f".{name[:40]}.", folder)
    try:
        with open(handle, mode, **options) as file:
            yield file
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp's files are for the owner alone
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def remove_leftovers(folder: Path, *, below: bool) -> None:
    """Remove the temporary files that a killed `atomic_write` left in a folder, and in those below it."""
    for path in folder.rglob(f".*{_LEFTOVER}") if below else folder.glob(f".*{_LEFTOVER}"):
        path.unlink(missing_ok=True)


def file_hash(path: str | os.PathLike) -> str:
    """The SHA-256 of a file, to tell which it was."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
