"""How far predicted cup-to-disc ratios are off, and the cups' Dice, by the true ratio; of a .csv of fundus robustness.

python docs/scripts/vcdr_bias.py docs/results/robustness/drishti_length.csv
"""

import sys

import numpy as np

from fundus_plugins.experiments.robustness import read_rows


def main():
    rows = [x for x in read_rows(sys.argv[1]) if x["alteration"] == "unchanged" and x["detection_rate"]]
    true, found = (np.array([x[f"vcdr_{which}"] for x in rows]) for which in ("true", "predicted"))
    dice = np.array([x["dice_oc"] for x in rows])
    for low, high in ((0, 0.5), (0.5, 0.65), (0.65, 0.8), (0.8, 1)):
        some = (true >= low) & (true < high)
        words = f"mean error {(found - true)[some].mean():+.3f}, cup's Dice {dice[some].mean():.3f}"
        print(f"true vCDR {low} to {high}: {some.sum()} photographs, {words}")
    slope, offset = np.polyfit(found, true, 1)
    print(f"all: mean error {(found - true).mean():+.3f}; best line: true = {offset:.3f} + {slope:.3f} * predicted")


if __name__ == "__main__":
    main()
