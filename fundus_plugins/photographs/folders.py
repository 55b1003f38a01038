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
# What lies beside photographs and is none; every other kind of file is told, for it may hold some.
_NO_PICTURES = {
    *(
        ".txt",
        ".csv",
        ".tsv",
        ".xls",
        ".xlsx",
        ".ods",
        ".json",
        ".xml",
        ".yaml",
        ".yml",
        ".md",
        ".html",
        ".htm",
        ".pdf",
    ),
    *(
        ".doc",
        ".docx",
        ".zip",
        ".gz",
        ".tar",
        ".rar",
        ".7z",
        ".db",
        ".ini",
        ".py",
        ".ipynb",
        ".log",
        ".lnk",
        ".url",
        ".m",
    ),
    *(".bib", ".rst", ".cfg", ".toml", ".sh", ".bat", ".css", ".js"),
}
_NO_PICTURE_NAMES = {"readme", "license", "licence", "copying", "authors", "md5sums", "sha256sums"}

# Names of folders of masks of one structure, their letters in lower case.
_STRUCTURES = dict.fromkeys(("disc", "discs", "disk", "disks", "od"), "disc") | dict.fromkeys(
    ("cup", "cups", "oc"), "cup"
)
_BESIDE_STRUCTURES = re.compile("optic|masks?|gt|groundtruths?|seg(?:mentations?)?|annotations?|labels?")

_MAX_DEPTH = 8
_SKIPPED_FOLDERS = re.compile(r"^(\.|__MACOSX$)", re.IGNORECASE)
_COPIED_FOLDERS = re.compile(r"_(cropped|square)$", re.IGNORECASE)
_SKIPPED_FILES = re.compile(r"^(\.|~\$)", re.IGNORECASE)


def walk_files(root: Path, *, everything: bool = False) -> list[Path]:
    """Files below `root`, relative to it, sorted; without hidden files and `__MACOSX`.

    Nor, but for `everything`, cropped copies (`X_Cropped` and `X_Square` beside `X`), and what is over _MAX_DEPTH
    folders deep: a data set has the former, and a folder that is none must not be searched for minutes.

    Links to folders are followed where they lead to what is not here anyway, and once. A broken link is a file, which
    cannot be read. Raises OSError for a folder that may not be read: what is in it would be missed in silence.
    """
    files: list[Path] = []
    entered: set[str] = set()
    waiting = [Path()]  # links wait until everything that is really here has been seen
    while waiting:
        start = waiting.pop(0)
        if os.path.realpath(root / start) in entered:
            continue
        for folder, subfolders, names in os.walk(root / start, onerror=_raise):
            relative = Path(folder).relative_to(root)
            entered.add(os.path.realpath(folder))
            there = {name.lower() for name in subfolders}
            wanted = [x for x in sorted(subfolders) if not (_is_hidden(x) or not everything and _is_copy(x, there))]
            links = [name for name in wanted if os.path.islink(os.path.join(folder, name))]
            deep = len(relative.parts) >= _MAX_DEPTH and not everything
            waiting += [] if deep else [relative / name for name in links]
            subfolders[:] = [] if deep else [name for name in wanted if name not in links]
            files += [relative / name for name in names if not _SKIPPED_FILES.search(name)]
    return sorted(files)


def _raise(error: OSError) -> None:
    raise error


def _is_hidden(name: str) -> bool:
    return _SKIPPED_FOLDERS.search(name) is not None


def _is_copy(name: str, siblings: set[str]) -> bool:
    copied = _COPIED_FOLDERS.search(name)
    return bool(copied and name[: copied.start()].lower() in siblings)


def folder_names(file: Path) -> list[str]:
    """Lower-case names of the folders above a relative file, outermost first."""
    return [part.lower() for part in file.parent.parts]


def structure_of_folder(name: str) -> str | None:
    """ "disc" or "cup" where a folder of masks is called so, or by one of the usual names; else None.

    >>> structure_of_folder("Optic_Disc"), structure_of_folder("OC"), structure_of_folder("masks")
    ('disc', 'cup', None)
    """
    letters = re.sub(r"[^a-z]", "", name.lower())
    return _STRUCTURES.get(letters) or _STRUCTURES.get(_BESIDE_STRUCTURES.sub("", letters))


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
    others = Counter((file.parent, file.suffix.lower()) for file in rest if not is_photograph(file) and _may_be(file))
    found = [Problem("unused folder", root / folder, expected, _several(n, "picture")) for folder, n in folders.items()]
    known = " ".join(PHOTOGRAPH_SUFFIXES)
    return found + [
        Problem(
            "unread kind of file", root / folder, known, f"{_several(number, 'file')} {suffix or 'without a suffix'}"
        )
        for (folder, suffix), number in others.items()
    ]


def _may_be(file: Path) -> bool:
    return file.suffix.lower() not in _NO_PICTURES and file.name.lower() not in _NO_PICTURE_NAMES


def _several(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
