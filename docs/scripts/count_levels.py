"""Table 2, looked into: the level that Detectron2's pyramid pooling takes each true disc from.

python docs/scripts/count_levels.py datasets/drishti_gs1/train.json REFUGE-Validation400-GT
"""

import sys
from collections import Counter
from pathlib import Path

import torch
from detectron2.modeling.poolers import assign_boxes_to_levels
from detectron2.structures import Boxes
from tabulate import tabulate
from torchvision.ops import masks_to_boxes

from fundus_plugins.data.mask_files import list_masks

lines = []
for path in map(Path, sys.argv[1:]):
    boxes, longer = [], []
    for read in list_masks(path).masks.values():
        disc = read()[0]
        boxes.append(masks_to_boxes(torch.from_numpy(disc)[None])[0])
        longer.append(max(disc.shape))
    for side in (384, 512, 768):
        scaled = torch.stack(boxes) * side / torch.tensor(longer)[:, None]
        levels = Counter((2 + assign_boxes_to_levels([Boxes(scaled)], 2, 5, 224, 4)).tolist())
        lines.append([path.name, side, *(levels[level] for level in (2, 3, 4, 5))])
print(tabulate(lines, headers=("masks", "input, pixels", "P2", "P3", "P4", "P5"), tablefmt="github"))
