"""Is a data set what it should be? Every photograph and mask looked at, and the set as a whole."""

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fundus_plugins.data.annotations import parse_categories
from fundus_plugins.data.checks.examine import Examined, examine
from fundus_plugins.data.checks.findings import (
    ERROR,
    LEVELS,
    NOTE,
    Finding,
    between_sets,
    of_grades,
    of_masks,
    of_photographs,
)
from fundus_plugins.data.checks.kept import VERSION, Kept
from fundus_plugins.data.registration import GRADING_SUFFIX, disc_cup_structures
from fundus_plugins.photographs.problems import BadInput


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
        check.findings += of_photographs(name, check.examined[name])
        check.findings += (
            of_grades(name, check.examined[name], classes) if grading else of_masks(name, check.examined[name])
        )
    check.findings += between_sets(check.examined)
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
    keys = [json.dumps([structures, {**record, "image_id": 0}], sort_keys=True, default=str) for record in records]
    kept = Kept(Path(json_file) if json_file else None, [VERSION, keys], records)
    found = kept.read()
    if found is None or len(found) != len(records):
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
