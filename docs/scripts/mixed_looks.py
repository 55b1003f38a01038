"""The first look's masks mixed into the closer look's, and other thresholds of the cup: beside the packaged weights.

    python docs/scripts/mixed_looks.py refuge_14_test idrid_test drishti_gs1_train \
        > docs/results/many_sources/mixed_looks.md

Both cost no time in prediction. In float32, onnxruntime; differences photograph by photograph.
"""

import sys
from dataclasses import replace

import numpy as np
from processor import processor
from tabulate import tabulate

from fundus_plugins.data.registration import register_fundus_datasets
from fundus_plugins.experiments.robustness import differences, measure, summarise
from fundus_plugins.photographs.resampling import sample_grid
from fundus_plugins.prediction.looks import Look, Looks
from fundus_plugins.prediction.onnx_engine import OnnxEngine
from fundus_plugins.prediction.predictor import PACKAGED, FundusPredictor
from fundus_plugins.prediction.settings import MASK_THRESHOLD
from fundus_plugins.provenance import current_commit

METRICS = {"dice_od": "Dice, disc", "dice_oc": "Dice, cup", "vcdr_mae": "vCDR error"}
VARIANTS = {
    "as packaged": (0.0, 0.5),
    "the first look, 15 %": (0.15, 0.5),
    "the first look, half": (0.5, 0.5),
    "the cup from 0.42 on": (0.0, 0.42),
    "the cup from 0.46 on": (0.0, 0.46),
    "the cup from 0.54 on": (0.0, 0.54),
}


class MixedLooks(Looks):
    """Looks at one photograph at a time, of whose first look `share` is in the masks; cups are cut at `threshold`."""

    def __init__(self, engine: OnnxEngine, share: float, threshold: float):
        super().__init__(engine, engine.settings)
        self.share, self.threshold = share, threshold

    def _first_looks(self, batch):
        self.first = super()._first_looks(batch)
        return self.first

    def _found(self, photograph, look):
        first = self.first[0]
        if look is not None and first is not None:
            masks = look.masks + self.share * (seen_by(first, look) - look.masks)
            masks[1] += MASK_THRESHOLD - self.threshold
            look = replace(look, masks=masks)
        return super()._found(photograph, look)


def seen_by(first: Look, second: Look) -> np.ndarray:
    """The first look's masks on the second's grid, (2, S, S) float32; both boxes in the photograph's pixels."""
    side = second.masks.shape[-1]
    places = second.box[:2, None] + (np.arange(side) + 0.5) / side * (second.box[2:] - second.box[:2])[:, None]
    cells = (places - first.box[:2, None]) / (first.box[2:] - first.box[:2])[:, None] * first.masks.shape[-1]
    return np.stack([sample_grid(x, cells[1], cells[0]) for x in first.masks])


def main(datasets: list[str]) -> None:
    register_fundus_datasets()
    predictor = FundusPredictor(grade=False)
    engine = OnnxEngine(PACKAGED)
    rows = []
    for dataset in datasets:
        found = {}
        for name, variant in VARIANTS.items():
            predictor.finder = MixedLooks(engine, *variant)
            found[name] = list(measure(predictor, dataset, ()))
        for name, of_variant in found.items():
            (levels,) = summarise(of_variant)
            (less,) = differences(of_variant, found["as packaged"])
            cells = [f"{levels[x][0]:.4f}" for x in METRICS]
            cells += ["{:+.4f} ({:+.4f} to {:+.4f})".format(*less[x]) for x in METRICS]
            rows.append([dataset, levels["photographs"], name, *("" if "nan" in x else x for x in cells)])
    print("# The first look's masks, and the cup's threshold\n")
    print(f"{processor()}; commit {current_commit()}.\n")
    heads = ["measured on", "photographs", "", *METRICS.values(), *(f"less as packaged: {x}" for x in METRICS.values())]
    print(tabulate(rows, heads, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main(sys.argv[1:])
