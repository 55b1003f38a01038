"""A person's outlines, which go before a model's: LabelMe's files, masks or COCO JSON, and whose they are."""

import filecmp
import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from fundus_plugins.data.annotations import IGNORED, structure_of
from fundus_plugins.data.coco_file import read_coco
from fundus_plugins.data.labelme import read_labelme
from fundus_plugins.data.mask_files import list_masks
from fundus_plugins.photographs.anatomy import cup_within_disc, refuse_impossible
from fundus_plugins.photographs.folders import MASK_SUFFIXES, walk_files
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.sheets import normalised
from fundus_plugins.photographs.sources import Source, place_of

Item = TypeVar("Item")
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # what Label Studio puts before the names of files that were uploaded


# Folders of these names are everywhere, and say nothing of whose photographs are in them.
_PLAIN_FOLDERS = {"", "images", "image", "img", "imgs", "photographs", "photos", "pictures", "data", "default"}
_PLAIN_FOLDERS |= {"labels", "annotations", "contours", "masks", "json", "train", "val", "test", "uploads", "upload"}


@dataclass(frozen=True)
class Correction:
    """A person's outlines of one photograph.

    Attributes:
        where: the file that they are in.
        name: of the photograph, or of the file, below the folder; lower case, no suffix.
        photograph: where they say that the photograph is, absolute; empty where they do not say.
        read: disc and cup, (H, W) bool, of a photograph of H, W; None for what has no outline.
        files, text: what they are made of, for `stamp`.
    """

    where: Path
    name: str
    photograph: str
    read: Callable[[tuple[int, int]], tuple[np.ndarray | None, np.ndarray | None]]
    files: tuple[Path, ...] = ()
    text: str = ""

    def masks(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
        """Disc and cup, (H, W) bool, the cup within the disc; an empty disc: a person found none; None: no cup drawn.

        Raises:
            BadInput: files that cannot be read, another size, or masks that no eye has.
        """
        disc, cup = self.read(size)
        if disc is None:
            raise BadInput("no disc", self.where, "an outline of the disc", "one of the cup alone")
        for mask in (disc, cup):
            if mask is not None and mask.shape != size:
                sides = (f"{width} x {height} pixels" for height, width in (size, mask.shape))
                raise BadInput("size mismatch", self.where, f"the photograph's {next(sides)}", next(sides))
        refuse_impossible(self.where, disc, cup)
        return disc, None if cup is None else cup_within_disc(self.where, disc, cup)[0]

    def stamp(self) -> str:
        """Changes with what the outlines are made of."""
        value = zlib.crc32(self.text.encode(errors="backslashreplace"))
        for file in self.files:
            try:
                value = zlib.crc32(file.read_bytes(), value)
            except OSError:  # told when it is read
                continue
        return f"{value:08x}"


@dataclass(frozen=True)
class Corrections:
    """All of a person's outlines that are at `path`."""

    path: Path
    every: Sequence[Correction]

    def match(self, sources: Sequence[Source], name_of: Callable[[str], str]) -> dict[str, Correction]:
        """The corrections of photographs, by their ids.

        A correction is of the photograph where it says that this is; else of that of its name below the folder, as
        `name_of` or the id without its suffix gives it; else of that of its file's name, where both have it alone. What
        lies in, or names, a folder of another name is not of this photograph, whatever it is called: patients' folders
        hold files of the same names.

        Args:
            sources: all photographs of a run.
            name_of: what a run calls the files of the photograph of an id, below their folder, without a suffix.

        Raises:
            BadInput: none is of any of these photographs, or several say that they are of one.
        """
        steps: tuple[tuple[Callable[[Source], Iterable[str]], Callable[[Correction], Iterable[str]]], ...] = (
            (lambda x: [place_of(x)], lambda x: [x.photograph]),
            (lambda x: [name_of(x.id).lower()], lambda x: [x.name]),
            (_own_names, lambda x: [x.name]),
            (lambda x: {_last(y) for y in (name_of(x.id).lower(), *_own_names(x))}, _file_names),
        )
        places = {place_of(x) for x in sources}
        for place, same in _grouped(self.every, steps[0][1]).items():
            if len(same) > 1 and place in places:
                raise BadInput("duplicate id", same[1].where, f"one file of {place}", f"also {same[0].where}")
        found: dict[str, Correction] = {}
        taken: set[int] = set()
        for of_source, of_correction in steps:
            sought = _grouped([x for x in sources if x.id not in found], of_source)
            for name, same in _grouped([x for x in self.every if id(x) not in taken], of_correction).items():
                meant = sought.get(name, ())
                if not len(same) == len(meant) == 1 or id(same[0]) in taken or meant[0].id in found:
                    continue
                said = of_source is steps[0][0] or not _is_of_another(same[0], meant[0])
                if said:
                    found[meant[0].id] = same[0]
                    taken.add(id(same[0]))
        if sources and not found:
            names = ", ".join(str(x.where) for x in self.every[:3])
            raise BadInput("no corrections", self.path, "some of the photographs that are given", f"others: {names}")
        return found


def read_corrections(path: Path) -> Corrections:
    """Find a person's outlines in a folder of LabelMe's files or of masks, searched deeper, or in a COCO JSON.

    Single files are read when their masks are wanted. Images of a COCO JSON without an annotation have no correction.

    Raises:
        BadInput: none of these, or nothing there; masks of one name.
    """
    path = Path(os.path.abspath(path))
    every = _in_labelme(path) if path.is_dir() else []
    every = every or _in_masks(path)
    if not every:
        raise BadInput("no corrections", path, "outlines of at least one photograph", "none")
    return Corrections(path, tuple(every))


def _in_labelme(root: Path) -> list[Correction]:
    """Of the .json files in a folder, where at least one is LabelMe's; those that cannot be read say so later."""
    found, there = [], False
    for file in (x for x in walk_files(root) if x.suffix.lower() == ".json"):
        photograph = ""
        try:
            photograph = str(read_labelme(root / file).photograph or "")
            there = True
        except BadInput:
            pass
        read = partial(_read_labelme, root / file)
        found.append(Correction(root / file, _bare(file.as_posix()), photograph, read, (root / file,)))
    return found if there else []


def _read_labelme(path: Path, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
    return read_labelme(path).masks(size)


def _in_masks(path: Path) -> list[Correction]:
    if path.suffix.lower() == ".json" and path.is_file():
        return _in_coco(path)
    masks = list_masks(path, by_path=True)
    for problem in masks.problems:
        if problem.file.suffix.lower() in MASK_SUFFIXES:  # others are of sheets of labels
            raise BadInput(problem.kind, problem.file, problem.expected, problem.found)
    return [
        Correction(masks.files[name][0], name, "", partial(_call, read), masks.files[name])
        for name, read in masks.masks.items()
    ]


def _in_coco(path: Path) -> list[Correction]:
    """Of the images with an annotation of a disc or a cup; categories that are neither are passed over."""
    document = read_coco(path)
    names = {x["id"]: x["name"] for x in document["categories"]}
    others = {normalised(x): IGNORED for x in names.values() if structure_of(x) is None}
    masks = list_masks(path, by_path=True, categories=others).masks
    annotations: dict[Any, list] = {x["id"]: [] for x in document["images"]}
    for x in document["annotations"]:
        if structure_of(names[x["category_id"]]) is not None:
            annotations[x["image_id"]].append(x)
    return [
        Correction(
            Path(f"{path}: {image['file_name']}"),
            _bare(image["file_name"]),
            os.path.abspath(path.parent / image["file_name"]),
            partial(_call, masks[_bare(image["file_name"])]),
            text=json.dumps([image, annotations[image["id"]]], sort_keys=True),
        )
        for image in document["images"]
        if annotations[image["id"]]
    ]


def _call(read: Callable[[], tuple], size: tuple[int, int]) -> tuple:
    return read()


def _own_names(source: Source) -> list[str]:
    """Its id without a suffix; none where there are several pictures in its file."""
    return [] if source.number is not None else [_bare(source.id)]


def _file_names(correction: Correction) -> set[str]:
    """Without folders and suffixes: of the file, and of the photograph that it names."""
    names = {_last(x) for x in (correction.name, _bare(correction.photograph)) if x}
    return names | {_UPLOADED.sub("", x) for x in names}


def _bare(name: str) -> str:
    """Lower case, with slashes, without a suffix."""
    return os.path.splitext(name.replace("\\", "/").lower())[0]


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _grouped(items: Iterable[Item], names_of: Callable[[Item], Iterable[str]]) -> dict[str, list[Item]]:
    groups: dict[str, list[Item]] = {}
    for item in items:
        for name in names_of(item):
            groups.setdefault(name, []).append(item)
    return groups


def _is_of_another(correction: Correction, source: Source) -> bool:
    """Whether a correction is of another photograph than this one, though of the same name.

    That is so where the photograph that it names is there, and has other bytes; and where it is not there, and both it
    and the correction lie in folders of other names, those aside that every export has.
    """
    named = Path(correction.photograph)
    if correction.photograph == place_of(source):
        return False
    if correction.photograph and named.is_file():
        try:
            return named.name == source.path.name and not filecmp.cmp(named, source.path, shallow=False)
        except OSError:
            return False
    theirs = {correction.name.rpartition("/")[0].rpartition("/")[2]}
    if correction.photograph and named.parent != correction.where.parent:
        theirs.add(named.parent.name.lower())
    ours = {source.path.parent.name.lower(), source.id.lower().rpartition("/")[0].rpartition("/")[2]}
    told = theirs - _PLAIN_FOLDERS
    return bool(told) and not told & ours
