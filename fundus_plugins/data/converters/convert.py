"""From records to JSON: every photograph is opened and checked, then the splits are written."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as mask_util
from tqdm import tqdm

from fundus_plugins.data.coco import (
    FORMAT_VERSION,
    GRADES,
    READER,
    AnnotatedImage,
    build_grading,
    build_segmentation,
    mask_to_rle,
    reader_file,
    write_json,
)
from fundus_plugins.data.converters.copies import without_copies
from fundus_plugins.data.converters.patients import MOST_OF_A_GUESS, patient_of
from fundus_plugins.data.converters.record import Converter, NotThisDataset, Record
from fundus_plugins.data.converters.stereo import left_shape, left_view, write_left_views
from fundus_plugins.files import FolderLock, remove_leftovers
from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio
from fundus_plugins.photographs.anatomy import DISC_SHARES, cup_within_disc, refuse_impossible
from fundus_plugins.photographs.photograph import shape_and_orientation
from fundus_plugins.photographs.problems import BadInput, Problem
from fundus_plugins.photographs.regular import open_regular

MIN_FILL = 0.5  # of the box about a disc; an ellipse fills 0.79


@dataclass
class Conversion:
    """What one run did: images by split, problems, notes, warnings, and the files written."""

    splits: dict[str, list[AnnotatedImage]]
    problems: list[Problem]
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    grades: tuple[str, ...] = GRADES

    @property
    def left_out(self) -> bool:
        """Whether anything was left out, be it a photograph, a mask without one, or a label."""
        return any(not problem.repaired for problem in self.problems)


def convert_dataset(
    converter: Converter,
    root: Path,
    output: Path,
    *,
    options: dict | None = None,
    holdout: int = 10,
    seed: int = 0,
    strict: bool = False,
    processes: int = 1,
    overwrite: bool = False,
) -> Conversion:
    """Convert the data set below `root` to `<output>/<split>.json` and `<output>/<split>_grading.json`.

    The first of the two is for masks, and is not written where there are none. Where several readers drew them, there
    is a `<split>_reader_<name>.json` for each, too.

    Where the set has no official validation split, `holdout` photographs of `train`, drawn by `seed` and stratified
    by grade, also become `val` and the rest `fit`. With `strict`, nothing is written if there is any problem; nor is
    anything if no photograph is usable. The bytes written do not depend on `processes`. Raises NotThisDataset, and
    OSError where files cannot be written, or would replace JSON that no conversion wrote, unless `overwrite`.
    """
    # Resolved, for the paths in the JSON climb out of `output`, and `..` of a symbolic link leads elsewhere.
    root, output, options = root.resolve(), output.resolve(), dict(options or {})
    if not root.is_dir():
        raise NotThisDataset(f"{root} is not a folder: expected the folder that holds {converter.title}")
    if not overwrite:
        refuse_foreign(x for split in (*converter.splits, "fit", "val") for x in _files_of(output, split))
    listing = converter.list_records(root, **options)
    kept, copies = without_copies(listing.records)
    listing.problems += copies
    records = sorted(kept, key=lambda record: (record.photograph.stem, record.photograph))
    records = [left_view(record, output) for record in records]
    images, problems, turned = annotate(records, processes)
    if turned:
        listing.warnings.append(
            f"{len(turned)} photographs, such as {turned[0]}, are turned by their EXIF or TIFF data, and keep their "
            "size: masks are taken to be of the upright pictures; look at --preview, or at fundus check"
        )
    splits = {}
    for split in converter.splits:
        splits[split] = [
            image for image, record in zip(images, records, strict=True) if image and record.split == split
        ]
        if not splits[split]:
            del splits[split]
            listing.notes.append(f"no usable photographs for {split}: {split}.json is not written")
    drawn = {}
    if "val" not in converter.splits and "train" in splits and holdout:
        if holdout < len(splits["train"]):
            splits["fit"], splits["val"] = hold_out(splits["train"], holdout, seed, listing.grades)
            drawn = {"holdout": holdout, "seed": seed}
        else:
            listing.notes.append(
                f"no fit and val: cannot hold out {holdout} of {len(splits['train'])} photographs of train"
            )

    warnings, notes = lacking_grades(splits, listing.grades)
    listing.notes += notes
    listing.warnings += warnings + parted_eyes(records) + no_discs(images)
    result = Conversion(splits, listing.problems + problems, listing.notes, listing.warnings, grades=listing.grades)
    if strict and (result.problems or result.warnings):
        return result
    documents = {}
    for split, chosen in splits.items():
        info = {
            "description": f"{split} split of a folder in the layout of {converter.title}",
            "version": FORMAT_VERSION,
            "converter": converter.name,
            "split": split,
            "options": options | (drawn if split in ("fit", "val") else {}),
            **listing.facts,
            "counts": count(chosen, listing.grades),
        }
        masks, grades = _files_of(output, split)
        if any(image.disc for image in chosen):
            documents[masks] = build_segmentation(chosen, output, info, masked=True)
            for reader in sorted({name for image in chosen for name in image.readers}):
                path = reader_file(output, split, reader)
                documents[path] = build_segmentation(chosen, output, info | {"reader": reader}, reader=reader)
        documents[grades] = build_grading(chosen, output, info, listing.grades)
    if documents:
        output.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(output)
        try:
            remove_leftovers(output, below=False)  # of a conversion that was killed while it wrote
            write_left_views(record for image, record in zip(images, records, strict=True) if image)
            write_json(documents)
        finally:
            lock.remove()
    result.written = list(documents)
    old = [path for split in (*converter.splits, "fit", "val") for path in _files_of(output, split)]
    old += sorted(path for split in (*converter.splits, "fit") for path in output.glob(f"{split}{READER}*.json"))
    result.warnings += [
        f"{path} is of an earlier conversion, and this one has no such split: delete it"
        for path in dict.fromkeys(old)
        if path.is_file() and path not in documents
    ]
    return result


def _files_of(output: Path, split: str) -> tuple[Path, Path]:
    return output / f"{split}.json", output / f"{split}_grading.json"


def refuse_foreign(paths: Iterable[Path]) -> None:
    """Raise FileExistsError for a file that is there and that no conversion wrote."""
    for path in paths:
        if os.path.lexists(path):
            with open_regular(path) as file:
                start = file.read(1 << 16)
            if not re.match(rb'\s*\{\s*"info":\s*\{[^{}]*"converter":', start):
                raise FileExistsError(
                    None, "is there, and is not of fundus convert: --overwrite replaces it", str(path)
                )


def lacking_grades(
    splits: Mapping[str, Sequence[AnnotatedImage]], names: Sequence[str] = GRADES
) -> tuple[list[str], list[str]]:
    """A warning for every grade that a split with grades lacks though, by its size, it would have some.

    Returns:
        warnings, and notes of those grades that it lacks because either is small.
    """
    graded = {split: [x.grade for x in images if x.grade] for split, images in splits.items() if split != "fit"}
    total = Counter(grade for grades in graded.values() for grade in grades)
    warnings: list[str] = []
    notes: list[str] = []
    for split, grades in graded.items():
        for grade in [x for x in names if grades and x in total and x not in grades]:
            text = f"{split} has no {grade} among {len(grades)} photographs with a grade, of {total[grade]} in all"
            if total[grade] * len(grades) >= sum(total.values()):
                warnings.append(f"{text}: figures of it, or what is learnt from it, would mean little")
            else:
                notes.append(f"{text}: too few for one in each split")
    return warnings, notes


def parted_eyes(records: Sequence[Record]) -> list[str]:
    """A warning, where names such as 12_left and 12_right say that the eyes of one patient are in two given splits."""
    patients: dict[str, list[Record]] = {}
    for record in records:
        guess = None if record.patient else patient_of(record.photograph.stem)
        if guess:
            patients.setdefault(guess, []).append(record)
    likely = [same for same in patients.values() if len(same) <= MOST_OF_A_GUESS]  # more share a date or a device
    parted = [same for same in likely if len({record.split for record in same}) > 1]
    if not parted:
        return []
    one, other = (next(x for x in parted[0] if x.split == split) for split in sorted({x.split for x in parted[0]})[:2])
    return [
        f"by their names, {len(parted)} patients are in two splits, such as {one.photograph.name} ({one.split}) and "
        f"{other.photograph.name} ({other.split}): what is measured on one is not of unknown patients"
    ]


def no_discs(images: Sequence[AnnotatedImage | None]) -> list[str]:
    """A warning where most masks are no discs, but perhaps vessels, or the camera's field, by their size and fill."""
    discs = [image for image in images if image and image.disc]
    strange = []
    for image in discs:
        area, (_, _, width, height) = mask_util.area(image.disc), mask_util.toBbox(image.disc)
        share = area / (image.height * image.width)
        if not DISC_SHARES[0] <= share <= DISC_SHARES[1] or area < MIN_FILL * width * height:
            strange.append(image)
    if 2 * len(strange) <= len(discs):
        return []
    return [
        f"{len(strange)} of {len(discs)} masks have not the size or the shape of a disc, such as that of "
        f"{strange[0].photograph}: is it the disc's?"
    ]


def annotate(
    records: Sequence[Record], processes: int
) -> tuple[list[AnnotatedImage | None], list[Problem], list[Path]]:
    """Open and check every record, in order; None stands for one that is left out.

    The paths are of photographs with masks which were turned without another size telling whether the masks were.
    """
    # "disable" None: not in a log
    bar: dict[str, Any] = {"total": len(records), "unit": "image", "desc": "converting", "disable": None}
    if processes > 1 and len(records) > 1:
        with ProcessPoolExecutor(min(processes, len(records))) as pool:
            results = list(tqdm(pool.map(annotate_one, records, chunksize=4), **bar))
    else:
        results = [annotate_one(record) for record in tqdm(records, **bar)]
    images, problems, turns = zip(*results) if results else ((), (), ())
    turned = [record.photograph for record, turn in zip(records, turns, strict=True) if turn]
    return list(images), [problem for some in problems for problem in some], turned


def annotate_one(record: Record) -> tuple[AnnotatedImage | None, list[Problem], bool]:
    """Read one record's photograph and masks; what cannot be used becomes a Problem, no image.

    Returns with them whether the photograph has masks and was turned, its size staying the same.
    """
    disc, cup = None, None
    drawn: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    problems: list[Problem] = []
    try:
        shape, number = shape_and_orientation(record.photograph)
        if record.stereo:
            shape = left_shape(record.photograph, shape)
        if record.readers:
            (disc, cup), drawn = record.readers.read(record.photograph, shape, problems)
        elif record.read_masks:
            disc, cup = record.read_masks(shape)
        if disc is not None and not disc.any():
            raise BadInput("empty disc", record.photograph, "a mask with a disc", "none of its pixels is disc")
        refuse_impossible(record.photograph, disc, cup)
        if disc is not None and cup is not None:
            cup, problem = cup_within_disc(record.photograph, disc, cup)
            problems += [problem] if problem else []
    except BadInput as error:
        return None, [*problems, error.problem], False
    image = AnnotatedImage(
        photograph=record.left_view or record.photograph,
        height=shape[0],
        width=shape[1],
        disc=None if disc is None else mask_to_rle(disc),
        cup=None if cup is None else mask_to_rle(cup),
        vcdr=None if disc is None or cup is None else vertical_cup_to_disc_ratio(disc, cup),
        grade=record.grade,
        patient=record.patient,
        readers={name: (mask_to_rle(x[0]), None if x[1] is None else mask_to_rle(x[1])) for name, x in drawn.items()},
    )
    same_size = number in (2, 3, 4) or number > 4 and shape[0] == shape[1]
    return image, problems, disc is not None and same_size


def hold_out(
    images: Sequence[AnnotatedImage], number: int, seed: int, grades: Sequence[str] = GRADES
) -> tuple[list, list]:
    """(the rest, `number` images drawn by `seed`), every grade in proportion (largest remainders), order kept."""
    generator = np.random.default_rng(seed)
    strata = [[i for i, image in enumerate(images) if image.grade == grade] for grade in (*grades, None)]
    shares = [number * len(stratum) / len(images) for stratum in strata]
    numbers = [int(share) for share in shares]
    by_remainder = sorted(range(len(strata)), key=lambda i: numbers[i] - shares[i])
    for i in by_remainder[: number - sum(numbers)]:
        numbers[i] += 1
    held = {int(i) for stratum, n in zip(strata, numbers, strict=True) for i in generator.permutation(stratum)[:n]}
    return [x for i, x in enumerate(images) if i not in held], [x for i, x in enumerate(images) if i in held]


def count(images: Sequence[AnnotatedImage], names: Sequence[str] = GRADES) -> dict[str, int]:
    """Numbers of images, discs, cups (annotated; empty ones too) and of each grade, for `info` and the summary."""
    grades = {grade: sum(image.grade == grade for image in images) for grade in names}
    cups = sum(image.cup is not None for image in images)
    return {
        "images": len(images),
        "discs": sum(image.disc is not None for image in images),
        "cups": cups,
        **grades,
        "ungraded": len(images) - sum(grades.values()),
    }
