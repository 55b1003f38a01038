"""Reading what lies on disk: files below a root, photographs' sizes, masks, label sheets."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from .record import BadInput

PHOTOGRAPH_SUFFIXES = (".jpg", ".jpeg", ".png")
SHEET_SUFFIXES = (".xlsx", ".xls", ".csv")

_MAX_DEPTH = 8  # a root that is no data set (a home folder) must not be searched for minutes
_SKIPPED_FOLDERS = re.compile(r"^(\.|__MACOSX$)|_(cropped|square)$", re.IGNORECASE)
_SKIPPED_FILES = re.compile(r"^(\.|~\$)|illustration", re.IGNORECASE)
# What Pillow raises for files that are no image, are cut off, or are too large to be true.
_PILLOW_ERRORS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


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


def photograph_shape(path: Path) -> tuple[int, int]:
    """(height, width) of a photograph as Detectron2 reads it (EXIF rotation applied), after decoding all of it.

    Raises BadInput if it cannot be decoded to the end.
    """
    try:
        with Image.open(path) as image:
            image.load()
            width, height = image.size
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except _PILLOW_ERRORS as error:
        raise BadInput("unreadable photograph", path, "an image file", _reason(error)) from None
    return (width, height) if turned else (height, width)


def read_mask(path: Path, shape: tuple[int, int] | None) -> np.ndarray:
    """Grey values or codes of a mask, uint8 of `shape` (height, width; None: any): grey, equal channels, or a palette.

    Of a palette of greys the greys are taken, of a coloured one the indices. Raises BadInput for a file that cannot
    be read, has another size, colours, or more than 8 bits.
    """
    try:
        with Image.open(path) as image:
            if image.mode == "1" or image.mode == "P" and _has_grey_palette(image):
                image = image.convert("L")
            mask = np.asarray(image)
    except _PILLOW_ERRORS as error:
        raise BadInput("unreadable mask", path, "an image file", _reason(error)) from None
    if shape is not None and mask.shape[:2] != tuple(shape):
        expected, found = (f"{size[1]} x {size[0]} pixels" for size in (shape, mask.shape))
        raise BadInput("size mismatch", path, f"the photograph's {expected}", found)
    if mask.ndim == 3:
        colours = mask[..., : 3 if mask.shape[2] > 2 else 1]  # the rest is an alpha channel
        if not (colours == colours[..., :1]).all():
            raise BadInput("unknown mask values", path, "grey values", "colours")
        mask = mask[..., 0]
    if mask.dtype != np.uint8:
        raise BadInput("unknown mask values", path, "8 bits per pixel", f"pixels of type {mask.dtype}")
    return mask


def mask_values(mask: np.ndarray) -> np.ndarray:
    """The values that occur in an 8-bit mask, ascending."""
    return np.flatnonzero(np.bincount(mask.ravel(), minlength=256))


def listed(values: np.ndarray, limit: int = 6) -> str:
    """Values for an error text."""
    return ", ".join(map(str, values[:limit])) + (", ..." if len(values) > limit else "")


def _has_grey_palette(image: Image.Image) -> bool:
    palette = np.asarray(image.getpalette("RGB")).reshape(-1, 3)
    used = palette[mask_values(np.asarray(image)).clip(max=len(palette) - 1)]
    return bool((used == used[:, :1]).all())


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def read_sheet(path: Path) -> list[list]:
    """Rows of the first sheet of an Excel file, or of a text file with separators; the suffix is not trusted.

    Empty cells are None. Raises BadInput if it is neither.
    """
    import pandas  # slow to import, and only label sheets want it

    try:
        with open(path, "rb") as file:
            start = file.read(4)
        if start.startswith((b"PK", b"\xd0\xcf")):
            frame = pandas.read_excel(path, header=None, sheet_name=0, dtype=object)
        else:
            frame = pandas.read_csv(path, header=None, sep="[,;\t]", engine="python", dtype=object)
    except Exception as error:  # the readers below pandas raise errors of many families
        raise BadInput("unreadable label sheet", path, "an Excel or CSV file", _reason(error)) from None
    return [[None if pandas.isna(cell) else cell for cell in row] for row in frame.to_numpy().tolist()]


def normalised(cell) -> str:
    """Letters and digits of a cell in lower case, to compare headings."""
    return re.sub(r"[^a-z0-9]", "", str(cell).lower())


def find_columns(rows: Sequence[Sequence], names: set[str], values: set[str]) -> tuple[int, int, int | None] | None:
    """(header row, column of names, column of values or None) of the first row with a heading in `names`, or None.

    Headings are compared after `normalised`.
    """
    for number, row in enumerate(rows[:20]):
        headings = [normalised(cell) for cell in row]
        name_column = next((index for index, heading in enumerate(headings) if heading in names), None)
        if name_column is not None:
            return number, name_column, next((i for i, heading in enumerate(headings) if heading in values), None)
    return None
