"""k-fold splits of a segmentation file, each photograph held out exactly once."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fundus_plugins.data.coco import write_json
from fundus_plugins.data.coco_file import read_coco
from fundus_plugins.data.converters.patients import MOST_OF_A_GUESS, patient_of


def assign_folds(
    grades: Sequence[str | None], folds: int, seed: int, patients: Sequence[str] | None = None
) -> list[int]:
    """The fold, 0 to folds - 1, that holds out each photograph; deterministic by seed.

    Patients (None: every photograph has its own) are shuffled, ordered by the grade of their first photograph and dealt
    out like cards: their numbers in the folds differ by one at most, and so do those of every grade. Raises ValueError
    for fewer than two folds, or more folds than patients.
    """
    first: dict[str, int] = {}
    owners = [str(i) for i in range(len(grades))] if patients is None else list(patients)
    for index, owner in enumerate(owners):
        first.setdefault(owner, index)
    if not 2 <= folds <= len(first):
        kind = "photographs" if len(first) == len(grades) else "patients"
        raise ValueError(f"{folds} folds of {len(first)} {kind}: expected 2 to {len(first)} folds")
    cards = list(first)
    shuffled = np.random.default_rng(seed).permutation(len(cards))
    ordered = sorted(shuffled, key=lambda i: str(grades[first[cards[i]]]))
    fold_of = {cards[index]: card % folds for card, index in enumerate(ordered)}
    return [fold_of[owner] for owner in owners]


def write_folds(source: Path, folds: int, seed: int) -> list[tuple[Path, Path]]:
    """Write `<source>_fold<i>of<k>_seed<s>_{fit,val}.json` beside a segmentation file; files as they should be stay.

    The photographs of one patient (`patient` of an image, else by names such as 12_left and 12_right) share a fold. All
    files keep the source's ids, categories and paths. `register_fundus_datasets` registers them.

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
    patients = [_patient(image) for image in images]
    numbers = Counter(patients)
    patients = [  # what more photographs share than a patient has is a date or a device
        patient if image.get("patient") or numbers[patient] <= MOST_OF_A_GUESS else image["file_name"]
        for image, patient in zip(images, patients, strict=True)
    ]
    assigned = assign_folds([image.get("grade") for image in images], folds, seed, patients)
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


def _patient(image: dict) -> str:
    return str(image.get("patient") or patient_of(Path(image["file_name"]).stem) or image["file_name"])
