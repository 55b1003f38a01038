"""The mean of two runs' weights, as a run: a folder with config.yaml and model_final.pth.

    python docs/scripts/mean_of_weights.py output/rfnet_many_sources output/rfnet_released output/mean

The second run starts from the first one's weights, so that between them the loss is low, too. The config is its own.
"""

import shutil
import sys
from pathlib import Path

import torch

from fundus_plugins.weights.loading import read_weights


def main() -> None:
    first, second, output = map(Path, sys.argv[1:])
    states = [read_weights(str(run / "model_final.pth"))["model"] for run in (first, second)]
    assert states[0].keys() == states[1].keys(), "two models"
    mean = {name: (a + states[1][name]) / 2 if a.is_floating_point() else a for name, a in states[0].items()}
    output.mkdir(parents=True)
    shutil.copy(second / "config.yaml", output)
    torch.save({"model": mean}, output / "model_final.pth")


if __name__ == "__main__":
    main()
