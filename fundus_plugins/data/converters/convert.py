"""From records to JSON: every photograph is opened and checked, then the splits are written."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fundus_plugins.data.coco import (
    FORMAT_VERSION,
    GRADES,
    READER,
    AnnotatedImage,
    build_grading,
    build_segmentation,
    reader_file,
    write_json,
)
from fundus_plugins.data.converters.annotate import annotate
from fundus_plugins.data.converters.copies import without_copies
from fundus_plugins.data.converters.doubts import lacking_grades, no_discs, parted_eyes, turned_pictures
from fundus_plugins.data.converters.record import Converter, NotThisDataset
from fundus_plugins.data.converters.stereo import left_view, write_left_views
from fundus_plugins.files import FolderLock, remove_leftovers
from fundus_plugins.photographs.problems import Problem
from fundus_plugins.photographs.regular import open_regular


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
    listing.warnings += turned_pictures(turned) + warnings + parted_eyes(records) + no_discs(images)
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
    result.warnings += _of_earlier_conversions(converter, output, result.written)
    return result


def _files_of(output: Path, split: str) -> tuple[Path, Path]:
    return output / f"{split}.json", output / f"{split}_grading.json"


def _of_earlier_conversions(converter: Converter, output: Path, written: Sequence[Path]) -> list[str]:
    old = [path for split in (*converter.splits, "fit", "val") for path in _files_of(output, split)]
    old += sorted(path for split in (*converter.splits, "fit") for path in output.glob(f"{split}{READER}*.json"))
    return [
        f"{path} is of an earlier conversion, and this one has no such split: delete it"
        for path in dict.fromkeys(old)
        if path.is_file() and path not in written
    ]


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
