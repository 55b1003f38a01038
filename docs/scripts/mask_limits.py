"""What true masks of disc and cup have: the limits of `fundus check` lie outside of it.

python docs/scripts/mask_limits.py FOLDER_OR_JSON...     as `fundus evaluate --gt` reads them
"""

import sys
from pathlib import Path

import numpy as np
from tabulate import tabulate

from fundus_plugins.data.mask_files import list_masks
from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio
from fundus_plugins.measures.shape import ellipse_iou
from fundus_plugins.photographs.anatomy import hole_share

rows = []
for path in map(Path, sys.argv[1:]):
    measures: dict[str, list[float]] = {"disc / picture": [], "vCDR": [], "ellipse": [], "holes": []}
    for read in list_masks(path).masks.values():
        disc, cup = read()
        measures["disc / picture"].append(disc.mean())
        measures["vCDR"].append(vertical_cup_to_disc_ratio(disc, cup))
        measures["ellipse"].append(ellipse_iou(disc))
        measures["holes"].append(max(hole_share(disc), hole_share(cup)))
    for name, values in measures.items():
        low, median, high = np.quantile(values, (0, 0.5, 1))
        rows.append((path.as_posix(), len(values), name, f"{low:.3f}", f"{median:.3f}", f"{high:.3f}"))
print(
    tabulate(rows, headers=("masks", "number", "", "least", "median", "most"), tablefmt="github", disable_numparse=True)
)
