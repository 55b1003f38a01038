"""How often the disc's place tells the eye's side, on photographs whose names say it.

python docs/scripts/eye_side.py odir/photographs --number 600 --output docs/results/eye_side.md
"""

import argparse
import random
from pathlib import Path

import numpy as np
from tabulate import tabulate

import fundus_plugins
from fundus_plugins.files import atomic_write
from fundus_plugins.photographs.field import find_field
from fundus_plugins.photographs.folders import list_folder
from fundus_plugins.photographs.laterality import LEFT, RIGHT, eye_of_name, eye_of_place
from fundus_plugins.provenance import current_commit

EDGES = (0, 0.2, 0.3, 0.5, 0.8, 9)  # half widths of the field


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--number", type=int, default=600)
    parser.add_argument("--output", type=Path, required=True)
    chosen = parser.parse_args()
    files = [x for x in list_folder(chosen.folder) if eye_of_name(x.stem)]
    random.Random(1).shuffle(files)
    files = files[: chosen.number]
    found = []
    for path, image, prediction in fundus_plugins.FundusPredictor().predict_files(files):
        if isinstance(prediction, Exception) or not prediction.disc.any() or (field := find_field(image)) is None:
            continue
        x = float(np.flatnonzero(prediction.disc.any(axis=0)).mean())
        place = eye_of_place(x, field)[1]
        side = RIGHT if x > field.middle[0] else LEFT
        found.append((place, side == eye_of_name(path.stem), prediction.flagged))
    places, right, flagged = (np.array(x) for x in zip(*found))
    table = []
    for low, high in zip(EDGES, EDGES[1:]):
        row: list = [f"{low} to {high}" if high < 9 else f"{low} and more"]
        for chosen_flag in (False, True):
            some = right[(places >= low) & (places < high) & (flagged == chosen_flag)]
            row.append(f"{some.sum()} of {len(some)}")
        table.append(row)
    told = places >= EDGES[1]
    text = f"""# The eye's side by the disc's place

{len(files)} photographs of ODIR, drawn with seed 1, whose names say the side; {len(found)} with a detected disc. The
disc's distance from the middle of the field of view is in half widths of the field; `fundus predict` tells the side
from {EDGES[1]} on. Right is what agrees with the name.

{tabulate(table, ["distance", "right", "right, flagged photographs"], tablefmt="github", disable_numparse=True)}

From {EDGES[1]} on: {right[told].sum()} of {told.sum()} ({right[told].mean():.1%}).

```bash
python docs/scripts/eye_side.py odir/photographs --number {chosen.number} --output docs/results/eye_side.md
```

Commit {current_commit()}.
"""
    with atomic_write(chosen.output) as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    main()
