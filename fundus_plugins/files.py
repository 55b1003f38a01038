"""Writing files so that a reader never meets half of one, and telling them apart."""

import hashlib
import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LEFTOVER = ".part"
SUMS = "SHA256SUMS"  # as `sha256sum` writes it


@contextmanager
def atomic_write(path: str | os.PathLike, mode: str = "w", *, durable: bool = False) -> Iterator[IO]:
    """Open a temporary file beside `path` and rename it to `path` on success; on an error `path` stays as it was.

    With `durable` it is on the disk before it has its name, so that not even a power cut leaves half of it.
    """
    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    # A file's name need not be UTF-8: what is not is written as \udcXX, so that the rest of the text is not lost.
    text: dict[str, Any] = {"encoding": "utf-8", "newline": "", "errors": "backslashreplace"}
    options = {} if "b" in mode else text
    handle, temporary = tempfile.mkstemp(_LEFTOVER, f".{name[:40]}.", folder)
    try:
        with open(handle, mode, **options) as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp's files are for the owner alone
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    if durable and os.name == "posix":
        there = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(there)
        finally:
            os.close(there)


def remove_leftovers(folder: Path, *, below: bool) -> None:
    """Remove the temporary files that a killed `atomic_write` left in a folder, and in those below it."""
    for path in folder.rglob(f".*{_LEFTOVER}") if below else folder.glob(f".*{_LEFTOVER}"):
        path.unlink(missing_ok=True)


def file_hash(path: str | os.PathLike) -> str:
    """The SHA-256 of a file, to tell which it was."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def refuse_changed(path: str | os.PathLike) -> None:
    """Raise ValueError for a file that is not what a SHA256SUMS beside it says; others are let through."""
    path = Path(path)
    sums = path.parent / SUMS
    if not sums.is_file():
        return
    lines = (line.split(maxsplit=1) for line in sums.read_text(encoding="utf-8").splitlines())
    wanted = {name.strip().lstrip("*"): value for value, name in lines}
    if path.name in wanted and file_hash(path) != wanted[path.name]:
        raise ValueError(f"{path} is damaged, or another: {SUMS} beside it has another checksum")


class FolderLock:
    """A lock on a folder, for one process; the system gives it up when the process ends, however it does.

    Args:
        folder: there; gets a file NAME.

    Raises:
        ValueError: another process has it.
        OSError: the folder cannot be written to.
    """

    NAME = ".run.lock"

    def __init__(self, folder: str | os.PathLike):
        self.path = Path(folder) / self.NAME
        self._file = open(self.path, "ab")
        try:
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not os.path.samestat(os.fstat(self._file.fileno()), os.stat(self.path)):
                    raise FileNotFoundError  # removed meanwhile: another may be locking a new one
            else:
                import msvcrt

                msvcrt.locking(self._file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            _locks.add(self)
        except OSError:
            self._file.close()
            raise ValueError(f"another run is writing to {folder}; wait for it, or choose another folder") from None

    def release(self) -> None:
        """Let another process in."""
        self._file.close()

    def remove(self) -> None:
        """The same, where no file may be left behind."""
        if os.name == "posix":  # others cannot remove what is open
            self.path.unlink(missing_ok=True)
        self.release()

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


_locks: "weakref.WeakSet[FolderLock]" = weakref.WeakSet()


def _give_up_copies() -> None:
    """In a forked process, which may outlive the one that has the locks."""
    for lock in list(_locks):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_give_up_copies)
