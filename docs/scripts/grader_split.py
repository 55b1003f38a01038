"""The split that the packaged grader was trained on: one of eight patients, of every grade, chooses the epoch.

    python docs/scripts/grader_split.py datasets/gamma_odir/train_grading.json

Writes fit_grading.json and val_grading.json beside it: the first of eight folds, seed 1, of photographs with a disc.
"""

import sys
from pathlib import Path

from fundus_plugins.data.coco import write_json
from fundus_plugins.data.coco_file import read_coco
from fundus_plugins.data.folds import write_grading_folds


def main() -> None:
    source = Path(sys.argv[1])
    folds = write_grading_folds(source, 8, 1, with_disc=True)
    held_out = {image["id"] for image in read_coco(folds[0][2])["images"]}
    for path in (path for paths in folds for path in paths):
        path.unlink()
    document = read_coco(source)
    graded = {x["image_id"] for x in document["annotations"]}
    usable = {x["id"] for x in document["images"] if "disc_box" in x} & graded
    for name, ids in (("fit", usable - held_out), ("val", held_out)):
        part = {"images": [x for x in document["images"] if x["id"] in ids]}
        part["annotations"] = [x for x in document["annotations"] if x["image_id"] in ids]
        write_json({source.with_name(f"{name}_grading.json"): document | part})
        print(f"{name}: {len(ids)} photographs")


if __name__ == "__main__":
    main()
