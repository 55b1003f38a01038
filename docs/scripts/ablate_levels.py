"""Table 2, looked into: masks of the trained "fusion" models when a pyramid level is kept from their mask branch.

    python docs/scripts/ablate_levels.py output/tables/runs/rfnet_drishti_cpu/seed0/train_fold*of5_seed0

Each folder is a run of `fundus table`; its last weights are tested on its held-out photographs.
"""

import csv
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from detectron2.modeling.poolers import convert_boxes_to_pooler_format
from tabulate import tabulate

import fundus_plugins
from fundus_plugins.config import without_weights
from fundus_plugins.measures.bootstrap import mean_interval
from fundus_plugins.modeling.poolers import FusionFeaturePooler
from fundus_plugins.weights.loading import load_trained_weights

VARIANTS = {
    "as trained": "2345",
    "without P3": "245",
    "without P2": "345",
    "without P5": "234",
    "without P4": "235",
    "P4, P5 zero": "23",
}


def pool(self, features, boxes, levels):
    rois = convert_boxes_to_pooler_format(boxes)
    maps = {level: align(x, rois) for level, align, x in zip("2345", [*self.low, *self.high], features)}
    low, high = ([maps[level] for level in pair if level in levels] for pair in ("23", "45"))
    zero = torch.zeros_like(maps["4"])
    return torch.stack(low).amax(0), torch.stack(high).amax(0) if high else zero


def main() -> None:
    fundus_plugins.register_fundus_datasets()
    lines = []
    for name, levels in VARIANTS.items():
        FusionFeaturePooler.forward = lambda self, features, boxes, levels=levels: pool(self, features, boxes, levels)
        found = {"dice_od": [], "dice_oc": []}
        for folder in map(Path, sys.argv[1:]):
            with tempfile.TemporaryDirectory() as output:
                cfg = fundus_plugins.get_fundus_cfg(str(folder / "config.yaml"), ["OUTPUT_DIR", output])
                model = fundus_plugins.FundusTrainer.build_model(without_weights(cfg))
                load_trained_weights(model, str(folder / "model_final.pth"))
                fundus_plugins.FundusTrainer.test(cfg, model)
                (table,) = Path(output, "evaluation").glob("*.csv")
                with open(table, newline="", encoding="utf-8") as file:
                    for row in csv.DictReader(file):
                        for key in found:
                            found[key].append(float(row[key]))
        cells = ("{:.4f} ({:.4f} to {:.4f})".format(*mean_interval(np.array(values))) for values in found.values())
        lines.append([name, len(found["dice_od"]), *cells])
    print(
        tabulate(
            lines, headers=("", "photographs", "Dice, disc", "Dice, cup"), tablefmt="github", disable_numparse=True
        )
    )


if __name__ == "__main__":
    main()
