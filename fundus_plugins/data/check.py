"""Is a data set what it should be? Every photograph and mask looked at, and the set as a whole."""

import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fundus_plugins.data.annotations import parse_categories
from fundus_plugins.data.cache import file_state
from fundus_plugins.data.examine import Examined, as_row, examine, from_row
from fundus_plugins.data.registration import GRADING_SUFFIX, disc_cup_structures
from fundus_plugins.files import atomic_write
from fundus_plugins.photographs.problems import BadInput

ERROR, WARNING, NOTE = "error", "warning", "note"
LEVELS = (ERROR, WARNING, NOTE)
VERSION = 1  # of what is examined: another one makes what was kept void

# Of the 935 masks of disc and cup of Drishti-GS1 (training), RIM-ONE DL and REFUGE (validation): discs are 0.008 to
# 0.60 of the picture, ratios 0.07 to 0.95, medians of the sets 0.45 to 0.72; discs are like an ellipse to 0.92 or more.
# Beyond these limits something is wrong, or worth a look.
DISC_SHARES, RATIOS, MEDIANS, MIN_ELLIPSE = (0.002, 0.65), (0.05, 0.95), (0.25, 0.8), 0.85
MAX_PIECES = 0.02  # of a disc, beside its largest region
MIN_BRIGHTNESS, MIN_SPREAD = 5, 3  # grey values; the darkest photograph there has 18 and 15
MAX_DARK_DISCS = 0.1  # of a set: discs darker than what is about them; there 0.01
LARGE_SHARE, SMALL_SET = 0.2, 20  # of a set, for one patient


@dataclass(frozen=True)
class Finding:
    """Something about a set: `level` is one of LEVELS, `examples` are files or values, `number` how many there are."""

    level: str
    kind: str
    dataset: str
    text: str
    examples: tuple[str, ...] = ()
    number: int = 1


@dataclass
class Check:
    """What was found about some sets, and every photograph as it was examined, by set."""

    findings: list[Finding] = field(default_factory=list)
    examined: dict[str, list[Examined]] = field(default_factory=dict)

    def of(self, level: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.level == level]


def check_sets(names: Sequence[str], *, categories: Sequence[str] = (), processes: int = 1) -> Check:
    """Look at registered sets, one by one and beside each other.

    What was examined of a photograph is kept beside the set's JSON (`.<name>.check.json`), where that can be written,
    and used while neither changes.

    Args:
        names: of segmentation and grading sets (which end in `_grading`); photographs in two of them are errors, unless
            one set holds the other's.
        categories: names of disc and cup beside the usual ones, such as `disc=papilla`.

    Raises nothing that is wrong with a set: that is a Finding.
    """
    check = Check()
    seen: dict[str, Examined] = {}
    for name in names:
        grading = name.removesuffix(".json").endswith(GRADING_SUFFIX)
        try:
            check.examined[name], classes = _examine(name, grading, categories, processes, seen)
        except (BadInput, ValueError, KeyError, TypeError, AssertionError, OSError) as error:
            text = " ".join(str(error).split()) or type(error).__name__
            check.findings.append(Finding(ERROR, "unreadable set", name, text))
            continue
        check.findings += _of_photographs(name, check.examined[name])
        check.findings += (
            _of_grades(name, check.examined[name], classes) if grading else _of_masks(name, check.examined[name])
        )
    check.findings += _between(check.examined)
    check.findings.sort(key=lambda finding: LEVELS.index(finding.level))
    return check


def require_sound(names: Sequence[str], categories: Sequence[str] = (), processes: int = 1) -> None:
    """Raise ValueError where `check_sets` finds errors in one of these sets; log what else it finds.

    Photographs that are in two sets are told, and nothing more: someone may mean to measure what was trained on.
    """
    logger = logging.getLogger(__name__)
    check = check_sets(list(dict.fromkeys(names)), categories=categories, processes=processes)
    errors = [finding for finding in check.of(ERROR) if finding.dataset in names]
    for finding in check.findings:
        if finding.level != NOTE and finding not in errors:
            logger.warning(f"{finding.dataset}: {finding.kind}: {finding.text}: {some(finding.examples)}")
    if errors:
        first = errors[0]
        more = f" (and {len(errors) - 1} more kinds of error)" if len(errors) > 1 else ""
        raise ValueError(
            f"{first.dataset}: {first.kind}: {first.text}: {some(first.examples)}{more}; `fundus check "
            f"{' '.join(names)}` lists all; DATASETS.CHECK False trains all the same"
        )


def some(examples: Sequence[str], limit: int = 3) -> str:
    """The first examples, for one line."""
    return "; ".join(examples[:limit]) + (f"; ... ({len(examples)})" if len(examples) > limit else "")


def _examine(
    name: str, grading: bool, categories: Sequence[str], processes: int, seen: dict[str, Examined]
) -> tuple[list[Examined], list[str]]:
    """A set's photographs, and the names of its classes; `seen` holds those of other sets, which may be the same."""
    from detectron2.data import DatasetCatalog, MetadataCatalog

    records = DatasetCatalog.get(name)
    structures = None if grading else disc_cup_structures(name, parse_categories(categories))
    metadata = MetadataCatalog.get(name)
    json_file = metadata.get("json_file")
    kept = _Kept(Path(json_file) if json_file else None, [VERSION, structures], records)
    found = kept.read()
    keys = [json.dumps([structures, {**record, "image_id": 0}], sort_keys=True, default=str) for record in records]
    if found is None:
        new = {key: record for key, record in zip(keys, records, strict=True) if key not in seen}
        examined = _map(partial(examine, structures=structures), list(new.values()), processes, name)
        seen.update(zip(new, examined, strict=True))
        found = [seen[key] for key in keys]
        kept.write(found)
    seen.update(zip(keys, found, strict=True))
    return found, list(metadata.get("thing_classes") or [])


def _map(function: Callable, items: Sequence, processes: int, title: str) -> Iterable:
    bar: dict[str, Any] = {"total": len(items), "unit": "image", "desc": title, "disable": None}
    if processes <= 1 or len(items) < 32:  # another process pays only for many
        yield from tqdm(map(function, items), **bar)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from tqdm(pool.map(function, items, chunksize=4), **bar)


class _Kept:
    """What was examined before, in a hidden file beside the set's JSON, under a hash of everything it depends on."""

    def __init__(self, json_file: Path | None, key: list, records: Sequence[dict]):
        self.path = json_file and json_file.with_name(f".{json_file.stem}.check.json")
        self.key = ""
        if self.path:
            states = [_state(record["file_name"]) for record in records]
            text = json.dumps([key, file_state(str(json_file)), states])
            self.key = hashlib.sha256(text.encode()).hexdigest()

    def read(self) -> list[Examined] | None:
        if not self.path:
            return None
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            return [from_row(row) for row in document["photographs"]] if document["key"] == self.key else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, found: Sequence[Examined]) -> None:
        if not self.path:
            return
        try:
            with atomic_write(self.path) as file:
                json.dump({"key": self.key, "photographs": [as_row(x) for x in found]}, file)
        except OSError:  # a folder that cannot be written to: looked at again the next time
            pass


def _state(file_name: str) -> list:
    try:
        return file_state(file_name)
    except OSError:
        return [file_name]


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


def _of_photographs(name: str, found: Sequence[Examined]) -> list[Finding]:
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
    add(
        NOTE,
        "turned",
        "turned by their EXIF or TIFF data: masks must be of the upright picture",
        [x for x in found if x.turned],
    )
    for same in _repeated(found, lambda x: x.digest):
        add(WARNING, "photograph twice", "the same bytes under several names", [x.file_name for x in same])
    patients = Counter(x.patient for x in found if x.patient)
    for patient, number in patients.most_common(1):
        if number > LARGE_SHARE * len(found) >= LARGE_SHARE * SMALL_SET:
            add(WARNING, "large patient", f"patient {patient} has {number} of {len(found)} photographs", [], number)
    return findings.list


def _of_masks(name: str, found: Sequence[Examined]) -> list[Finding]:
    add = (findings := _Findings(name)).add
    usable = [x for x in found if not x.problem]
    discs = [x for x in usable if x.disc_share == x.disc_share]
    ratios = [x.vcdr for x in discs if x.vcdr == x.vcdr]
    add(
        WARNING,
        "no disc",
        "without an annotated disc: neither trained on nor evaluated",
        [x for x in usable if x not in discs],
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


def _of_grades(name: str, found: Sequence[Examined], classes: Sequence[str]) -> list[Finding]:
    add = (findings := _Findings(name)).add
    numbers = Counter(x.grade for x in found)
    text = ", ".join(f"{numbers[i]} {grade}" for i, grade in enumerate(classes))
    add(NOTE, "grades", text, [], len(found) - numbers[None])
    usable = [x for x in found if not x.problem]
    if found and not len(found) - numbers[None]:
        add(ERROR, "no grade", "no photograph has a grade", [], 1)
    add(WARNING, "no grade", "without a grade", [x for x in usable if x.grade is None])
    return findings.list


def _between(examined: Mapping[str, Sequence[Examined]]) -> list[Finding]:
    """Photographs and patients in two sets, and grades that a set lacks; masks and grades of one split are one set."""
    splits: dict[str, dict[str, Examined]] = {}
    for name, found in examined.items():
        split = name.removesuffix(".json").removesuffix(GRADING_SUFFIX)
        splits.setdefault(split, {}).update({x.file_name: x for x in found})
    findings = []
    names = list(splits)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            pair = (splits[one], splits[other])
            files = [{os.path.realpath(file) for file in part} for part in pair]
            if files[0] <= files[1] or files[1] <= files[0]:
                continue  # fit and val are parts of train
            both = f"{one}, {other}"
            for kind, key in (("photograph", "digest"), ("patient", "patient")):
                there = [{getattr(x, key): x for x in part.values() if getattr(x, key)} for part in pair]
                common = sorted(there[0].keys() & there[1].keys())
                if common:
                    shown = [f"{there[0][x].file_name} and {there[1][x].file_name}" for x in common]
                    text = f"the same {kind} on both sides: what is measured on one is not of unknown eyes"
                    findings.append(Finding(ERROR, f"{kind} in two sets", both, text, tuple(shown), len(common)))
    return findings + _lacking(examined)


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
