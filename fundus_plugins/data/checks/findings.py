"""What the examined photographs of a set say of it: errors, warnings and notes."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fundus_plugins.data.checks.examine import Examined
from fundus_plugins.data.coco import READER
from fundus_plugins.data.converters.patients import LARGE_SHARE, MOST_OF_A_GUESS, SMALL_SET, patient_of
from fundus_plugins.data.registration import GRADING_SUFFIX
from fundus_plugins.photographs.anatomy import DISC_SHARES

_READER = re.compile(rf"{READER}[^_/]+$")  # of a split's file

ERROR, WARNING, NOTE = "error", "warning", "note"
LEVELS = (ERROR, WARNING, NOTE)

# Beyond what true masks have (docs/results/mask_limits.md) something is wrong, or worth a look; so with DISC_SHARES.
RATIOS, MEDIANS, MIN_ELLIPSE = (0.05, 0.95), (0.25, 0.8), 0.85
MAX_PIECES = 0.02  # of a disc, beside its largest region
MIN_BRIGHTNESS, MIN_SPREAD = 5, 3  # grey values
MAX_DARK_DISCS = 0.1  # of a set: discs darker than what is about them


@dataclass(frozen=True)
class Finding:
    """Something about a set: `level` is one of LEVELS, `examples` are files or values, `number` how many there are."""

    level: str
    kind: str
    dataset: str
    text: str
    examples: tuple[str, ...] = ()
    number: int = 1


class _Findings:
    """Collects the findings of one set."""

    def __init__(self, dataset: str):
        self.dataset = dataset
        self.list: list[Finding] = []

    def add(self, level: str, kind: str, text: str, examples: Iterable[Any] = (), number: int | None = None) -> None:
        """`examples` are photographs or texts; none, where they are what it is about, is no finding."""
        names = tuple(os.path.basename(x.file_name) if isinstance(x, Examined) else str(x) for x in examples)
        number = len(names) if number is None else number
        if number:
            self.list.append(Finding(level, kind, self.dataset, text, names, number))


def of_photographs(name: str, found: Sequence[Examined]) -> list[Finding]:
    """Whether photographs can be used, are there once, and show something."""
    add = (findings := _Findings(name)).add
    add(NOTE, "photographs", "in all", [], len(found))
    if not found:
        add(ERROR, "empty set", "there are no photographs", [], 1)
    for kind in dict.fromkeys(x.problem[0] for x in found if x.problem):
        same = [x for x in found if x.problem and x.problem[0] == kind]
        add(
            ERROR,
            kind,
            "cannot be used",
            [f"{x.file_name}: expected {x.problem[1]}, found {x.problem[2]}" for x in same if x.problem],
        )
    readable = [x for x in found if x.brightness == x.brightness]
    dark = [x for x in readable if x.brightness < MIN_BRIGHTNESS or x.spread < MIN_SPREAD]
    add(WARNING, "dark or blank", "there is hardly anything to see", dark)
    turned = [x for x in found if x.turned != 1]
    seen: list[Examined] = []
    unseen: list[Examined] = []
    for x in turned:  # another size tells whether the masks were turned, too
        (unseen if x.masks and (x.turned < 5 or x.square) else seen).append(x)
    text = "turned by their EXIF or TIFF data: masks must be of the upright picture"
    add(NOTE, "turned", text, seen)
    add(WARNING, "turned", text, unseen)
    for same in _repeated(found, lambda x: x.digest):
        add(WARNING, "photograph twice", "the same bytes under several names", [x.file_name for x in same])
    patients = Counter(x.patient for x in found if x.patient)
    for patient, number in patients.most_common(1):
        if number > LARGE_SHARE * len(found) >= LARGE_SHARE * SMALL_SET:
            add(WARNING, "large patient", f"patient {patient} has {number} of {len(found)} photographs", [], number)
    return findings.list


def of_masks(name: str, found: Sequence[Examined]) -> list[Finding]:
    """Whether discs and cups are what eyes have."""
    add = (findings := _Findings(name)).add
    usable = [x for x in found if not x.problem]
    discs = [x for x in usable if x.disc_share == x.disc_share]
    ratios = [x.vcdr for x in discs if x.vcdr == x.vcdr]
    add(
        WARNING,
        "no disc",
        "without an annotated disc: neither trained on nor evaluated",
        [x for x in usable if x.disc_share != x.disc_share],
    )
    add(NOTE, "no cup", "without an annotated cup: they teach the disc alone", [x for x in discs if x.vcdr != x.vcdr])
    if ratios:
        low, median, high = np.quantile(ratios, (0.05, 0.5, 0.95))
        add(NOTE, "vCDR", f"median {median:.2f}, 5 to 95 %: {low:.2f} to {high:.2f}", [], len(ratios))
        if len(ratios) >= 10 and not MEDIANS[0] <= median <= MEDIANS[1]:
            text = f"the median is {median:.2f}, of other sets {MEDIANS[0]} to {MEDIANS[1]}: is the cup the cup?"
            add(WARNING, "strange vCDR", text, [], len(ratios))
    if found and not discs:
        add(ERROR, "no disc", "no photograph has an annotated disc that can be used", [], 1)
    strange = [x for x in discs if x.vcdr == x.vcdr and not RATIOS[0] <= x.vcdr <= RATIOS[1]]
    add(WARNING, "strange vCDR", f"beyond {RATIOS[0]} to {RATIOS[1]}", [f"{_name(x)}: {x.vcdr:.2f}" for x in strange])
    sizes = [x for x in discs if not DISC_SHARES[0] <= x.disc_share <= DISC_SHARES[1]]
    add(WARNING, "strange disc", "of a strange size", [f"{_name(x)}: {x.disc_share:.2%} of the picture" for x in sizes])
    add(
        WARNING,
        "strange disc",
        "unlike an ellipse",
        [f"{_name(x)}: {x.ellipse:.2f}" for x in discs if x.ellipse < MIN_ELLIPSE],
    )
    add(WARNING, "strange disc", "in several pieces", [x for x in discs if x.pieces > MAX_PIECES])
    add(NOTE, "disc at the edge", "cut off by the edge of the picture", [x for x in discs if x.at_edge])
    dark = [x for x in discs if x.contrast < 0]
    level = WARNING if len(dark) > MAX_DARK_DISCS * len(discs) and len(dark) > 1 else NOTE
    add(
        level,
        "dark disc",
        "darker than what is about it: are the masks shifted, mirrored, or of other photographs?",
        dark,
    )
    for same in _repeated(discs, lambda x: x.masks):
        add(WARNING, "mask twice", "the same masks for several photographs", same)
    return findings.list


def of_grades(name: str, found: Sequence[Examined], classes: Sequence[str]) -> list[Finding]:
    """How many there are of each grade; `classes` are their names."""
    add = (findings := _Findings(name)).add
    numbers = Counter(x.grade for x in found)
    text = ", ".join(f"{numbers[i]} {grade}" for i, grade in enumerate(classes))
    add(NOTE, "grades", text, [], len(found) - numbers[None])
    usable = [x for x in found if not x.problem]
    if found and not len(found) - numbers[None]:
        add(ERROR, "no grade", "no photograph has a grade", [], 1)
    add(WARNING, "no grade", "without a grade", [x for x in usable if x.grade is None])
    return findings.list


def between_sets(examined: Mapping[str, Sequence[Examined]]) -> list[Finding]:
    """Photographs and patients in two sets, and grades that a set lacks; all files of one split are one set."""
    splits: dict[str, dict[str, Examined]] = {}
    for name, found in examined.items():
        split = _READER.sub("", name.removesuffix(".json").removesuffix(GRADING_SUFFIX))
        splits.setdefault(split, {}).update({x.file_name: x for x in found})
    findings = []
    names = list(splits)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            pair = (splits[one], splits[other])
            files = [{os.path.realpath(file) for file in part} for part in pair]
            if (files[0] <= files[1] or files[1] <= files[0]) and _is_part(one, other, names):
                continue
            both = f"{one}, {other}"
            for kind, key in (("photograph", "digest"), ("patient", "patient")):
                there = [{getattr(x, key): x for x in part.values() if getattr(x, key)} for part in pair]
                common = sorted(there[0].keys() & there[1].keys())
                if common:
                    shown = [f"{there[0][x].file_name} and {there[1][x].file_name}" for x in common]
                    text = f"the same {kind} on both sides: what is measured on one is not of unknown eyes"
                    findings.append(Finding(ERROR, f"{kind} in two sets", both, text, tuple(shown), len(common)))
    return findings + _parted_by_name(splits) + _lacking(examined)


def _is_part(one: str, other: str, names: Sequence[str]) -> bool:
    """Whether one is the fit or the val that was drawn from the other, a train."""
    for whole, part in ((one, other), (other, one)):
        base = whole.removesuffix("train")
        if base != whole and (part == f"{base}fit" or part == f"{base}val" and f"{base}fit" in names):
            return True
    return False


def _parted_by_name(splits: Mapping[str, Mapping[str, Examined]]) -> list[Finding]:
    """Eyes of one patient, by names such as 12_left and 12_right, in two sets."""
    owners: dict[str, set[tuple[str, str]]] = {}
    for split, found in splits.items():
        for x in found.values():
            guess = None if x.patient else patient_of(Path(x.file_name).stem)
            if guess:
                owners.setdefault(guess, set()).add((split, x.file_name))
    likely = [same for same in owners.values() if len({file for _, file in same}) <= MOST_OF_A_GUESS]
    parted = [
        same
        for same in likely
        if len({file for _, file in same}) > 1
        and any(
            not _is_part(one, other, list(splits))
            for one, first in same
            for other, second in same
            if one < other and first != second
        )
    ]
    if not parted:
        return []
    shown = tuple(" and ".join(sorted(os.path.basename(file) for _, file in same)) for same in parted)
    text = "the eyes of one patient, by their names, in two sets: what is measured on one is not of unknown patients"
    return [Finding(WARNING, "patient in two sets", ", ".join(splits), text, shown, len(shown))]


def _lacking(examined: Mapping[str, Sequence[Examined]]) -> list[Finding]:
    grades = {name: Counter(x.grade for x in found if x.grade is not None) for name, found in examined.items()}
    grades = {name: numbers for name, numbers in grades.items() if numbers}
    every = set().union(*grades.values()) if grades else set()
    return [
        Finding(WARNING, "no such grade", name, "a grade that other splits have", (f"grade {grade}",))
        for name, numbers in grades.items()
        for grade in sorted(every - set(numbers))
    ]


def _repeated(found: Iterable[Examined], key: Callable[[Examined], str]) -> list[list[Examined]]:
    groups: dict[str, list[Examined]] = {}
    for x in found:
        if key(x):
            groups.setdefault(key(x), []).append(x)
    return [group for group in groups.values() if len(group) > 1]


def _name(found: Examined) -> str:
    return os.path.basename(found.file_name)


def strangest(found: Sequence[Examined], number: int = 16) -> list[Examined]:
    """The photographs whose vCDR, disc's size, shape and contrast are farthest from the set's medians, farthest first.

    Distances are in medians of the absolute deviations, and added.
    """
    usable = [x for x in found if not x.problem and x.disc_share == x.disc_share]
    if not usable:
        return []
    columns = [[x.vcdr for x in usable], np.log([x.disc_share for x in usable])]
    columns += [[x.ellipse for x in usable], [x.contrast for x in usable]]
    total = np.zeros(len(usable))
    for values in map(np.asarray, columns):
        if np.isfinite(values).any():
            away = np.abs(values - np.nanmedian(values))
            total += np.nan_to_num(away / max(np.nanmedian(away), 1e-6))
    return [usable[i] for i in np.argsort(-total, kind="stable")[:number]]
