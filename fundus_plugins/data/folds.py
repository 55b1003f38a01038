"""k-fold splits of a segmentation or grading file, each photograph held out exactly once."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fundus_plugins.data.coco import write_json
from fundus_plugins.data.coco_file import read_coco
from fundus_plugins.data.converters.patients import MOST_OF_A_GUESS, patient_of
from fundus_plugins.data.registration import GRADING_SUFFIX

_VAL_PART = 6  # one photograph of so many of a fold's others chooses the weights


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
    images = document["images"]
    _refuse_twice(images, source)
    assigned = assign_folds([image.get("grade") for image in images], folds, seed, _patients(images))
    written = []
    for fold in range(folds):
        parts = {
            part: [image for image, held in zip(images, assigned) if (held == fold) == (part == "val")]
            for part in ("fit", "val")
        }
        about = {"fold": fold, "folds": folds, "fold_seed": seed}
        stem = f"{source.stem}_fold{fold}of{folds}_seed{seed}"
        fit, val = (
            _write_part(document, parts[part], about | {"part": part}, source.with_name(f"{stem}_{part}.json"))
            for part in parts
        )
        written.append((fit, val))
    return written


def write_grading_folds(
    source: Path, folds: int, seed: int, *, with_disc: bool = False, at_most: Mapping[str, int] | None = None
) -> list[tuple[Path, Path, Path]]:
    """Write `<set>_fold<i>of<k>_seed<s>_{fit,val,test}_grading.json` beside a grading file, as `write_folds`.

    Each graded photograph is in `test` of one fold. Of the others of a fold a sixth of the patients, of every grade,
    is `val`, which chooses the weights.

    Args:
        with_disc: leave out photographs without a `disc_box`.
        at_most: of a grade no more photographs than this; those left out are drawn by the seed, patients whole. Who has
            photographs of a grade without such a limit, too, stays.

    Returns:
        for each fold, the files to fit on, to choose by and to report.

    Raises ValueError as `write_folds`, and for a limit of a grade that there is not.
    """
    document = read_coco(source)
    names = {x["id"]: x["name"] for x in document["categories"]}
    if unknown := set(at_most or ()) - set(names.values()):
        raise ValueError(f"{source}: expected a limit of {', '.join(names.values())}, found one of {min(unknown)}")
    order = {x: number for number, x in enumerate(sorted(names))}
    graded = {x["image_id"]: x["category_id"] for x in document["annotations"]}
    images = [x for x in document["images"] if x["id"] in graded and ("disc_box" in x or not with_disc)]
    _refuse_twice(images, source)
    images = _thin_out(images, [names[graded[x["id"]]] for x in images], at_most or {}, seed)
    patients = _patients(images)
    grades = _grade_of_patients([order[graded[x["id"]]] for x in images], patients)
    tested = assign_folds(grades, folds, seed, patients)
    written = []
    for fold in range(folds):
        rest = [i for i, held in enumerate(tested) if held != fold]
        owners = [patients[i] for i in rest]
        chosen = assign_folds([grades[i] for i in rest], min(_VAL_PART, len(set(owners))), seed, owners)
        parts = {
            "fit": [images[i] for i, part in zip(rest, chosen, strict=True) if part],
            "val": [images[i] for i, part in zip(rest, chosen, strict=True) if not part],
            "test": [image for image, held in zip(images, tested, strict=True) if held == fold],
        }
        about = {"fold": fold, "folds": folds, "fold_seed": seed}
        stem = f"{source.stem.removesuffix(GRADING_SUFFIX)}_fold{fold}of{folds}_seed{seed}"
        paths = [source.with_name(f"{stem}_{part}{GRADING_SUFFIX}.json") for part in parts]
        for part, path in zip(parts, paths, strict=True):
            _write_part(document, parts[part], about | {"part": part}, path)
        written.append((paths[0], paths[1], paths[2]))
    return written


def _refuse_twice(images: Sequence[dict], source: Path) -> None:
    numbers = Counter(image["file_name"] for image in images)
    if twice := [name for name, number in numbers.items() if number > 1]:
        raise ValueError(f"{source}: expected every photograph once, found {min(twice)} more often")


def _patients(images: Sequence[dict]) -> list[str]:
    """Of each photograph. What more photographs share than a patient has is a date or a device."""
    patients = [_patient(image) for image in images]
    numbers = Counter(patients)
    return [
        patient if image.get("patient") or numbers[patient] <= MOST_OF_A_GUESS else image["file_name"]
        for image, patient in zip(images, patients, strict=True)
    ]


def _grade_of_patients(grades: Sequence[int], patients: Sequence[str]) -> list[str]:
    """The highest grade of each photograph's patient, so that `assign_folds` deals them out by it."""
    highest: dict[str, int] = {}
    for grade, patient in zip(grades, patients, strict=True):
        highest[patient] = max(grade, highest.get(patient, 0))
    return [str(highest[patient]) for patient in patients]


def _thin_out(images: list[dict], grades: Sequence[str], at_most: Mapping[str, int], seed: int) -> list[dict]:
    """Without the photographs of a grade that are too many, whole patients, drawn by the seed."""
    patients = _patients(images)
    order = list(dict.fromkeys(patients))
    shuffled = [order[i] for i in np.random.default_rng(seed).permutation(len(order))]
    of_patient: dict[str, list[int]] = {}
    for i, patient in enumerate(patients):
        of_patient.setdefault(patient, []).append(i)
    kept: set[int] = set()
    counts: Counter = Counter()
    for patient in shuffled:
        theirs = Counter(grades[i] for i in of_patient[patient])
        if theirs.keys() - at_most.keys() or all(counts[g] + number <= at_most[g] for g, number in theirs.items()):
            counts += theirs
            kept.update(of_patient[patient])
    return [image for i, image in enumerate(images) if i in kept]


def _write_part(document: dict, images: list[dict], about: dict, path: Path) -> Path:
    """Write the part of a document with these photographs, unless it is there."""
    ids = {image["id"] for image in images}
    info = {key: value for key, value in document.get("info", {}).items() if key != "counts"} | about
    annotations = [x for x in document["annotations"] if x["image_id"] in ids]
    cut = document | {"info": info, "images": images, "annotations": annotations}
    if not path.is_file() or path.read_text(encoding="utf-8") != json.dumps(cut, indent=1) + "\n":
        write_json({path: cut})
    return path


def _patient(image: dict) -> str:
    return str(image.get("patient") or patient_of(Path(image["file_name"]).stem) or image["file_name"])
