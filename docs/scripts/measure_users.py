"""What a user waits for: the command of `fundus predict`, and of what else outlines disc and cup.

    python docs/scripts/measure_users.py --automorph AutoMorph/M2_lwnet_disc_cup > docs/results/users.md

Each contender runs as a command of its own, from its start to masks and a table on the disk: on one photograph, and on
all; contender after contender, twice. AutoMorph's disc and cup (Zhou et al. 2022) are eight W-Nets, whose code and
weights a copy of its repository brings; they are run one after another on 512 x 512 pixels, as its own script does,
without what else that script draws. The U-Net and Mask R-CNN have random weights. Linux alone: /proc tells the memory.
"""

import argparse
import csv
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from measure_run import memory
from processor import processor
from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[2]
SIDE, NETWORK_SIDE, ROUNDS, EVERY = 2000, 512, 2, 0.1
PEERS = {
    "automorph": "AutoMorph, eight W-Nets",
    "unet": "U-Net resnet34",
    "mask_rcnn": "Detectron2's Mask R-CNN R50-FPN",
}


def draw(folder: Path, number: int) -> None:
    from fundus_plugins.data.phantom.drawing import draw_phantom
    from fundus_plugins.data.phantom.sampling import sample_parameters

    for seed in range(number):
        rng = np.random.default_rng((5, seed))
        picture = draw_phantom(sample_parameters(rng, "normal", "disc"), 1000, rng).image
        size = SIDE, SIDE * picture.shape[0] // picture.shape[1]
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{seed:03}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])


def run(command: Sequence[str]) -> tuple[float, float]:
    """Seconds, and the most MiB that the command and its children held."""
    began, most = time.monotonic(), 0.0
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment, "cwd": ROOT}
    with subprocess.Popen(command, **quiet) as process:
        while process.poll() is None:
            most = max(most, memory(process.pid))
            time.sleep(EVERY)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}")
    return time.monotonic() - began, most


def compare(automorph: Path, number: int) -> None:
    here = str(Path(__file__).resolve())

    def peer(name: str) -> Callable[[Path, Path], list[str]]:
        words = [here, "--automorph", str(automorph), "--peer", name]
        return lambda photographs, output: [sys.executable, *words, str(photographs), str(output)]

    def fundus(*words: str) -> Callable[[Path, Path], list[str]]:
        command = [sys.executable, "-m", "fundus_plugins", "predict", "--write", "csv", "masks", *words]
        return lambda photographs, output: [*command, "--output", str(output), "--input", str(photographs)]

    one = fundus("--workers", "1")
    contenders = {
        "fundus predict": fundus(),
        "fundus predict --no-grade": fundus("--no-grade"),
        "fundus predict, one process": one,
        "fundus predict, one process, one thread": lambda a, b: ["env", "OMP_NUM_THREADS=1", *one(a, b)],
    }
    contenders |= {text: peer(name) for name, text in PEERS.items()}
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, count in (("one", 1), ("all", number)):
            (folder / part).mkdir()
            draw(folder / part, count)
        for turn in range(ROUNDS):
            for contender, command in contenders.items():
                first, _ = run(command(folder / "one", folder / f"{turn} one {contender}"))
                every, most = run(command(folder / "all", folder / f"{turn} all {contender}"))
                found[contender].append((first, number / every, most))
    means = {name: [statistics.mean(x) for x in zip(*values)] for name, values in found.items()}
    ours = means["fundus predict --no-grade"]
    rows = [
        [name, f"{first:.1f}", f"{rate:.2f}", f"{ours[1] / rate:.1f}", f"{most:.0f}"]
        for name, (first, rate, most) in means.items()
    ]
    heading = ["command", "seconds for one photograph", "photographs/s", "times slower", "MiB at most"]
    torch = sum(_size(x) for x in ("torch", "torchvision"))
    from fundus_plugins.provenance import current_commit

    print(f"""# What a user waits for

{number} drawn photographs of {SIDE} pixels, JPEG, from the command to masks and a table; means of {ROUNDS} rounds,
contender after contender. {processor()}; commit {current_commit()}.

{tabulate(rows, heading, tablefmt="github", disable_numparse=True)}

`fundus predict` runs the packaged weights in onnxruntime, and grades, which the others do not. The others run in
PyTorch, which has {torch:.0f} MB here with torchvision, with all cores. The networks of the last
two have random weights.

```bash
python docs/scripts/measure_users.py --automorph AutoMorph/M2_lwnet_disc_cup --number {number}
```""")


def _size(package: str) -> float:
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None
    return sum(x.stat().st_size for x in Path(spec.origin).parent.rglob("*") if x.is_file()) / 1e6


def run_peer(name: str, automorph: Path, photographs: Path, output: Path) -> None:
    """Masks in REFUGE's coding, and vCDRs in a table, as `fundus predict` writes them."""
    from benchmarks.contender import predict_files
    from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio
    from fundus_plugins.photographs.masks import encode_refuge_mask

    paths = sorted(photographs.iterdir())
    output.mkdir()
    with open(output / "table.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        for path, (disc, cup) in zip(paths, predict_files(_build(name, automorph), map(str, paths))):
            cv2.imwrite(
                str(output / f"{path.stem}.png"), encode_refuge_mask(disc, cup), [cv2.IMWRITE_PNG_COMPRESSION, 1]
            )
            table.writerow([path.name, vertical_cup_to_disc_ratio(disc, cup)])


def _build(name: str, automorph: Path):
    import torch

    if name == "automorph":
        return _build_automorph(automorph)
    from benchmarks.peers import build_detectron2, build_unet

    return build_unet(NETWORK_SIDE, torch.float32) if name == "unet" else build_detectron2(NETWORK_SIDE, 2)


def _build_automorph(code: Path):
    """The mean of the softmax of eight W-Nets; classes 1 and 2 are the disc's rim and the cup."""
    import torch
    from torchvision.transforms.functional import to_tensor

    from benchmarks.contender import Contender
    from fundus_plugins.photographs.photograph import read_photograph

    sys.path.insert(0, str(code))
    from models.get_model import get_arch

    networks = []
    for file in sorted(code.glob("experiments/wnet_All_three_1024_disc_cup/*/model_checkpoint.pth")):
        network = get_arch("wnet", n_classes=3).eval()
        network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True)["model_state_dict"])
        networks.append(network)

    def prepare(path: str):
        image = read_photograph(path)
        small = cv2.resize(image, (NETWORK_SIDE, NETWORK_SIDE), interpolation=cv2.INTER_AREA)
        return to_tensor(small)[None], image.shape[1::-1]

    def predict(prepared):
        x, size = prepared
        with torch.inference_mode():
            mean = sum(network(x)[1].softmax(dim=1) for network in networks) / len(networks)
        classes = cv2.resize(mean.argmax(dim=1)[0].byte().numpy(), size, interpolation=cv2.INTER_NEAREST)
        return classes > 0, classes == 2

    return Contender(torch.nn.ModuleList(networks), {}, torch.float32, prepare, predict)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--automorph", type=Path, required=True)
    parser.add_argument("--number", type=int, default=40)
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    parser.add_argument("folders", type=Path, nargs="*", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.peer:
        run_peer(chosen.peer, chosen.automorph, *chosen.folders)
    else:
        compare(chosen.automorph.resolve(), chosen.number)


if __name__ == "__main__":
    main()
