"""k-fold splits of a segmentation file, each photograph held out exactly once."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fundus_plugins.data.coco import write_json
from fundus_plugins.data.coco_file import read_coco


def assign_folds(grades: Sequence[str | None], folds: int, seed: int) -> list[int]:
    """The fold, 0 to folds - 1, that holds out each photograph; deterministic by seed.

    Photographs are shuffled, ordered by grade and dealt out like cards: sizes differ by one at most, and so do the
    numbers of every grade. Raises ValueError for fewer than two folds, or more folds than photographs.
    """
    if not 2 <= folds <= len(grades):
        raise ValueError(f"{folds} folds of {len(grades)} photographs: expected 2 to {len(grades)} folds")
    shuffled = np.random.default_rng(seed).permutation(len(grades))
    assigned = [0] * len(grades)
    for card, index in enumerate(sorted(shuffled, key=lambda i: str(grades[i]))):
        assigned[index] = card % folds
    return assigned


def write_folds(source: Path, folds: int, seed: int) -> list[tuple[Path, Path]]:
    """Write `<source>_fold<i>of<k>_seed<s>_{fit,val}.json` beside a segmentation file; files as they should be stay.

    All files keep the source's ids, categories and paths. `register_fundus_datasets` registers them.

    Returns:
        for each fold, the file to fit on and the file that is held out.

    Raises:
        FileNotFoundError: no `source`.
        ValueError: it is not COCO JSON, holds a photograph twice, or cannot be cut into so many folds.
    """
    if not source.is_file():
        raise FileNotFoundError(f"{source}: there is no such file")
    document = read_coco(source)
    images, annotations = document["images"], document["annotations"]
    names = [image["file_name"] for image in images]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{source}: expected every photograph once, found {min(twice)} more often")
    assigned = assign_folds([image.get("grade") for image in images], folds, seed)
    written = []
    for fold in range(folds):
        pair = []
        for part in ("fit", "val"):
            chosen = [image for image, held in zip(images, assigned) if (held == fold) == (part == "val")]
            ids = {image["id"] for image in chosen}
            info = {key: value for key, value in document.get("info", {}).items() if key != "counts"}
            info |= {"fold": fold, "folds": folds, "fold_seed": seed, "part": part}
            cut = document | {
                "info": info,
                "images": chosen,
                "annotations": [x for x in annotations if x["image_id"] in ids],
            }
            path = source.with_name(f"{source.stem}_fold{fold}of{folds}_seed{seed}_{part}.json")
            if not path.is_file() or path.read_text(encoding="utf-8") != json.dumps(cut, indent=1) + "\n":
                write_json({path: cut})
            pair.append(path)
        written.append((pair[0], pair[1]))
    return written
