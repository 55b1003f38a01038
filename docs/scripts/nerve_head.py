"""What each measure of the nerve head says of glaucoma, on masks that readers drew.

    python docs/scripts/nerve_head.py refuge-masks/val --output docs/results/nerve_head.md

The folder holds REFUGE's validation masks and index.json, whose entries have `ImgName`, `Label` (1 for glaucoma),
`Fovea_X` and `Fovea_Y`. The fovea tells the eye's side here.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.metrics import roc_auc_score
from tabulate import tabulate

from fundus_plugins.files import atomic_write
from fundus_plugins.measures.bootstrap import stratified_interval
from fundus_plugins.measures.nerve_head import measure_nerve_head
from fundus_plugins.photographs.field import Field
from fundus_plugins.photographs.laterality import LEFT, RIGHT, eye_of_place
from fundus_plugins.photographs.masks import decode_refuge_mask
from fundus_plugins.provenance import current_commit

MEASURES = (
    "vcdr", "hcdr", "acdr", "cup_area", "rim_inferior", "rim_superior", "rim_nasal", "rim_temporal", "rim_narrowest",
    "isnt", "disc_height", "disc_area", "disc_tilt",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    chosen = parser.parse_args()
    entries = json.loads((chosen.folder / "index.json").read_text(encoding="utf-8")).values()
    rows, labels, angles, right = [], [], [], []
    for entry in entries:
        mask = np.array(Image.open(chosen.folder / Path(entry["ImgName"]).with_suffix(".png")))
        disc, cup = decode_refuge_mask(mask)
        x, fovea = np.flatnonzero(disc.any(axis=0)).mean(), (entry["Fovea_X"], entry["Fovea_Y"])
        eye = RIGHT if x > fovea[0] else LEFT
        head = measure_nerve_head(disc, cup, eye=eye, fovea=fovea)
        rows.append(head.as_dict())
        labels.append(entry["Label"])
        angles.append(head.fovea_angle)
        whole = Field((0, 0, mask.shape[1], mask.shape[0]), 1, 1)
        right.append(eye_of_place(x, whole)[0] == eye)
    labels = np.array(labels)
    table = []
    for name in MEASURES:
        values = np.array([row[name] for row in rows], float)
        auc = stratified_interval(roc_auc_score, labels, values)
        spread = [np.percentile(values[labels == label], (25, 50, 75)) for label in (0, 1)]
        texts = [f"{x[1]:.4g} ({x[0]:.4g} to {x[2]:.4g})" for x in spread] if name != "isnt" else [
            f"holds in {values[labels == label].mean():.0%}" for label in (0, 1)
        ]  # fmt: skip
        table.append([name, *texts, "{:.3f} ({:.3f} to {:.3f})".format(*auc)])
    heading = ["measure", "without glaucoma: median (quartiles)", "with glaucoma", "AUC (95 % interval)"]
    low, middle, high = np.percentile(angles, (5, 50, 95))
    text = f"""# Measures of the nerve head and glaucoma

{len(rows)} masks of REFUGE's validation set, drawn by readers, {labels.sum()} with glaucoma. Nothing is predicted here:
this is what the measures themselves can tell. Sizes are pixels of one camera's photographs (1634 x 1634). An AUC below
0.5 means that small values go with glaucoma.

{tabulate(table, heading, tablefmt="github", disable_numparse=True)}

The line from the disc to the fovea is {-middle:.1f} degrees below the horizontal in the median
({-high:.1f} to {-low:.1f} in 90 %).
The eye's side by the disc's place in the picture is that of the fovea in {sum(right)} of {len(right)}.

```bash
python docs/scripts/nerve_head.py refuge-masks/val --output docs/results/nerve_head.md
```

Commit {current_commit()}, bootstrap with seed 0.
"""
    with atomic_write(chosen.output) as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    main()
