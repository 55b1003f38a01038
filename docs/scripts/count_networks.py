"""Parameters, multiply-adds and speed of RF-Net and of the networks of whole photographs, at one size of input.

python -m docs.scripts.count_networks 512 --output docs/results/tables/networks.md

Multiply-adds are fvcore's, of the convolutions and linear layers in one real run on one picture. Batch norms, pooling,
resizing, a transformer's products of queries and keys, and what a detector does beside its layers count as nothing.
Pictures a second are of the whole model, from pixels to instances, on one thread in float32: all networks in turn,
round after round, the median of the rounds.
"""

import argparse
import shlex
import statistics
import sys
import time

import torch
from detectron2.modeling import build_model
from tabulate import tabulate

import fundus_plugins
from benchmarks.counting import count_work
from docs.scripts.processor import processor
from fundus_plugins.files import atomic_write
from fundus_plugins.provenance import current_commit

# One box, as for one disc; with random weights as many as are asked for are found.
ONE_BOX = ["MODEL.ROI_HEADS.SCORE_THRESH_TEST", 0.0, "TEST.DETECTIONS_PER_IMAGE", 1]
NETWORKS = {
    "U-Net, plain": ("baselines/unet_drishti.yaml", []),
    "U-Net, MobileNet-v1": ("baselines/unet_smp_drishti.yaml", []),
    "M-Net": ("baselines/mnet_drishti.yaml", []),
    "ET-Net, MobileNet-v1": ("baselines/etnet_drishti.yaml", []),
    "ET-Net, ResNet-50": ("baselines/etnet_drishti.yaml", ["MODEL.FUNDUS_TIMM.NAME", "resnet50"]),
    "DeepLabv3+, MobileNet-v1": ("baselines/deeplabv3plus_drishti.yaml", []),
    "SegFormer-B0": ("baselines/segformer_drishti.yaml", []),
    "Mask R-CNN, MobileNet-v1": ("baselines/mask_rcnn_drishti.yaml", ONE_BOX),
    "RF-Net, MobileNet-v1": ("rfnet_drishti.yaml", ONE_BOX),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", type=int)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    picture = {"image": torch.zeros(3, chosen.side, chosen.side, dtype=torch.uint8)}
    picture |= {"height": chosen.side, "width": chosen.side}
    models = {name: build(*words, chosen.side) for name, words in NETWORKS.items()}
    with torch.inference_mode():
        counted = {name: multiply_adds(model, picture) for name, model in models.items()}
        seconds = in_turn(models, picture, chosen.rounds)
    lines = []
    for name, model in models.items():
        parameters = sum(x.numel() for x in model.parameters())
        lines.append([name, f"{parameters:,}", f"{counted[name] / 1e9:.1f}", f"{1 / seconds[name]:.2f}"])
    heading = ("network", "parameters", "multiply-adds, 10^9", "pictures a second")
    table = tabulate(lines, heading, "github", disable_numparse=True)
    text = f"""# Networks of Table 1: parameters, multiply-adds, speed

One picture of {chosen.side} x {chosen.side} pixels. fvcore's counts of convolutions and linear layers; of Mask R-CNN
and RF-Net with 1000 proposals and one box. Pictures a second: the whole model from pixels to instances, PyTorch in
float32 on one thread, random weights, all networks in turn, the median of {chosen.rounds} rounds. {processor()}.

{table}

At commit {current_commit()}:

```
python -m docs.scripts.count_networks {shlex.join(sys.argv[1:])}
```
"""
    print(text)
    if chosen.output:
        with atomic_write(chosen.output) as file:
            file.write(text)


def build(config: str, options: list, side: int) -> torch.nn.Module:
    torch.manual_seed(0)
    common = ["MODEL.DEVICE", "cpu", "MODEL.FPN.SQUARE_PAD", side]
    return build_model(fundus_plugins.get_fundus_cfg(config, [*common, *options])).eval()


def multiply_adds(model: torch.nn.Module, picture: dict) -> float:
    return count_work(model, {"all": ""}, lambda: model([picture]))["all"]["multiply_adds"]


def in_turn(models: dict[str, torch.nn.Module], picture: dict, rounds: int) -> dict[str, float]:
    """The median of each model's seconds."""
    found: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(rounds):
        for name, model in models.items():
            began = time.perf_counter()
            model([picture])
            found[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in found.items()}


if __name__ == "__main__":
    main()
