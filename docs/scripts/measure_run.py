"""What a long run of prediction costs: photographs a second and memory as it goes on, and what writing files costs.

    python docs/scripts/measure_run.py --number 2000 > docs/results/long_run.md

100 drawn photographs of 1600 pixels, JPEG, linked as often as needed. Linux alone: memory is read from /proc.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from processor import processor
from tabulate import tabulate

from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters
from fundus_plugins.provenance import command_line, current_commit

DRAWN, SIDE, EVERY = 100, 1600, 0.2  # EVERY: seconds between looks at the memory
PARTS = 5
FILES = ("csv", "overlays", "masks")


def draw(folder: Path, number: int) -> None:
    drawn = folder / "drawn"
    drawn.mkdir()
    for seed in range(DRAWN):
        rng = np.random.default_rng((6, seed))
        picture = draw_phantom(sample_parameters(rng, "normal", "macula"), 800, rng).image
        picture = cv2.resize(
            picture, (SIDE, SIDE * picture.shape[0] // picture.shape[1]), interpolation=cv2.INTER_CUBIC
        )
        cv2.imwrite(str(drawn / f"{seed}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    (folder / "in").mkdir()
    for place in range(number):
        (folder / "in" / f"{place:05}.jpg").symlink_to(drawn / f"{place % DRAWN}.jpg")


def memory(process: int) -> float:
    """MiB that a process and its children hold, shared pages counted once."""
    total, waiting = 0, [process]
    while waiting:
        one = waiting.pop()
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += next(int(x.split()[1]) for x in lines if x.startswith("Pss:"))
            waiting += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except (OSError, StopIteration):  # it ended meanwhile
            continue
    return total / 1024


def run(folder: Path, output: Path, write: tuple[str, ...], number: int) -> tuple[float, list[tuple[float, float]]]:
    """Seconds in all, and for each part of the rows seconds and the largest memory."""
    command = [sys.executable, "-m", "fundus_plugins", "predict", str(folder / "in"), "--output", str(output)]
    began = time.monotonic()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    parts, last, most = [], began, 0.0
    with subprocess.Popen([*command, "--write", *write], stderr=subprocess.DEVNULL, env=environment) as process:
        while process.poll() is None:
            time.sleep(EVERY)
            most = max(most, memory(process.pid))
            journal = output / "predictions.jsonl"
            rows = journal.read_bytes().count(b"\n") if journal.exists() else 0
            if rows >= (len(parts) + 1) * number / PARTS and len(parts) < PARTS:
                now = time.monotonic()
                parts.append((now - last, most))
                last, most = now, 0.0
    return time.monotonic() - began, parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=2000)
    number = parser.parse_args().number
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder, number)
        bare, _ = run(folder, folder / "bare", ("jsonl",), number)
        files, parts = run(folder, folder / "files", FILES, number)
        report, _ = run(folder, folder / "report", ("csv", "overlays", "report"), number)
        page = (folder / "report" / "report.html").stat().st_size / 1e6
    rows = [
        [f"{i * number // PARTS + 1} to {(i + 1) * number // PARTS}", f"{seconds:.1f}", f"{most:.0f}"]
        for i, (seconds, most) in enumerate(parts)
    ]
    print(f"""# A long run

{number} drawn photographs of {SIDE} pixels, JPEG, `fundus predict` with its default processes.
{processor()}; load at the end {os.getloadavg()[0]:.1f}; commit {current_commit()}.

With `--write {" ".join(FILES)}`, part by part (the first with the start, memory of all processes together):

{tabulate(rows, ["photographs", "seconds", "MiB"], tablefmt="github", disable_numparse=True)}

| written | seconds | photographs/s |
|---|---|---|
| measures alone (`jsonl`) | {bare:.1f} | {number / bare:.1f} |
| {", ".join(FILES)} | {files:.1f} | {number / files:.1f} |
| csv, overlays, report | {report:.1f} | {number / report:.1f} |

Overlays and masks take {1 - bare / files:.0%} of the second run. The report's page has {page:.1f} MB, its pictures
lie in files beside it.

```bash
{command_line()}
```""")


if __name__ == "__main__":
    main()
