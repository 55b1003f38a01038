"""Whether commands that are killed again and again end with what they would have given undisturbed.

    python docs/scripts/kill_commands.py [--kills 20] [--seed 0] [--only training ...] > docs/results/faults.md

Training, a two-stage training of grades, a conversion and a table of experiments, on small phantoms. Each command is
killed with SIGKILL, with all that it started, and given again: a quarter of the times at any moment, else at one after
its training has begun, so that it comes on by little steps. One that comes to its end begins anew. After every kill no
file with its final name may be half a file; after the last one the command is run through, and its weights, JSON and
figures must equal, to the bit, those of a run that nobody disturbed.
"""

import argparse
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from processor import processor
from tabulate import tabulate

from fundus_plugins.engine.checkpoint import is_whole
from fundus_plugins.provenance import current_commit
from fundus_plugins.weights.loading import digest

SMALL = (
    "INPUT.MIN_SIZE_TRAIN (128,) INPUT.MAX_SIZE_TRAIN 128 INPUT.MIN_SIZE_TEST 128 INPUT.MAX_SIZE_TEST 128 "
    "MODEL.FPN.SQUARE_PAD 128 MODEL.FPN.OUT_CHANNELS 16 MODEL.ROI_MASK_HEAD.CONV_DIM 16 MODEL.ROI_BOX_HEAD.FC_DIM 32 "
    "MODEL.ANCHOR_GENERATOR.SIZES [[16],[32],[64],[128]] MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE 16 "
    "DATALOADER.NUM_WORKERS 0 SOLVER.IMS_PER_BATCH 2 SOLVER.WARMUP_ITERS 1 SEED 1"
).split()
GRADING = (
    "MODEL.FUNDUS_TIMM.NAME mobilenetv1_100 MODEL.FUNDUS_TIMM.PRETRAINED False MODEL.GRADING.FC_DIM 16 "
    "INPUT.SQUARE_SIZE 64 "
    "DATALOADER.NUM_WORKERS 0 SOLVER.IMS_PER_BATCH 4 SOLVER.EPOCHS 2 MODEL.GRADING.STAGE1_EPOCHS 2 SEED 1 "
    "DATASETS.TRAIN ('phantom_train_grading',) DATASETS.TEST ('phantom_val_grading',)"
).split()
SEGMENTATION = "DATASETS.TRAIN ('phantom_train',) DATASETS.TEST ('phantom_val',)".split()
STEP = 1.0  # of the undisturbed time over the kills: how far a command comes, at most, before the next kill
TABLE = """title: killed
reference: one
rows:
- {name: one, config: Base-RFNet.yaml}
"""


@dataclass(frozen=True)
class Case:
    """A command: its words, given a folder to write to; what its progress is; what must be equal in the end."""

    name: str
    words: Callable[[Path], list[str]]
    progress: Callable[[Path], str]
    result: Callable[[Path], object]


def cases(root: Path) -> list[Case]:
    train = ["train", "--config-file"]
    schedule = "SOLVER.MAX_ITER 12 SOLVER.CHECKPOINT_PERIOD 2 TEST.EVAL_PERIOD 3".split()
    short = "SOLVER.MAX_ITER 4 SOLVER.CHECKPOINT_PERIOD 1".split()
    raw, table = root / "datasets" / "phantom" / "raw", root / "killed.yaml"
    table.write_text(TABLE)
    compare = ["table", "--table", str(table), "--dataset", "phantom_train", "--folds", "2"]
    return [
        Case(
            "training",
            lambda x: [*train, "Base-RFNet.yaml", "--resume", *SMALL, *SEGMENTATION, *schedule, "OUTPUT_DIR", str(x)],
            iteration,
            lambda x: [tensors(x / name) for name in ("model_final.pth", "model_best.pth")],
        ),
        Case(
            "two-stage training",
            lambda x: [*train, "2sranking_cnn.yaml", "--resume", *GRADING, "OUTPUT_DIR", str(x)],
            lambda x: f"{iteration(x / 'stage1')}+{iteration(x)}",
            lambda x: [tensors(x / y / f"model_{z}.pth") for y in ("stage1", "") for z in ("final", "best")],
        ),
        Case(
            "conversion",
            lambda x: ["convert", "refuge", "--root", str(raw), "--output", str(x), "--processes", "2"],
            lambda x: str(len(list(x.glob("*.json")))),
            lambda x: {path.name: path.read_text() for path in sorted(x.glob("*.json"))},
        ),
        Case(
            "table",
            lambda x: [*compare, "--output", str(x), *without_seed([*SMALL, *short])],
            lambda x: str(len(list(x.rglob("result.json")))),
            lambda x: [figures(path) for path in sorted(x.rglob("result.json"))],
        ),
    ]


def without_seed(words: list[str]) -> list[str]:
    """A table chooses the seeds itself."""
    place = words.index("SEED")
    return words[:place] + words[place + 2 :]


def iteration(folder: Path) -> str:
    """How many iterations the newest checkpoint has."""
    pointer = folder / "last_checkpoint"
    if not pointer.is_file():
        return "0"
    return str(torch.load(folder / pointer.read_text(), weights_only=True)["iteration"] + 1)


def tensors(path: Path) -> str:
    """A checksum of a checkpoint's weights."""
    return digest(torch.load(path, weights_only=True)["model"])


def figures(path: Path) -> dict:
    """Of a table's run, without what differs from run to run."""
    found = json.loads(path.read_text())
    return {key: x for key, x in found.items() if not key.startswith("seconds") and key not in ("commits", "command")}


def begun(folder: Path) -> int:
    """How often a training has begun there."""
    return sum(path.read_text(errors="replace").count("Starting training from") for path in folder.rglob("log.txt"))


def half_files(folder: Path) -> list[str]:
    """Files with their final names that cannot be read."""
    broken = [path for path in folder.rglob("*.pth") if not is_whole(path)]
    for path in folder.rglob("*.json"):
        if path.name != "metrics.json":  # a line an iteration, which Detectron2 adds
            try:
                json.loads(path.read_text())
            except ValueError:
                broken.append(path)
    for pointer in folder.rglob("last_checkpoint"):
        if not (pointer.parent / pointer.read_text()).is_file():
            broken.append(pointer)
    return [str(path.relative_to(folder)) for path in broken]


def run(case: Case, root: Path, kills: int, draw: random.Random) -> list:
    """A row of the table."""
    environment = os.environ | {"DETECTRON2_DATASETS": str(root / "datasets")}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    whole, killed = (root / case.name / x for x in ("whole", "killed"))

    def command(folder: Path) -> list[str]:
        return [sys.executable, "-m", "fundus_plugins", *case.words(folder)]

    began = time.monotonic()
    first = subprocess.run(command(whole), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    if first.returncode > 1:  # 1: done, and something is told
        raise RuntimeError(first.stderr.decode().splitlines()[-1])
    seconds = time.monotonic() - began
    after: list[str] = []
    broken: list[str] = []
    equal = True  # whenever it comes to its end
    while len(after) < kills:
        before = begun(killed)
        process = subprocess.Popen(command(killed), start_new_session=True, **quiet)
        anywhere = draw.random() < 0.25 or case.name == "conversion"
        end = time.monotonic() + draw.uniform(0, seconds)
        while not anywhere and process.poll() is None and begun(killed) == before:
            time.sleep(0.02)
        if not anywhere:
            end = time.monotonic() + draw.uniform(0, STEP * seconds / kills)
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        if process.poll() is not None:
            equal &= case.result(whole) == case.result(killed)
            shutil.rmtree(killed)
            after.append("/")
            kills += 1
            continue
        os.killpg(process.pid, signal.SIGKILL)  # all that it started, as a power cut would
        process.wait()
        broken += half_files(killed)
        after.append(case.progress(killed))
        if case.name == "conversion":  # which has no state to go on from
            shutil.rmtree(killed, ignore_errors=True)
    anew = after.count("/")
    kills -= anew
    done = subprocess.run(command(killed), **quiet).returncode
    equal &= case.result(whole) == case.result(killed)
    left = [x for x in killed.rglob(".*.part")]
    print(f"{case.name}: {equal}, {broken}, {done}", file=sys.stderr)
    return [case.name, f"{seconds:.1f} s", kills, " ".join(after), anew, len(broken), len(left), done, equal]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="names of cases")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        raw = root / "datasets" / "phantom" / "raw"
        sizes = ["--train", "24", "--val", "2", "--test", "2", "--size", "128", "--seed", "3"]
        words = [sys.executable, "-m", "fundus_plugins"]
        subprocess.run([*words, "draw-phantoms", "--output", str(raw), *sizes], check=True, stdout=sys.stderr)
        convert = ["convert", "refuge", "--root", str(raw), "--output", str(raw.parent)]
        subprocess.run([*words, *convert], stdout=sys.stderr)
        draw = random.Random(chosen.seed)
        wanted = [x for x in cases(root) if not chosen.only or x.name in chosen.only]
        rows = [run(case, root, chosen.kills, draw) for case in wanted]
    print("# Killed commands\n")
    print(f"{__doc__.strip().split(chr(10) * 2)[2]}\n")
    headings = [
        "command",
        "undisturbed",
        "kills",
        "kept after each",
        "begun anew",
        "half files",
        "leftovers",
        "exit code",
    ]
    print(tabulate(rows, headers=[*headings, "equal"], tablefmt="github"))
    print(
        "\nKept (a slash: begun anew): iterations in the newest checkpoint (of the two stages: 1+2), JSON files,\n"
        "finished runs of the table; what came after is done again. Leftovers: temporary files at the end.\n"
    )
    print(f"```bash\n{shlex.join(['python', *sys.argv])}\n```\n\n{processor()}; commit {current_commit()}.")
    return int(not all(row[-1] and not row[5] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
