"""Files below a folder, by name."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

PHOTOGRAPH_SUFFIXES = (".jpg", ".jpeg", ".png")

_MAX_DEPTH = 8  # a root that is no data set (a home folder) must not be searched for minutes
_SKIPPED_FOLDERS = re.compile(r"^(\.|__MACOSX$)|_(cropped|square)$", re.IGNORECASE)
_SKIPPED_FILES = re.compile(r"^(\.|~\$)|illustration", re.IGNORECASE)


def walk_files(root: Path) -> list[Path]:
    """Files below `root`, relative to it, sorted; without hidden files, `__MACOSX`, illustrations, cropped copies."""
    files = []
    for folder, subfolders, names in os.walk(root, followlinks=True):
        relative = Path(folder).relative_to(root)
        subfolders[:] = [name for name in subfolders if not _SKIPPED_FOLDERS.search(name)]
        if len(relative.parts) >= _MAX_DEPTH:
            subfolders.clear()
        files += [relative / name for name in names if not _SKIPPED_FILES.search(name)]
    return sorted(files)


def folder_names(file: Path) -> list[str]:
    """Lower-case names of the folders above a relative file, outermost first."""
    return [part.lower() for part in file.parent.parts]


def first_entries(root: Path, limit: int = 6) -> str:
    """The first names in a folder, for an error text."""
    names = sorted(os.listdir(root))
    return ", ".join(names[:limit]) + (f", ... ({len(names)} entries)" if len(names) > limit else "") or "nothing"


def group_by_stem(files: Iterable[Path]) -> dict[str, list[Path]]:
    """Files by lower-case name without suffix, sorted."""
    groups: dict[str, list[Path]] = {}
    for file in sorted(files):
        groups.setdefault(file.stem.lower(), []).append(file)
    return groups


def list_folder(folder: Path) -> list[Path]:
    """The photographs in a folder, by suffix, sorted; hidden files and folders below it are left alone."""
    suffixes = (*PHOTOGRAPH_SUFFIXES, ".bmp", ".tif", ".tiff")
    return sorted(x for x in folder.iterdir() if x.suffix.lower() in suffixes and not x.name.startswith("."))
