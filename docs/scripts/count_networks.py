"""Parameters and multiply-adds of RF-Net and of the networks of whole photographs, at one size of input.

python -m docs.scripts.count_networks 512 --output docs/results/tables/networks.md

Multiply-adds are fvcore's, of the convolutions and linear layers in one real run on one picture. Batch norms, pooling,
resizing, a transformer's products of queries and keys, and what a detector does beside its layers count as nothing.
"""

import argparse
import shlex
import sys

import torch
from detectron2.modeling import build_model
from tabulate import tabulate

import fundus_plugins
from benchmarks.counting import count_work
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

parser = argparse.ArgumentParser()
parser.add_argument("side", type=int)
parser.add_argument("--output")
arguments = parser.parse_args()
side, lines = arguments.side, []
picture = {"image": torch.zeros(3, side, side, dtype=torch.uint8), "height": side, "width": side}
for name, (config, options) in NETWORKS.items():
    torch.manual_seed(0)
    common = ["MODEL.DEVICE", "cpu", "MODEL.FPN.SQUARE_PAD", side]
    model = build_model(fundus_plugins.get_fundus_cfg(config, [*common, *options])).eval()
    with torch.inference_mode():
        work = count_work(model, {"all": ""}, lambda model=model: model([picture]))
    parameters = sum(x.numel() for x in model.parameters())
    lines.append([name, f"{parameters:,}", f"{work['all']['multiply_adds'] / 1e9:.1f}"])
table = tabulate(lines, ("network", "parameters", "multiply-adds, 10^9"), "github", disable_numparse=True)
text = f"""# Networks of Table 1: parameters and multiply-adds

One picture of {side} x {side} pixels. fvcore's counts of convolutions and linear layers; of Mask R-CNN and RF-Net with
1000 proposals and one box.

{table}

At commit {current_commit()}:

```
python -m docs.scripts.count_networks {shlex.join(sys.argv[1:])}
```
"""
print(text)
if arguments.output:
    with atomic_write(arguments.output) as file:
        file.write(text)
