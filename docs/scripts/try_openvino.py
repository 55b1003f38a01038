"""Whether OpenVINO would pay in place of onnxruntime: processor time of a photograph, and what it does to the masks.

    pip install openvino
    python docs/scripts/try_openvino.py gamma/photographs hemo/images > docs/results/openvino.txt

The packaged weights, one thread, 60 photographs of each folder in memory, two rounds, engine after engine; the second
counts.
"""

import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import openvino
from processor import processor

from fundus_plugins import FundusPredictor
from fundus_plugins.measures.overlap import dice
from fundus_plugins.photographs.folders import list_folder
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.prediction.looks import Look, Looks
from fundus_plugins.prediction.predictor import PACKAGED
from fundus_plugins.provenance import current_commit

NUMBER = 60


class OpenVino:
    """An engine; `precision` is "f32" or "bf16"."""

    def __init__(self, precision: str):
        core = openvino.Core()
        options = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": precision}
        self._model = core.compile_model(core.read_model(PACKAGED), "CPU", options)
        self._outputs = [x.any_name for x in self._model.outputs]

    def look(self, views):
        looks = []
        for view in views:
            found = self._model(np.ascontiguousarray(view.transpose(2, 0, 1)[None]))
            values = {name: np.array(found[place]) for place, name in enumerate(self._outputs)}
            score = float(values["score"][0])
            box = values["box"][0].astype(np.float64)
            looks.append(Look(box, score, values["masks"][0]) if score > 0 else None)
        return looks


def main() -> None:
    cv2.setNumThreads(1)
    predictors = {"onnxruntime, float32": FundusPredictor(threads=1)}
    for precision in ("f32", "bf16"):
        predictor = FundusPredictor(threads=1)
        predictor.finder = Looks(OpenVino(precision), predictor.settings)
        predictors[f"OpenVINO, {precision}"] = predictor
    print(f"OpenVINO {openvino.__version__.split('-')[0]}; {processor()}; load {os.getloadavg()[0]:.1f};")
    print(f"commit {current_commit()}.")
    for folder in sys.argv[1:]:
        images = [read_photograph(x) for x in list_folder(Path(folder))[:NUMBER]]
        print(f"\n{folder}, {len(images)} photographs")
        seconds, found = {}, {}
        for _ in range(2):
            for name, predictor in predictors.items():
                began = time.process_time()
                found[name] = [predictor(x) for x in images]
                seconds[name] = (time.process_time() - began) / len(images)
        first, *others = predictors
        print(f"  {first}: {1000 * seconds[first]:.1f} ms of processor time a photograph")
        for name in others:
            pairs = list(zip(found[first], found[name]))
            ratios = [abs(a.vcdr - b.vcdr) for a, b in pairs if np.isfinite(a.vcdr) and np.isfinite(b.vcdr)]
            discs, cups = ([dice(getattr(a, x), getattr(b, x)) for a, b in pairs] for x in ("disc", "cup"))
            print(f"  {name}: {1000 * seconds[name]:.1f} ms;")
            print(f"    Dice with the first: disc {np.mean(discs):.4f} (least {min(discs):.4f}),")
            print(f"    cup {np.mean(cups):.4f} (least {min(cups):.4f}); a ratio moves by up to {max(ratios):.4f}")


if __name__ == "__main__":
    main()
