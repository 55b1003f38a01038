"""What a user named, listed photograph by photograph: files, folders, patterns, lists, ZIP files, URLs."""

import glob
import math
import os
import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from .folders import PHOTOGRAPH_SUFFIXES, list_folder, walk_files
from .problems import BadInput, reason
from .remote import files_below, is_folder, is_url, read_url
from .sheets import MAX_BYTES, as_cell, file_of, normalised, read_sheet
from .sources import Source, looks_like_dicom, pictures_in, place_of

DICOM_SUFFIXES = (".dcm", ".dicom")
LIST_SUFFIXES = (".csv", ".tsv", ".xlsx", ".parquet")
ZIP_SUFFIX = ".zip"

_COLUMNS = {
    # The first of these that is there.
    "path": ("path", "file", "filename", "photograph", "image"),
    "id": ("id", "imageid"),
    "eye": ("eye", "laterality", "side"),
    "patient": ("patient", "patientid"),
    "mm_per_pixel": ("mmperpixel", "mmpixel"),
    "fovea_x": ("foveax",),
    "fovea_y": ("foveay",),
}
_EYES = {"od": "OD", "r": "OD", "re": "OD", "right": "OD", "os": "OS", "l": "OS", "le": "OS", "left": "OS"}


def list_sources(paths: Iterable[Path | str], *, recursive: bool = False, without: Path | None = None) -> list[Source]:
    """Every photograph that is meant, once, each with an id of its own, in the order of `paths`; of a folder sorted.

    A file is taken as it is; of a folder what has a photograph's or DICOM's suffix, or begins as DICOM does; hidden
    files are left alone. A list (.csv, .tsv, .xlsx, .parquet) has a column `path`, relative to the list, and may have
    id, eye, patient, mm_per_pixel, fovea_x and fovea_y. Files of several pictures give one for each. An id is the path
    below the folder that was named; where several were, below the one that holds them.

    Args:
        paths: a URL of a file, a folder or a list is a text; a list may name URLs, too.
        recursive: folders within folders, too, as `walk_files` does.
        without: a folder whose files are left out: the one that is written to.

    Raises:
        FileNotFoundError: nothing is there, or there is no photograph.
        ValueError: two photographs of one id, or one photograph of which two things are said.
        BadInput: a list that cannot be read, or a ZIP file.
    """
    listed: list[tuple[Path | None, list[Source]]] = []  # below which folder; None: a list gives the ids
    for path, by_pattern in dict.fromkeys(y for x in paths for y in _expanded(x)):
        every = list(_listed(path, recursive))
        if not every and not by_pattern:
            raise FileNotFoundError(f"no photographs at {path}")
        sources = [x for x in every if without is None or x.url or not _is_below(x.path, without)]
        listed.append((_root(path), sources))
    prefixes = _prefixes({x for x, _ in listed if x is not None})
    found: dict[str, Source] = {}  # by place
    for below, sources in listed:
        prefix = prefixes[below] if below is not None else ""
        for source in (replace(x, id=prefix + x.id) for x in sources):
            place = place_of(source)
            other: Source | None = found.get(place)
            if other is not None and _said(other) and _said(source) and other != source:
                raise ValueError(f"{source.where} stands twice in the lists, and two things are said of it")
            if other is None or _said(source):
                found[place] = source
    if not found:
        raise FileNotFoundError(f"no photographs at {', '.join(map(str, paths))}")
    ids: dict[str, Source] = {}
    for source in found.values():
        same = ids.setdefault(source.id, source)
        if same is not source:
            raise ValueError(f"two photographs have the id {source.id!r}: {same.where} and {source.where}")
    return list(found.values())


def _prefixes(roots: set[Path]) -> dict[Path, str]:
    """For each folder its path below the one that holds all of them, with a slash; nothing for one alone."""
    try:
        above = os.path.commonpath(roots) if len(roots) > 1 else ""
    except ValueError:  # Windows, on several drives
        return {root: root.as_posix().replace(":", "") + "/" for root in roots}
    below = {root: Path(os.path.relpath(root, above)).as_posix() if above else "." for root in roots}
    return {root: "" if path == "." else f"{path}/" for root, path in below.items()}


def _is_below(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(folder)


def _root(path: Path | str) -> Path | None:
    """The folder below which ids are; None: a list gives them."""
    if isinstance(path, str):
        place = Path("/", path.replace("://", "/", 1))
        folder = is_folder(path)
    else:
        place, folder = Path(os.path.abspath(path)), path.is_dir()
    if not folder and place.suffix.lower() in LIST_SUFFIXES:
        return None
    return place if folder or place.suffix.lower() == ZIP_SUFFIX else place.parent


def _said(source: Source) -> bool:
    return bool(source.eye or source.patient or source.mm_per_pixel or source.fovea or source.named)


def _expanded(path: Path | str) -> list[tuple[Path | str, bool]]:
    """A pattern's files, where there is no file of that name; and whether they are by a pattern."""
    if isinstance(path, str) or os.path.lexists(path) or not glob.has_magic(str(path)):
        return [(path, False)]
    return [(Path(x), True) for x in sorted(glob.glob(str(path), recursive=True))] or [(path, False)]


def _listed(path: Path | str, recursive: bool) -> Iterator[Source]:
    if isinstance(path, str):
        yield from _at_url(path, recursive)
    elif path.is_dir():
        files = [path / x for x in walk_files(path, everything=True)] if recursive else _folder(path)
        for file in files:
            source = Source(file.relative_to(path).as_posix(), file)
            if file.suffix.lower() in (*PHOTOGRAPH_SUFFIXES, *DICOM_SUFFIXES) or looks_like_dicom(source):
                yield from pictures_in(source)
    elif not os.path.lexists(path):
        raise FileNotFoundError(f"no photographs at {path}")
    elif path.suffix.lower() == ZIP_SUFFIX:
        yield from _in_zip(path)
    elif path.suffix.lower() in LIST_SUFFIXES:
        for source in _in_list(path):
            yield from pictures_in(source)
    else:
        yield from pictures_in(Source(path.name, path))


def _at_url(url: str, recursive: bool) -> Iterator[Source]:
    name = url.rstrip("/").rpartition("/")[2]
    if is_folder(url):
        for below, file in files_below(url, recursive):
            if PurePosixPath(below).suffix.lower() in (*PHOTOGRAPH_SUFFIXES, *DICOM_SUFFIXES):
                yield from pictures_in(_of_url(below, file))
    elif PurePosixPath(name).suffix.lower() in LIST_SUFFIXES:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, name)
            copy.write_bytes(read_url(url, MAX_BYTES))
            try:
                sources = list(_in_list(copy, url.removesuffix(name)))
            except BadInput as error:
                raise error.at(url) from None
        for source in sources:
            yield from pictures_in(source)
    else:
        yield from pictures_in(_of_url(name, url))


def _of_url(id: str, url: str, **said: Any) -> Source:
    return Source(id, Path(url.partition("://")[2]), url=url, **said)


def _folder(path: Path) -> list[Path]:
    """The photographs of one folder, and what may be DICOM."""
    others = (x for x in path.iterdir() if not x.suffix or x.suffix.lower() in DICOM_SUFFIXES)
    found = {*list_folder(path), *(x for x in others if not x.name.startswith("."))}
    return sorted(x for x in found if not x.is_dir())


def _in_zip(path: Path) -> Iterator[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(x.filename for x in archive.infolist() if not x.is_dir())
    except (OSError, zipfile.BadZipFile) as error:
        raise BadInput("unreadable ZIP file", path, "a ZIP file", reason(error)) from None
    for name in names:
        parts = PurePosixPath(name).parts
        if any(x.startswith((".", "__MACOSX")) for x in parts):
            continue
        source = Source(name, path, member=name)
        if PurePosixPath(name).suffix.lower() in (*PHOTOGRAPH_SUFFIXES, *DICOM_SUFFIXES) or looks_like_dicom(source):
            yield from pictures_in(source)


def _in_list(path: Path, base: str = "") -> Iterator[Source]:
    """Paths are relative to the list, or to the URL `base`."""
    rows = _parquet(path) if path.suffix.lower() == ".parquet" else read_sheet(path)
    headings = [normalised(x) for x in rows[0]]
    columns = {
        name: next((headings.index(x) for x in names if x in headings), None) for name, names in _COLUMNS.items()
    }
    if columns["path"] is None:
        raise BadInput("unreadable list", path, "a column 'path' in the first row", ", ".join(map(str, rows[0])))
    for number, row in enumerate(rows[1:], start=2):
        cells = {name: row[i] if i is not None else None for name, i in columns.items()}
        if cells["path"] is None:
            raise BadInput("unreadable list", path, f"a path in row {number}", "an empty cell")
        yield _of_row(cells, path, number, base)


def _of_row(cells: dict, path: Path, number: int, base: str) -> Source:
    name = file_of(cells["path"])
    eye = _EYES.get(normalised(cells["eye"]), "") if cells["eye"] is not None else ""
    if cells["eye"] is not None and not eye:
        raise BadInput("unreadable list", path, f"OD, OS, right or left for the eye in row {number}", str(cells["eye"]))
    numbers = {}
    for key in ("mm_per_pixel", "fovea_x", "fovea_y"):
        try:
            text = str(cells[key])
            numbers[key] = None if cells[key] is None else float(text.replace(",", "."))
            if not math.isfinite(numbers[key] or 0) or key != "mm_per_pixel" and re.search(r",\d{3}$", text):
                raise ValueError  # of pixels, 1,234 may be thousands
        except ValueError:
            raise BadInput("unreadable list", path, f"a number for {key} in row {number}", str(cells[key])) from None
    scale, x, y = numbers.values()
    if scale is not None and not 0 < scale < 1:
        raise BadInput("unreadable list", path, f"millimetres a pixel between 0 and 1 in row {number}", str(scale))
    if (x is None) != (y is None):
        raise BadInput("unreadable list", path, f"fovea_x and fovea_y in row {number}", "one of them")
    given, fovea = _text(cells["id"]), None if x is None or y is None else (x, y)
    id = given or name
    said: dict[str, Any] = {"eye": eye, "patient": _text(cells["patient"]), "mm_per_pixel": scale, "fovea": fovea}
    said["named"] = bool(given)
    if is_url(name) or base:
        return _of_url(id, name if is_url(name) else f"{base}{name}", **said)
    return Source(id, path.parent / name, **said)


def _parquet(path: Path) -> list[Sequence]:
    try:
        import pyarrow.parquet
    except ImportError:
        raise ImportError("Parquet files need pyarrow: pip install 'fundus-plugins[parquet]'") from None
    try:
        table = pyarrow.parquet.read_table(path)
    except Exception as error:  # pyarrow has its own
        raise BadInput("unreadable list", path, "a Parquet file", reason(error)) from None
    columns = [column.to_pylist() for column in table.columns]
    return [table.column_names, *([_cell(x) for x in row] for row in zip(*columns))]


def _cell(value: Any) -> Any:
    """What the cell of a table of text would be: nothing for what is missing, in whichever way."""
    if isinstance(value, str):
        return as_cell(value)
    return None if value is None or value != value else value  # nan


def _text(value: Any) -> str:
    """Of a number without its .0, which it has where the column has gaps."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)
