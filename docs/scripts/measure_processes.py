"""Whether several processes measure and train what one does.

    OMP_NUM_THREADS=1 python docs/scripts/measure_processes.py > docs/results/processes.md

Drawn photographs, 25 of them to evaluate: neither two nor three processes can share them evenly. Every row is a
command as a user gives it; bytes are compared between the folders that commands of one and of more processes leave.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from detectron2.modeling import build_model
from detectron2.utils import comm
from processor import processor
from tabulate import tabulate

from fundus_plugins.config import get_fundus_cfg
from fundus_plugins.engine.processes import launch
from fundus_plugins.engine.statistics import average_statistics
from fundus_plugins.prediction.release import PACKAGED, release_cfg
from fundus_plugins.provenance import current_commit

DRAWN = {"train": 24, "val": 25, "test": 1, "size": 256, "seed": 3}
COUNTS = (1, 2, 3)
AVERAGES = 50
SMALL = (
    "INPUT.MIN_SIZE_TRAIN (256,) INPUT.MAX_SIZE_TRAIN 256 INPUT.MIN_SIZE_TEST 256 INPUT.MAX_SIZE_TEST 256 "
    "MODEL.FPN.SQUARE_PAD 256 DATALOADER.NUM_WORKERS 0 SOLVER.IMS_PER_BATCH 6 SOLVER.MAX_ITER 20 SOLVER.STEPS () "
    "SOLVER.WARMUP_ITERS 1 TEST.EVAL_PERIOD 10 SEED 1 DATASETS.TRAIN ('phantom_train',) DATASETS.TEST ('phantom_val',)"
).split()
NO_CHANCE = "INPUT.RANDOM_FLIP none INPUT.RANDOM_FLIP_VERTICAL False INPUT.RANDOM_ROTATE_90 False".split()
UNET = [*SMALL, *"MODEL.UNET.CHANNELS (8,16,16,32,32) SOLVER.MAX_ITER 60 TEST.EVAL_PERIOD 60".split()]
PLAIN = [*SMALL, *NO_CHANCE, *"MODEL.UNET.CHANNELS (8,16,16,32,32) DATASETS.TEST () MODEL.UNET.NORM".split(), ""]
GRADING = (
    "MODEL.TIMM.NAME mobilenetv1_100 MODEL.TIMM.PRETRAINED False INPUT.SQUARE_SIZE 224 DATALOADER.NUM_WORKERS 0 "
    "SOLVER.IMS_PER_BATCH 6 SOLVER.EPOCHS 2 SEED 1 DATASETS.TRAIN ('phantom_train_grading',) "
    "DATASETS.TEST ('phantom_val_grading',)"
).split()


@dataclass(frozen=True)
class Model:
    """Something to evaluate: its weights, and the words of a command that reads them."""

    name: str
    config: str
    words: list[str]
    weights: str
    dataset: str = "phantom_val"
    shown: tuple[str, ...] = ("dice_od", "dice_oc")


def fundus(*words: object, threads: str | None = "1") -> float:
    """Run `fundus`; seconds. threads None: each process takes its share."""
    environment = {key: x for key, x in os.environ.items() if key != "OMP_NUM_THREADS"}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    if threads is not None:
        environment["OMP_NUM_THREADS"] = threads
    begun = time.monotonic()
    command = [sys.executable, "-m", "fundus_plugins", *map(str, words)]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - begun


def train(root: Path, name: str, config: str, words: list[str], processes: int) -> Path:
    output = root / f"{name}_{processes}"
    fundus("train", "--config-file", config, "--num-processes", processes, *words, "OUTPUT_DIR", output)
    return output


def of_one(root: Path, model: Model, processes: int = 1, threads: str | None = "1") -> Path:
    """Where the measures of one process with one thread are, or will be; of others too."""
    return root / f"evaluated_{model.name.replace(' ', '_')}_{processes}_{threads}"


def evaluate(root: Path, model: Model, processes: int, threads: str | None = "1") -> tuple[Path, float]:
    output = of_one(root, model, processes, threads)
    words = ["train", "--eval-only", "--config-file", model.config, "--num-processes", processes, *model.words]
    masks = [] if "grading" in model.dataset else ["TEST.SAVE_MASKS", "png"]
    seconds = fundus(*words, *masks, "MODEL.WEIGHTS", model.weights, "OUTPUT_DIR", output, threads=threads)
    return output, seconds


def files(output: Path) -> dict[str, bytes]:
    """What was measured and what was outlined; not the logs and the config."""
    found = [x for part in ("evaluation", "masks") for x in (output / part).rglob("*") if x.is_file()]
    return {str(x.relative_to(output)): x.read_bytes() for x in found}


def differing(one: dict[str, bytes], other: dict[str, bytes]) -> int:
    """Bytes."""
    total = 0
    for name in one.keys() | other.keys():
        a, b = one.get(name, b""), other.get(name, b"")
        total += sum(x != y for x, y in zip(a, b)) + abs(len(a) - len(b))
    return total


def metrics(output: Path, model: Model) -> dict:
    return json.loads((output / "evaluation" / f"{model.dataset}_metrics.json").read_text())["metrics"]


def rows_of(root: Path, model: Model, threads: str | None = "1", counts: tuple[int, ...] = COUNTS) -> list[list]:
    rows, one = [], None
    for processes in counts:
        output, seconds = evaluate(root, model, processes, threads)
        one = one or files(of_one(root, model))
        table = (output / "evaluation" / f"{model.dataset}_images.csv").read_text().splitlines()[1:]
        names = {line.split(",")[0] for line in table}
        values = metrics(output, model)
        shown = ", ".join(f"{x} {values[x]:.6f}" for x in model.shown)
        found = files(output)
        size = sum(map(len, found.values()))
        row = [model.name, processes, threads or "share", len(table), len(names), shown]
        rows.append([*row, f"{differing(one, found)} of {size}", f"{seconds:.0f}"])
    return rows


def saved_is_measured(run: Path, root: Path, model: Model, group: str) -> list:
    """The metrics that the run says, beside those of its last weights in one process."""
    output = of_one(root, model)
    if not output.exists():
        evaluate(root, model, 1)
    lines = map(json.loads, (run / "metrics.json").read_text().splitlines())
    said = [x for x in lines if any(key.startswith(group) for key in x)][-1]
    own = {key: x for key, x in metrics(output, model).items() if x is not None}
    return [model.name, len(own), sum(said[f"{group}/{key}"] != x for key, x in own.items())]


def loss(run: Path) -> float:
    lines = map(json.loads, (run / "metrics.json").read_text().splitlines())
    return [x["total_loss"] for x in lines if "total_loss" in x][-1]


def cost(folder: str) -> None:
    """Milliseconds of `average_statistics` of RF-Net, by the main process, in a file."""
    model = build_model(get_fundus_cfg("rfnet_refuge.yaml", ["MODEL.DEVICE", "cpu"]))
    average_statistics(model)
    begun = time.perf_counter()
    for _ in range(AVERAGES):
        average_statistics(model)
    if comm.is_main_process():
        Path(folder, "cost.txt").write_text(f"{(time.perf_counter() - begun) / AVERAGES * 1000:.1f}")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ["DETECTRON2_DATASETS"] = str(root / "datasets")
        raw = root / "datasets" / "phantom" / "raw"
        fundus("draw-phantoms", "--output", raw, *(x for key, value in DRAWN.items() for x in (f"--{key}", value)))
        fundus("convert", "refuge", "--root", raw, "--output", raw.parent)
        packaged = root / "packaged.yaml"
        packaged.write_text(release_cfg(PACKAGED, ["DATASETS.TEST", ("phantom_val",)]).dump())
        shown = [*NO_CHANCE, "DATALOADER.NUM_WORKERS", "0"]
        rfnet = Model("RF-Net, packaged", str(packaged), shown, PACKAGED)
        rows = rows_of(root, rfnet) + rows_of(root, rfnet, None, (1, 2))

        config = "baselines/unet_drishti.yaml"
        plain = {n: train(root, "plain", config, PLAIN, n) for n in COUNTS}
        normed = train(root, "unet", config, UNET, 2)
        unet = Model("U-Net, 60 iterations", config, UNET, str(normed / "model_final.pth"))
        rows += rows_of(root, unet)
        graded = train(root, "graded", "ranking_cnn.yaml", GRADING, 2)
        grader = Model(
            "ranking-CNN", "ranking_cnn.yaml", GRADING, f"{graded}/model_final.pth", "phantom_val_grading", ("loss",)
        )
        rows += rows_of(root, grader)
        trained = train(root, "rfnet", "Base-RFNet.yaml", SMALL, 2)
        own = Model("RF-Net, 20 iterations", "Base-RFNet.yaml", SMALL, str(trained / "model_final.pth"))
        same = [
            saved_is_measured(trained, root, own, "disc_cup"),
            saved_is_measured(normed, root, unet, "disc_cup"),
            saved_is_measured(graded, root, grader, "grading"),
        ]
        losses = [[n, f"{loss(run):.6f}", f"{abs(loss(run) / loss(plain[1]) - 1):.1e}"] for n, run in plain.items()]
        launch(cost, (name,), processes=2, on_cpu=True)
        milliseconds = (root / "cost.txt").read_text()
    headings = ["model", "processes", "threads each", "rows in CSV", "photographs", "measures", "differing bytes"]
    print(f"""# Several processes

{__doc__.strip().split(chr(10) * 2)[2]}

## Evaluation of given weights

Differing bytes: of the CSV, the JSON and the masks or pictures, from those of one process with one thread. Seconds are
of the whole command, most of them its start.

{tabulate(rows, [*headings, "seconds"], tablefmt="github", disable_numparse=True)}

## Saved weights are those that were measured

Trained by two processes: what metrics.json says of the last weights, and what one process measures of
`model_final.pth`.

{tabulate(same, ["model", "metrics", "different"], tablefmt="github")}

## Training

The plain U-Net without batch norm and augmentation, 20 iterations of six photographs: the median loss, and how far it
is from one process's.

{tabulate(losses, ["processes", "loss", "relative difference"], tablefmt="github", disable_numparse=True)}

The mean of batch norm's running statistics over two processes takes {milliseconds} ms a step, of RF-Net (the paper's).

```bash
{shlex.join(["python", *sys.argv])}
```

{processor()}, of which other programs took a part; commit {current_commit()}.""")


if __name__ == "__main__":
    main()
