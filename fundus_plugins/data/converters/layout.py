"""The layout of a public data set, written down as patterns of paths, and the records that it gives.

A photograph and its masks belong together where their paths agree in the groups of KEY: `split`, `part` (a camera, a
hospital, a folder) and `id`. A mask's pattern may have the groups `reader` and `structure` (disc or cup; without it,
the file holds both). Patterns are searched in the path below the root, with slashes, in any case: begin them with
`(?:^|/)`, so that the root may hold the archive's folder, or that twice.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from fundus_plugins.data.converters.draws import with_splits
from fundus_plugins.data.converters.readers import Masks, Readers, check_expert
from fundus_plugins.data.converters.record import Listing, NotThisDataset, Record
from fundus_plugins.photographs.folders import first_entries, unused_pictures, walk_files
from fundus_plugins.photographs.problems import Problem

PICTURE = r"\.(?:jpe?g|png|tiff?|bmp)$"  # the end of most patterns
SPLITS = ("train", "val", "test")
_KEY = ("split", "part", "id")
_SPLIT_OF = {"train": "train", "training": "train", "val": "val", "validation": "val", "test": "test"}
_SPLIT_OF |= {"testing": "test"}

Key = tuple[str, str, str]
# (mask, photograph, shape) -> one structure, (H, W) bool, or disc and cup where the file has both. Raises BadInput.
Reading = Callable[[Path, Path, tuple[int, int]], np.ndarray | Masks]


@dataclass(frozen=True)
class Source:
    """One way in which a data set may have its masks.

    Attributes:
        name: for the JSON's info and for messages, such as `Masks/001.png`.
        pattern: of a mask's path.
        read: what opens the file.
    """

    name: str
    pattern: str
    read: Reading


@dataclass(frozen=True)
class About:
    """What a sheet or a folder tells of a photograph; "" or None where it does not."""

    grade: str | None = None
    split: str = ""
    patient: str = ""


@dataclass(frozen=True)
class Layout:
    """Where the photographs and masks of a data set are.

    Attributes:
        title: the data set's name.
        photographs: a pattern of paths with the group `id`.
        sources: ways to have masks; the first one of which there are files is taken.
        looked_for: photographs and masks, for the error's text.
        readers: names of those who drew the masks, where there are several.
        stereo: whether photographs are stereo pairs.
        unmasked: whether photographs without a mask are kept, for their grades.
        ignored: a pattern of paths of known pictures that are neither.
        patient: from a photograph's key to its patient; "" where nothing tells.
    """

    title: str
    photographs: str
    sources: tuple[Source, ...]
    looked_for: str
    readers: tuple[str, ...] = ()
    unmasked: bool = False
    stereo: bool = False
    ignored: str = ""
    patient: Callable[[Key], str] = lambda key: ""


def key_of(match: re.Match) -> Key:
    """The groups of KEY, in lower case; "" for one that the pattern has not."""
    found = match.groupdict()
    split, part, stem = ((found.get(name) or "").lower() for name in _KEY)
    return _SPLIT_OF.get(split, split), part, stem


def keys_of(layout: Layout, files: Sequence[Path]) -> list[Key]:
    """The keys of a layout's photographs, among files relative to the root."""
    return [key for key, _, _ in _matching(layout.photographs, files)]


def list_layout(
    layout: Layout,
    root: Path,
    about: Callable[[Path, Sequence[Path], Listing], Mapping[Key, About]] = lambda root, files, listing: {},
    *,
    expert: str = "consensus",
    test_percent: float,
    val_percent: float,
    seed: int,
) -> Listing:
    """Every photograph that has its masks, in splits in which no patient is on two sides, and what is wrong.

    Args:
        about: what sheets below the root tell of photographs, by their keys; problems go to the listing.
        expert: whose masks, where there are several readers.
        test_percent, val_percent, seed: of a draw, for splits that the data set has not.

    Raises NotThisDataset.
    """
    check_expert(expert)
    files, listing = walk_files(root), Listing()
    photographs = _matching(layout.photographs, files)
    found = [(source, _matching(source.pattern, files)) for source in layout.sources]
    source, masks = next(((x, there) for x, there in found if there), found[0])
    owners = [key for key, _, _ in photographs]
    if not photographs or not masks and not layout.unmasked or not layout.unmasked and not _shared(owners, masks):
        raise NotThisDataset(
            f"{root} does not hold {layout.title}: looked for {layout.looked_for}, found {len(photographs)} "
            f"photographs and {len(masks)} masks, no pair of one name; the folder holds: {first_entries(root)}"
        )
    others = [file for x, there in found for _, _, file in there if x is not source]
    if others:
        listing.notes.append(f"masks are those of {source.name}; not used: {len(others)} others, such as {others[0]}")
    listing.facts["masks_from"] = source.name
    ignored = [file for file in files if layout.ignored and re.search(layout.ignored, file.as_posix(), re.IGNORECASE)]
    used = [file for _, _, file in (*photographs, *masks)] + others + ignored
    listing.problems += unused_pictures(root, files, used, layout.looked_for)
    told = about(root, files, listing)
    groups = _by_key(masks)
    for key, same in _by_key(photographs).items():
        of_key = groups.pop(key, [])
        if record := _record(layout, source, root, same, of_key, told.get(key, About()), key, expert, listing):
            listing.records.append(record)
    for key, same in groups.items():
        expected = f"a photograph {key[2]} ({layout.looked_for})"
        listing.problems.append(Problem("missing photograph", root / same[0][1], expected, "none"))
    if layout.readers:
        listing.facts["readers"] = ", ".join(layout.readers)
    return with_splits(listing, root, guess=False, test_percent=test_percent, val_percent=val_percent, seed=seed)


Found = list[tuple[Key, re.Match, Path]]


def _matching(pattern: str, files: Sequence[Path]) -> Found:
    matches = ((re.search(pattern, file.as_posix(), re.IGNORECASE), file) for file in files)
    return [(key_of(match), match, file) for match, file in matches if match]


def _shared(owners: Sequence[Key], masks: Found) -> bool:
    return bool(set(owners) & {key for key, _, _ in masks})


def _by_key(found: Found) -> dict[Key, list[tuple[re.Match, Path]]]:
    groups: dict[Key, list[tuple[re.Match, Path]]] = {}
    for key, match, file in found:
        groups.setdefault(key, []).append((match, file))
    return groups


def _record(
    layout: Layout,
    source: Source,
    root: Path,
    photographs: list[tuple[re.Match, Path]],
    masks: list[tuple[re.Match, Path]],
    about: About,
    key: Key,
    expert: str,
    listing: Listing,
) -> Record | None:
    """A photograph with its masks; None, and a problem, where they do not make one."""
    if len(photographs) > 1:
        listing.problems.append(_twice(root, photographs))
        return None
    photograph = root / photographs[0][1]
    patient = about.patient or layout.patient(key)
    record = Record(about.split or key[0], photograph, about.grade, None, patient, stereo=layout.stereo)
    by_reader: dict[str, dict[str, Path]] = {}
    for match, file in masks:
        groups = match.groupdict()
        reader, structure = (groups.get("reader") or "").lower(), (groups.get("structure") or "").lower()
        first = by_reader.setdefault(reader, {}).setdefault(structure, root / file)
        if first != root / file:
            listing.problems.append(Problem("duplicate id", root / file, "one mask of a kind", f"also {first}"))
            return None
    usable = {name: files for name, files in by_reader.items() if "disc" in files or "" in files}
    for name in set(layout.readers or [""]) - usable.keys():
        if not layout.unmasked or masks:
            whose = f" by reader {name}" if name else ""
            expected = f"a mask of its disc{whose} ({source.name})"
            listing.problems.append(Problem("missing mask", photograph, expected, "none"))
    if not usable:
        return record if layout.unmasked and not masks else None
    openers = {
        name: partial(read_files, source.read, tuple(usable[name].items()), photograph) for name in sorted(usable)
    }
    if not layout.readers:
        return replace(record, read_masks=openers[""])
    return replace(record, readers=Readers(openers, expert, len(layout.readers)))


def read_files(read: Reading, files: Sequence[tuple[str, Path]], photograph: Path, shape: tuple[int, int]) -> Masks:
    """Disc and cup, (H, W) bool, of one reader's files, by structure ("" for both); no cup: None. Raises BadInput."""
    found = {structure: read(path, photograph, shape) for structure, path in files}
    both = found.get("")
    if isinstance(both, tuple):
        return both
    disc = found["disc"] if both is None else both
    cup = found.get("cup")
    assert not isinstance(disc, tuple) and not isinstance(cup, tuple)
    return disc, cup


def _twice(root: Path, same: list[tuple[re.Match, Path]]) -> Problem:
    return Problem("duplicate id", root / same[1][1], "one photograph of a name", f"also {root / same[0][1]}")
