"""A table of choices: each is a pair of measurements (`fundus robustness`), compared photograph by photograph.

python docs/scripts/choices.py docs/results/many_sources/choices.yaml > docs/results/many_sources/choices.md
"""

import sys
from pathlib import Path

import yaml
from tabulate import tabulate

from fundus_plugins.experiments.robustness import differences, read_rows

METRICS = {"dice_od": "Dice, disc", "dice_oc": "Dice, cup", "vcdr_mae": "vCDR error"}


def main(path: Path) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    rows = []
    for choice in document["choices"]:
        for name in choice["sets"]:
            new, old = (read_rows(path.with_name(f"{choice[key]}.{name}.csv")) for key in ("new", "old"))
            (found,) = differences(new, old)
            cells = ["{:+.3f} ({:+.3f} to {:+.3f})".format(*found[metric]) for metric in METRICS]
            cells = ["" if "nan" in cell else cell for cell in cells]
            rows.append([choice["choice"], name, found["photographs"], *cells, choice["kept"]])
    print(document["text"])
    print(
        tabulate(rows, ["", "measured on", "photographs", *METRICS.values(), "kept?"], "github", disable_numparse=True)
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
