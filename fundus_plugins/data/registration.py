"""The data sets by name, and registering them with Detectron2."""

import os
from pathlib import Path

from .coco import GRADING_CATEGORIES, GRADING_COLORS, SEGMENTATION_CATEGORIES, SEGMENTATION_COLORS

_SPLITS = ("train", "val", "test")
_OFFICIAL_SPLITS = ("train", "test", "fit", "val")  # those without an official validation split: fit and val are drawn

# Name of the data set -> its splits, and the arguments of `fundus convert` that make it. Each split has a segmentation
# and a grading file.
FUNDUS_DATASETS: dict[str, tuple[tuple[str, ...], str]] = {
    "refuge": (_SPLITS, "refuge --root <where REFUGE is>"),
    "drishti_gs1": (_OFFICIAL_SPLITS, "drishti_gs1 --root <where Drishti-GS1 is>"),
    "phantom": (_SPLITS, "refuge --root {folder}/raw"),
    "rim_one_dl": (_OFFICIAL_SPLITS, "rim_one_dl --root <where RIM-ONE DL is>"),
    "rim_one_r3": (_OFFICIAL_SPLITS, "rim_one_dl --part r3 --root <where RIM-ONE DL is>"),
    "graded": (_SPLITS, "graded_folders --root <where a folder for each grade is>"),
    "masked": (_SPLITS, "masked --root <where images/ and masks/ are>"),
}
FOLD_FILES = "*_fold*of*_seed*_*.json"  # what folds.py writes beside a split's file


def datasets_root(root: str | None = None) -> str:
    """The folder of the data sets: `root`, else the environment's DETECTRON2_DATASETS, else `./datasets`."""
    return os.path.expanduser(root or os.environ.get("DETECTRON2_DATASETS", "datasets"))


def register_fundus_datasets(root: str | None = None) -> None:
    """Register `<set>_<split>` and `<set>_<split>_grading` of FUNDUS_DATASETS with Detectron2; no file is read.

    `root` holds `<set>/<split>.json`; default: the environment's DETECTRON2_DATASETS, else `./datasets`. Files of
    folds (folds.py) that lie there are registered too, as `<set>_<file's stem>`. Calling again with the same root
    does nothing, with another root the names move there. Raises AssertionError (Detectron2's) if somebody else
    registered such a name.
    """
    from detectron2.data import DatasetCatalog, MetadataCatalog
    from detectron2.data.datasets import register_coco_instances

    root = datasets_root(root)
    kinds = (("", SEGMENTATION_CATEGORIES, SEGMENTATION_COLORS), ("_grading", GRADING_CATEGORIES, GRADING_COLORS))
    for dataset, (splits, _) in FUNDUS_DATASETS.items():
        folder = os.path.join(root, dataset)
        stems = [(split + suffix, categories, colors) for split in splits for suffix, categories, colors in kinds]
        stems += [(path.stem, *kinds[0][1:]) for path in sorted(Path(folder).glob(FOLD_FILES))]
        for stem, categories, colors in stems:
            name, json_file = f"{dataset}_{stem}", os.path.join(folder, f"{stem}.json")
            if name in DatasetCatalog.list() and MetadataCatalog.get(name).get("fundus_set") == dataset:
                if MetadataCatalog.get(name).json_file == json_file:
                    continue
                DatasetCatalog.remove(name)
                MetadataCatalog.remove(name)
            # load_coco_json sets classes and ids again; Metadata accepts equal values, and our files have these.
            metadata = {
                "thing_classes": [category["name"] for category in categories],
                "thing_colors": colors,
                "thing_dataset_id_to_contiguous_id": {c["id"]: index for index, c in enumerate(categories)},
                "fundus_set": dataset,
            }
            register_coco_instances(name, metadata, json_file, folder)


def require_dataset(name: str) -> None:
    """Raise FileNotFoundError, one line that tells how to make it, if the JSON of a registered name of ours is missing.

    Names that are not ours are left to Detectron2.
    """
    from detectron2.data import DatasetCatalog, MetadataCatalog

    dataset = MetadataCatalog.get(name).get("fundus_set") if name in DatasetCatalog.list() else None
    if dataset is None or os.path.isfile(MetadataCatalog.get(name).json_file):
        return
    folder = MetadataCatalog.get(name).image_root
    command = f"fundus convert {FUNDUS_DATASETS[dataset][1].format(folder=folder)} --output {folder}"
    if dataset == "phantom":
        command = f"fundus draw-phantoms --output {os.path.join(folder, 'raw')} && {command}"
    raise FileNotFoundError(
        f"data set {name}: there is no {MetadataCatalog.get(name).json_file}; make it with: {command}"
    )
