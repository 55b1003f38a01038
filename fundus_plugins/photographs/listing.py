"""What a user named, listed photograph by photograph: files, folders, patterns, lists, ZIP files."""

import glob
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from .folders import PHOTOGRAPH_SUFFIXES, list_folder, walk_files
from .problems import BadInput, reason
from .sheets import file_of, normalised, read_sheet
from .sources import Source, looks_like_dicom, pictures_in

DICOM_SUFFIXES = (".dcm", ".dicom")
LIST_SUFFIXES = (".csv", ".tsv", ".xlsx", ".parquet")
ZIP_SUFFIX = ".zip"

_COLUMNS = {
    "path": {"path", "file", "filename", "image", "photograph"},
    "id": {"id", "imageid"},
    "eye": {"eye", "laterality", "side"},
    "patient": {"patient", "patientid"},
    "mm_per_pixel": {"mmperpixel", "mmpixel", "scale"},
    "fovea_x": {"foveax"},
    "fovea_y": {"foveay"},
}
_EYES = {"od": "OD", "r": "OD", "re": "OD", "right": "OD", "os": "OS", "l": "OS", "le": "OS", "left": "OS"}


def list_sources(paths: Iterable[Path], *, recursive: bool = False, without: Path | None = None) -> list[Source]:
    """Every photograph that is meant, each with an id of its own, in the order of `paths`; of a folder sorted.

    A file is taken as it is; of a folder what has a photograph's or DICOM's suffix, or begins as DICOM does; hidden
    files are left alone. A list (.csv, .tsv, .xlsx, .parquet) has a column `path`, relative to the list, and may have
    id, eye, patient, mm_per_pixel, fovea_x and fovea_y. Files of several pictures give one for each.

    Args:
        recursive: folders within folders, too, as `walk_files` does.
        without: a folder whose files are left out: the one that is written to.

    Raises:
        FileNotFoundError: nothing is there, or there is no photograph.
        ValueError: two photographs of one id.
        BadInput: a list that cannot be read, or a ZIP file.
    """
    found: dict[str, Source] = {}
    for path in dict.fromkeys(y for x in paths for y in _expanded(x)):
        sources = [
            x for x in _listed(path, recursive) if without is None or not x.path.resolve().is_relative_to(without)
        ]
        if not sources:
            raise FileNotFoundError(f"no photographs at {path}")
        if any(x.id in found and found[x.id] != x for x in sources):  # of two folders with the same names
            above = path if path.is_dir() else path.absolute().parent
            sources = [replace(x, id=f"{above.absolute().name}/{x.id}") for x in sources]
        for source in sources:
            other = found.setdefault(source.id, source)
            if other != source and other.where != source.where:
                raise ValueError(f"two photographs have the id {source.id!r}: {other.where} and {source.where}")
    return list(found.values())


def _expanded(path: Path) -> list[Path]:
    """A pattern's files, where there is no file of that name."""
    if os.path.lexists(path) or not glob.has_magic(str(path)):
        return [path]
    return [Path(x) for x in sorted(glob.glob(str(path), recursive=True))] or [path]


def _listed(path: Path, recursive: bool) -> Iterator[Source]:
    if path.is_dir():
        files = [path / x for x in walk_files(path)] if recursive else _folder(path)
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


def _folder(path: Path) -> list[Path]:
    """The photographs of one folder, and what may be DICOM."""
    others = (x for x in path.iterdir() if not x.suffix or x.suffix.lower() in DICOM_SUFFIXES)
    return sorted({*list_folder(path), *(x for x in others if x.is_file() and not x.name.startswith("."))})


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


def _in_list(path: Path) -> Iterator[Source]:
    rows = _parquet(path) if path.suffix.lower() == ".parquet" else read_sheet(path)
    headings = [normalised(x) for x in rows[0]]
    columns = {name: next((i for i, x in enumerate(headings) if x in names), None) for name, names in _COLUMNS.items()}
    if columns["path"] is None:
        raise BadInput("unreadable list", path, "a column 'path' in the first row", ", ".join(map(str, rows[0])))
    for number, row in enumerate(rows[1:], start=2):
        cells = {name: row[i] if i is not None else None for name, i in columns.items()}
        if cells["path"] is None:
            raise BadInput("unreadable list", path, f"a path in row {number}", "an empty cell")
        yield _of_row(cells, path, number)


def _of_row(cells: dict, path: Path, number: int) -> Source:
    name = file_of(cells["path"])
    eye = _EYES.get(normalised(cells["eye"]), "") if cells["eye"] is not None else ""
    if cells["eye"] is not None and not eye:
        raise BadInput("unreadable list", path, f"OD, OS, right or left for the eye in row {number}", str(cells["eye"]))
    numbers = {}
    for key in ("mm_per_pixel", "fovea_x", "fovea_y"):
        try:
            numbers[key] = None if cells[key] is None else float(str(cells[key]).replace(",", "."))
        except ValueError:
            raise BadInput("unreadable list", path, f"a number for {key} in row {number}", str(cells[key])) from None
    scale, x, y = numbers.values()
    if scale is not None and not 0 < scale < 1:
        raise BadInput("unreadable list", path, f"millimetres a pixel between 0 and 1 in row {number}", str(scale))
    return Source(
        id=str(cells["id"]) if cells["id"] is not None else name,
        path=path.parent / name,
        eye=eye,
        patient=str(cells["patient"]) if cells["patient"] is not None else "",
        mm_per_pixel=scale,
        fovea=None if x is None or y is None else (x, y),
    )


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
    return [table.column_names, *([None if x == "" else x for x in row] for row in zip(*columns))]
