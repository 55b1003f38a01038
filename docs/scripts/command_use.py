"""What a prediction's processes use while it runs, with or without Ray. Linux alone: it is read from /proc."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from fundus_plugins.prediction.cluster.parts import Parts

EVERY = 0.1  # seconds between looks
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Use:
    """What a command used: seconds of the clock and of cores, memory.

    `rows`: from look to look seconds, rows that were there, core-seconds.
    """

    seconds: float
    processor: float
    rows: list[tuple[float, int, float]]
    mebibytes: float

    @property
    def first(self) -> float:
        return next(x[0] for x in self.rows if x[1])

    def rate(self, of: int) -> float:
        """Photographs a second (of the clock: 0, of a core: 2), from the first rows to the last."""
        there = [x for x in self.rows if x[1]]
        last = next(x for x in there if x[1] == there[-1][1])
        return (last[1] - there[0][1]) / (last[of] - there[0][of])


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "OMP_NUM_THREADS": "1"}


def words(photographs: Path, output: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "fundus_plugins", "predict", str(photographs), "--output", str(output), *more]


def start(command: list[str]) -> subprocess.Popen:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=environment(), **quiet)


def use(command: list[str], output: Path) -> Use:
    process, began = start(command), time.monotonic()
    processor: dict[int, float] = {}
    rows: list[tuple[float, int, float]] = []
    known: dict[int, int] = {}
    mebibytes = 0.0
    while process.poll() is None:
        for number, seconds in family(process.pid):
            processor[number] = seconds
        rows.append((time.monotonic() - began, rows_in(output, known), sum(processor.values())))
        try:
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            mebibytes = max(mebibytes, *(int(x.split()[1]) / 1024 for x in lines if x.startswith("VmHWM")))
        except (OSError, TypeError):
            pass
        time.sleep(EVERY)
    rows.append((time.monotonic() - began, rows_in(output, known), sum(processor.values())))
    return Use(time.monotonic() - began, sum(processor.values()), rows, mebibytes)


def family(process: int) -> list[tuple[int, float]]:
    """A process and all below it, and the seconds of a processor that each has used."""
    found, waiting = [], [process]
    while waiting:
        one = waiting.pop()
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            found.append((one, (int(fields[11]) + int(fields[12])) / TICK))
            for thread in os.listdir(f"/proc/{one}/task"):
                waiting += map(int, Path(f"/proc/{one}/task/{thread}/children").read_text().split())
        except (OSError, IndexError):  # it ended meanwhile
            continue
    return found


def rows_in(output: Path, known: dict[int, int]) -> int:
    """Rows that are on the disk; `known` are those of parts that were seen before."""
    journal = output / "predictions.jsonl"
    if journal.exists():
        return journal.read_bytes().count(b"\n")
    parts = Parts(output)
    for number in parts.numbers():
        if number not in known:
            known[number] = len(parts.columns(number, ["id"])[0])
    return sum(known.values())
