"""Files below a folder, by name; and what was not used of them."""

import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from .problems import Problem

# Everything that `read_photograph` reads; GIF is for masks.
PHOTOGRAPH_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp", ".ppm")
MASK_SUFFIXES = (*PHOTOGRAPH_SUFFIXES, ".gif")
# Pictures by their suffix that nothing here reads: whoever has them wants to be told.
OTHER_PICTURES = (
    *(".gif", ".dcm", ".dicom", ".heic", ".heif", ".avif", ".jp2", ".j2k", ".raw", ".nef", ".cr2", ".dng"),
    *(".fda", ".e2e", ".svg", ".psd", ".mat", ".npy", ".nii"),
)

# Names of folders of masks of one structure, their letters in lower case.
_STRUCTURES = dict.fromkeys(
    ("disc", "discs", "disk", "disks", "od", "opticdisc", "opticdisk", "discmask", "discmasks", "odmasks"), "disc"
) | dict.fromkeys(("cup", "cups", "oc", "opticcup", "cupmask", "cupmasks", "ocmasks"), "cup")

_MAX_DEPTH = 8  # a root that is no data set (a home folder) must not be searched for minutes
_SKIPPED_FOLDERS = re.compile(r"^(\.|__MACOSX$)|_(cropped|square)$", re.IGNORECASE)
_SKIPPED_FILES = re.compile(r"^(\.|~\$)|illustration", re.IGNORECASE)


def walk_files(root: Path) -> list[Path]:
    """Files below `root`, relative to it, sorted; without hidden files, `__MACOSX`, illustrations, cropped copies.

    Links to folders are followed where they lead to what is not here anyway, and once. A broken link is a file, which
    cannot be read.
    """
    files: list[Path] = []
    entered: set[str] = set()
    waiting = [Path()]  # links wait until everything that is really here has been seen
    while waiting:
        start = waiting.pop(0)
        if os.path.realpath(root / start) in entered:
            continue
        for folder, subfolders, names in os.walk(root / start):
            relative = Path(folder).relative_to(root)
            entered.add(os.path.realpath(folder))
            wanted = [name for name in sorted(subfolders) if not _SKIPPED_FOLDERS.search(name)]
            links = [name for name in wanted if os.path.islink(os.path.join(folder, name))]
            deep = len(relative.parts) >= _MAX_DEPTH
            waiting += [] if deep else [relative / name for name in links]
            subfolders[:] = [] if deep else [name for name in wanted if name not in links]
            files += [relative / name for name in names if not _SKIPPED_FILES.search(name)]
    return sorted(files)


def folder_names(file: Path) -> list[str]:
    """Lower-case names of the folders above a relative file, outermost first."""
    return [part.lower() for part in file.parent.parts]


def structure_of_folder(name: str) -> str | None:
    """ "disc" or "cup" where a folder of masks is called so, or by one of the usual names; else None.

    >>> structure_of_folder("Optic_Disc"), structure_of_folder("OC"), structure_of_folder("masks")
    ('disc', 'cup', None)
    """
    return _STRUCTURES.get(re.sub(r"[^a-z]", "", name.lower()))


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
    return sorted(x for x in folder.iterdir() if is_photograph(x) and not x.name.startswith("."))


def is_photograph(file: Path) -> bool:
    """Whether a file has the suffix of a photograph."""
    return file.suffix.lower() in PHOTOGRAPH_SUFFIXES


def unused_pictures(root: Path, files: Iterable[Path], used: Iterable[Path], expected: str) -> list[Problem]:
    """A problem for every folder that holds pictures, by suffix, which were not used, and for their kinds of file.

    Args:
        files: relative to `root`.
        used: some of them.
        expected: of a folder, so that its photographs are used.
    """
    rest = sorted(set(files) - set(used))
    folders = Counter(file.parent for file in rest if is_photograph(file))
    others = Counter((file.parent, file.suffix.lower()) for file in rest if file.suffix.lower() in OTHER_PICTURES)
    found = [Problem("unused folder", root / folder, expected, _several(n, "picture")) for folder, n in folders.items()]
    known = " ".join(PHOTOGRAPH_SUFFIXES)
    return found + [
        Problem("unread kind of file", root / folder, known, f"{_several(number, 'file')} {suffix}")
        for (folder, suffix), number in others.items()
    ]


def _several(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
