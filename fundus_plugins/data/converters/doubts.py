"""Warnings of a conversion: what is read right, and is probably not what it is taken for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from pycocotools import mask as mask_util

from fundus_plugins.data.coco import GRADES, AnnotatedImage
from fundus_plugins.data.converters.patients import MOST_OF_A_GUESS, patient_of
from fundus_plugins.data.converters.record import Record
from fundus_plugins.photographs.anatomy import DISC_SHARES

MIN_FILL = 0.5  # of the box about a disc; an ellipse fills 0.79


def turned_pictures(turned: Sequence[Path]) -> list[str]:
    """A warning of the photographs with masks that were turned, if any."""
    if not turned:
        return []
    return [
        f"{len(turned)} photographs, such as {turned[0]}, are turned by their EXIF or TIFF data, and keep their "
        "size: masks are taken to be of the upright pictures; look at --preview, or at fundus check"
    ]


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
