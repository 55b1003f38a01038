"""What `fundus predict --ray` costs beside the plain command, what deaths cost it, and how it grows.

    python docs/scripts/measure_ray.py [--number 400] [--pairs 4] [--only speed cost deaths growth] > ray.md

100 drawn photographs of 1600 pixels, JPEG, linked as often as needed. Both commands have two processes on the same
cores, and take turns. Machines are Ray's own of a test: raylets on this one. Linux alone: what processes use is read
from /proc.
"""

import argparse
import csv
import json
import os
import random
import shlex
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import cv2
from command_use import EVERY, Use, rows_in, start, use, words
from measure_run import SIDE, draw
from processor import processor
from tabulate import tabulate

from fundus_plugins.prediction.cluster.blocks import SIZE as BLOCK
from fundus_plugins.prediction.cluster.parts import Parts
from fundus_plugins.provenance import current_commit

WORKERS = 2
SMALL = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
LISTED = (1_000, 10_000, 100_000, 1_000_000)  # photographs that are not there


def speed(folder: Path, pairs: int) -> None:
    commands = {
        "plain": ("--workers", str(WORKERS), "--write", "csv"),
        "--ray": ("--workers", str(WORKERS), "--ray", "--write", "csv"),
    }
    found: dict[str, list[Use]] = {name: [] for name in commands}
    load = []
    for pair in range(pairs):
        for name in commands if pair % 2 else reversed(commands):
            output = folder / f"{name.strip('-')}{pair}"
            found[name].append(use(words(folder / "in", output, *commands[name]), output))
            load.append(os.getloadavg()[0])
    number = found["plain"][0].rows[-1][1]
    rows = []
    for name, runs in found.items():
        for pair, one in enumerate(runs):
            rows.append([name, pair + 1, one.seconds, one.first, one.rate(0), one.processor, one.rate(2)])
    headings = ["command", "pair", "seconds in all", "to the first rows", "photographs/s after", "core-seconds in all"]
    print(f"## Beside the plain command\n\n{number} photographs of {SIDE} pixels, {WORKERS} processes each.\n")
    print(tabulate(sorted(rows, key=lambda x: x[1]), [*headings, "photographs/core-s after"], "github", floatfmt=".3g"))
    both = list(zip(found["plain"], found["--ray"]))
    for text, ratio in {
        "photographs a core-second once it runs": lambda p, r: r.rate(2) / p.rate(2),
        "photographs a core-second, with the start": lambda p, r: p.processor / r.processor,
        "photographs a second once it runs": lambda p, r: r.rate(0) / p.rate(0),
        "photographs a second with the start": lambda p, r: p.seconds / r.seconds,
    }.items():
        ratios = [ratio(*pair) for pair in both]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"\n- {text}: {statistics.median(ratios):.2f} of the plain command's (median of pairs; {spread})", end="")
    late = statistics.median(r.processor - p.processor for p, r in both)
    print(f"\n- {late:.0f} core-seconds more in all, with the start", end="")
    few, parts = Parts(folder / "ray0"), Parts(folder / "one")
    records = [x for number in few.numbers() for x in few.read(number)]
    parts.write(0, (records * BLOCK)[:BLOCK])
    (size,) = (x.stat().st_size for x in (folder / "one" / "predictions.parquet").iterdir())
    print(f"\n- a part of {BLOCK} rows: {size / 1024:.0f} KiB, {size / BLOCK:.0f} bytes a row", end="")
    print(f"\n- load of the machine meanwhile: {min(load):.1f} to {max(load):.1f}, its own two processes with it\n")


def same(output: Path, plain: Path) -> list:
    """Rows of a run on Ray: lost, there twice, and other than the plain command's but for the seconds."""
    wanted = {x["id"]: x for x in map(json.loads, (plain / "predictions.jsonl").read_text().splitlines())}
    parts = Parts(output)
    found = [x for number in parts.numbers() for x in parts.read(number)]
    names = [x["id"] for x in found]
    others = [x for x in found if {**x, "seconds": 0} != {**wanted[x["id"]], "seconds": 0}]
    return [len(found), len(set(wanted) - set(names)), len(names) - len(set(names)), len(others)]


def deaths(folder: Path, kills: int, seed: int) -> None:
    plain, rows = folder / "whole", []
    whole = use(words(folder / "in", plain, "--workers", str(WORKERS), "--write", "csv"), plain)
    for name, one_run in {"the command (SIGKILL)": kill_command, "one of three machines": kill_machines}.items():
        draws, kept, found = random.Random(seed), [], []
        while (
            left := kills - sum(map(len, kept))
        ) > 0:  # a run that comes to its end before all is followed by another
            output = folder / f"{one_run.__name__}{len(kept)}"
            kept.append(one_run(folder / "in", output, [draws.uniform(0, whole.seconds / kills) for _ in range(left)]))
            found.append(same(output, plain))
        after = "; ".join(" ".join(map(str, x)) for x in kept)
        rows.append([name, len(kept), sum(map(len, kept)), after, *map(sum, zip(*found))])
    print("## Deaths\n")
    print(tabulate(rows, ["killed", "runs", "kills", "rows after each", "rows", "lost", "twice", "other"], "github"))
    print("\nRows are those of all runs. Other: than the plain command's row or outlines, but for the seconds.\n")


def kill_command(photographs: Path, output: Path, waits: list[float]) -> list[int]:
    """Kill a run after each of some seconds, from its next rows on, then let it end; the rows that were there."""
    kept: list[int] = []
    for wait in waits:
        process, before = start(words(photographs, output, "--ray", "--workers", str(WORKERS))), rows_in(output, {})
        while process.poll() is None and rows_in(output, {}) == before:
            time.sleep(EVERY)
        end = time.monotonic() + wait
        while process.poll() is None and time.monotonic() < end:
            time.sleep(EVERY)
        if process.poll() is not None:
            return kept
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept.append(rows_in(output, {}))
    start(words(photographs, output, "--ray", "--workers", str(WORKERS))).wait()
    return kept


def kill_machines(photographs: Path, output: Path, waits: list[float]) -> list[int]:
    """Kill one of two machines beside the head after each of some seconds; another comes in its place."""
    from ray.cluster_utils import Cluster

    cluster, kept = Cluster(initialize_head=True, head_node_args=SMALL), []
    nodes = [cluster.add_node(**SMALL) for _ in range(2)]
    process = start(words(photographs, output, "--ray", cluster.address))
    while process.poll() is None and not rows_in(output, {}):
        time.sleep(EVERY)
    for wait in waits:
        end = time.monotonic() + wait
        while process.poll() is None and time.monotonic() < end:
            time.sleep(EVERY)
        if process.poll() is not None:
            break
        cluster.remove_node(nodes.pop(0), allow_graceful=False)
        kept.append(rows_in(output, {}))
        nodes.append(cluster.add_node(**SMALL))
    process.wait()
    cluster.shutdown()
    return kept


def growth(folder: Path) -> None:
    rows = []
    for number in LISTED:
        path, output = folder / f"{number}.csv", folder / f"listed{number}"
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path"])
            writer.writerows([f"clinic{x % 50:02}/patient{x:07}/photograph_{x:07}_OD.jpg"] for x in range(number))
        for turn in ("first", "again")[: 1 if number == LISTED[-1] else 2]:
            one = use(words(path, output, "--ray", "--workers", str(WORKERS), "--write", "parquet"), output)
            parts = len(Parts(output).numbers())
            rows.append([number, turn, one.seconds, one.processor, one.mebibytes, parts])
    print("## Growth\n\nPhotographs that are listed and not there, so that everything but the model is at work.\n")
    headings = ["listed", "run", "seconds", "core-seconds", "MiB of the command's process", "parts"]
    print(tabulate(rows, headings, "github", floatfmt=".0f"), end="\n\n")


def cost(folder: Path) -> None:
    """What one photograph costs in one process with one thread, step by step."""
    from fundus_plugins import FundusPredictor
    from fundus_plugins.photographs.sources import Source, read_data, read_source
    from fundus_plugins.prediction.run.record import make_record

    cv2.setNumThreads(1)
    predictor = FundusPredictor(threads=1)
    files = sorted((folder / "drawn").iterdir())
    steps: dict[str, list[float]] = {}

    def timed(name, function, *given):
        began = time.process_time()
        found = function(*given)
        steps.setdefault(name, []).append(time.process_time() - began)
        return found

    records = []
    for path in files:
        source = Source(path.name, path)
        data = timed("read the file", read_data, source)
        image, known = timed("read and decode it", read_source, source)
        prepared = timed("what the model reads", predictor.prepare, image)
        (found,) = timed("model, measures, grade", predictor.predict_prepared, [prepared])
        records.append(timed("record", make_record, source, known, image, found))
        steps.setdefault("bytes", []).append(len(data))
    parts = Parts(folder / "cost")
    timed("a part", parts.write, 0, [{**x, "id": f"{n}"} for n, x in enumerate((records * BLOCK)[:BLOCK])])
    (size,) = (x.stat().st_size for x in (folder / "cost" / "predictions.parquet").iterdir())
    middle = {name: statistics.median(values) for name, values in steps.items()}
    middle["read and decode it"] -= middle["read the file"]
    middle["decode it"] = middle.pop("read and decode it")
    middle["its row in a part"] = middle.pop("a part") / BLOCK
    photograph = middle.pop("bytes")
    total = sum(middle.values())
    rows = [[name, 1000 * value, 100 * value / total] for name, value in middle.items()]
    print(f"## One photograph\n\n{len(files)} photographs of {SIDE} pixels, one thread, medians.\n")
    headings = ["step", "milliseconds of a core", "percent"]
    print(tabulate([*rows, ["all", 1000 * total, 100]], headings, "github", floatfmt=".1f"))
    print(f"\nIts file has {photograph / 1024:.0f} KiB, its row {size / BLOCK:.0f} bytes in a part of {BLOCK}.\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=400)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=["speed", "cost", "deaths", "growth"])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as root:
        folder = Path(root)
        if {"speed", "cost", "deaths"} & set(chosen.only):
            draw(folder, chosen.number)
        if "speed" in chosen.only:
            speed(folder, chosen.pairs)
        if "cost" in chosen.only:
            cost(folder)
        if "deaths" in chosen.only:
            deaths(folder, chosen.kills, chosen.seed)
        if "growth" in chosen.only:
            growth(folder)
    print(f"```bash\n{shlex.join(['python', *sys.argv])}\n```\n\n{processor()}; commit {current_commit()}.")


if __name__ == "__main__":
    main()
