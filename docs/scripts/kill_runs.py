"""Whether a run of prediction that is killed again and again gives what an undisturbed one gives.

    python docs/scripts/kill_runs.py FOLDER [--kills 20] [--workers 2]

FOLDER holds photographs. The run is killed with SIGKILL at random times, started again, and at the end run through.
Every photograph must be in the table once, in order, and the tables must be equal but for the seconds.
"""

import argparse
import csv
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WRITE = ("csv", "overlays", "masks", "contours", "coco", "report")
NOT_COMPARED = ("seconds",)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        whole, killed = Path(root) / "whole", Path(root) / "killed"
        began = time.monotonic()
        subprocess.run(command(chosen, whole), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = time.monotonic() - began
        draw = random.Random(chosen.seed)
        kills, done = 0, []
        while kills < chosen.kills:
            run = subprocess.Popen(command(chosen, killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                run.wait(draw.uniform(0, 2.5 * seconds / chosen.kills))
            except subprocess.TimeoutExpired:
                run.send_signal(signal.SIGKILL)
                run.wait()
                kills += 1
                done.append(rows_in(killed))
                continue
            shutil.rmtree(killed)  # it came to its end before all kills: begin anew
            done.append(0)
        subprocess.run(command(chosen, killed), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        first, second = read(whole), read(killed)
        names = [row["id"] for row in second]
        files = [sorted(str(x.relative_to(y)) for x in y.rglob("*") if x.is_file()) for y in (whole, killed)]
        print(f"photographs: {len(first)}, undisturbed run: {seconds:.1f} s, workers: {chosen.workers}")
        print(f"kills: {kills}, rows after each: {' '.join(map(str, done))}")
        print(f"every photograph once: {len(names) == len(set(names)) == len(first)}")
        print(f"tables equal but for {', '.join(NOT_COMPARED)}: {first == second}")
        print(f"the same files: {files[0] == files[1]}")
        return int(first != second or files[0] != files[1])


def command(chosen: argparse.Namespace, output: Path) -> list[str]:
    words = ["-m", "fundus_plugins", "predict", str(chosen.folder), "--output", str(output), "--write", *WRITE]
    return [sys.executable, *words, "--workers", str(chosen.workers)]


def rows_in(output: Path) -> int:
    journal = output / "predictions.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def read(output: Path) -> list[dict]:
    with open(output / "predictions.csv", newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return [{name: value for name, value in row.items() if name not in NOT_COMPARED} for row in rows]


if __name__ == "__main__":
    sys.exit(main())
