"""Photographs that are there more than once: the same bytes, or copies that a tool has turned, mirrored or altered."""

import hashlib
import re
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

from fundus_plugins.data.converters.record import Record
from fundus_plugins.photographs.problems import Problem

# A patient, or a photograph, that is in several splits stays in the earliest of these.
SPLIT_ORDER = ("test", "val", "train", "")

_TURNED = re.compile(r"^_\d+_[0-9a-z]+$", re.IGNORECASE)  # _12_3456789.jpg: a turned or mirrored copy
# n1_jpg.rf.<hash>.jpg, as Roboflow names its copies
_ROBOFLOW = re.compile(r"^(.+?)(?:_(?:jpe?g|png|bmp|tiff?|webp))?\.rf\.[0-9a-z]{6,}$", re.IGNORECASE)
_ALTERED = re.compile(
    r"^(.+?)[-_ .]+(?:aug(?:mented)?|[hv]?flip(?:ped)?|mirror(?:ed)?|rot(?:ated?)?|copy|noise|blur(?:red)?)[-_ .]?\d*$",
    re.IGNORECASE,
)


def without_copies(records: Sequence[Record]) -> tuple[list[Record], list[Problem]]:
    """The records but for copies, in their order, and a problem for each of these.

    Of the same bytes, and of what was made from one photograph, one stays, in the earliest split of SPLIT_ORDER; where
    the same bytes have two grades none does.
    """
    kept, problems = _without_altered(records)
    for same in _same_bytes(kept):
        grades = {record.grade for record in same} - {None}
        stays = None if len(grades) > 1 else min(same, key=_order)
        for record in same:
            if record is stays:
                continue
            other = stays or next(x for x in same if x.grade != record.grade)
            kind = "conflicting grades" if stays is None else "photograph twice"
            about = [x for x in (other.split, other.grade) if x]
            found = f"the same bytes as {other.photograph}" + (f" ({', '.join(about)})" if about else "")
            problems.append(Problem(kind, record.photograph, "every photograph once", found))
    left_out = {problem.file for problem in problems}
    return [record for record in kept if record.photograph not in left_out], problems


def _without_altered(records: Sequence[Record]) -> tuple[list[Record], list[Problem]]:
    stems = {record.photograph.stem.lower() for record in records}
    families: dict[Hashable, list[Record]] = {}
    problems = []
    for record in records:
        stem = record.photograph.stem
        roboflow, altered = _ROBOFLOW.match(stem), _ALTERED.match(stem)
        expected = "an original photograph"
        if _TURNED.match(stem):
            found = f"a name like {record.photograph.name}"
        elif altered and not roboflow and altered[1].lower() in stems:
            found = f"a copy of {altered[1]}, by its name"
        else:
            own = record.photograph.parent, stem.lower()  # a.jpg beside a.png is the same photograph
            families.setdefault(("rf", roboflow[1].lower()) if roboflow else own, []).append(record)
            continue
        problems.append(Problem("augmented copy", record.photograph, expected, found))
    kept = set()
    for family in families.values():
        stays = min(family, key=_order)
        kept.add(stays.photograph)
        for record in family:
            if record is not stays:
                found = f"a copy of what {stays.photograph} is one of, by its name"
                problems.append(Problem("augmented copy", record.photograph, "one of each photograph", found))
    return [record for record in records if record.photograph in kept], problems


def _same_bytes(records: Iterable[Record]) -> list[list[Record]]:
    """Groups of two records or more whose photographs have the same bytes."""
    groups: list[list[Record]] = [list(records)]
    for key in (_size, _digest):  # only what is equally long is read
        groups = [part for group in groups for part in _parted(group, key) if len(part) > 1]
    return groups


def _parted(records: list[Record], key) -> list[list[Record]]:
    parts: dict[Hashable, list[Record]] = {}
    for record in records:
        parts.setdefault(key(record.photograph), []).append(record)
    return list(parts.values())


def _size(path: Path) -> Hashable:
    try:
        return path.stat().st_size
    except OSError:
        return path  # like no other; whoever reads it will say what is wrong


def _digest(path: Path) -> Hashable:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).digest()
    except OSError:
        return path


def _order(record: Record) -> tuple:
    return SPLIT_ORDER.index(record.split), record.photograph
