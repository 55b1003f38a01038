"""Which source made a figure, and which command."""

import contextlib
import shlex
import subprocess
import sys
from pathlib import Path


def current_commit() -> str:
    """The commit of this package's source, with "-dirty" after it where files differ; "unknown" outside of git.

    Outside it is also where the package is installed into a folder of another repository, which does not track it.
    """
    with contextlib.suppress(OSError):
        if _git("ls-files", "--error-unmatch", Path(__file__).name) is not None:
            return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or "unknown"
    return "unknown"


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def command_line() -> str:
    """This command, as it can be pasted into a shell."""
    words = sys.argv[1:]
    if Path(sys.argv[0]).stem == "fundus":
        return shlex.join(["fundus", *words])
    if Path(sys.argv[0]).name == "__main__.py":  # python -m
        return shlex.join(["python", "-m", Path(sys.argv[0]).parent.name, *words])
    return shlex.join(["python", *sys.argv])
