"""Which source made a figure."""

import contextlib
import subprocess
from pathlib import Path


def current_commit() -> str:
    """The commit of this package's source, with "-dirty" after it where files differ; "unknown" outside of git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    with contextlib.suppress(OSError):
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.strip()
    return "unknown"
