"""Print how much Drishti-GS1's masks change with the number of experts, of four, who must agree on a pixel.

python docs/scripts/expert_spread.py <where Drishti-GS1 is>

Every such mask is compared with that of at least three experts, the truth of every figure here, as a prediction would.
"""

import sys
from pathlib import Path

import numpy as np

from fundus_plugins.data.converters.drishti_gs1 import list_records
from fundus_plugins.measures.disc_cup import compare_disc_and_cup
from fundus_plugins.photographs.photograph import photograph_shape

METRICS = ("dice_od", "dice_oc", "vcdr_mae")


def main():
    root = Path(sys.argv[1])
    masks = {}
    for consensus in (1, 2, 3, 4):
        records = [x for x in list_records(root, consensus=consensus).records if x.split == "train"]
        masks[consensus] = [x.read_masks(photograph_shape(x.photograph)) for x in records]
    print(f"{len(masks[3])} photographs")
    for consensus in (1, 2, 4):
        compared = [compare_disc_and_cup(*some, *true) for some, true in zip(masks[consensus], masks[3])]
        means = {name: np.mean([x[name] for x in compared]) for name in METRICS}
        print(f"at least {consensus} of 4: " + ", ".join(f"{name} {value:.3f}" for name, value in means.items()))


if __name__ == "__main__":
    main()
