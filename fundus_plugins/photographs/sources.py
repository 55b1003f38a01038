"""Photographs to predict, wherever they are: files, pages and frames of files, members of ZIP files, at URLs."""

import io
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from .dicom import Header, count_frames, decode_dicom, is_dicom, open_dicom, read_header
from .folders import PHOTOGRAPH_SUFFIXES
from .laterality import eye_of_name, patient_of_name
from .photograph import KIND, decode_photograph
from .picture import MAX_BYTES, read_bytes, whole_pages
from .problems import BadInput, reason
from .regular import open_regular
from .remote import read_url

_SEVERAL = (".tif", ".tiff")  # may hold several pictures
CONTRADICTION = "contradiction"
UNLIKE_HEADER = "list, unlike the header"  # a list may name patients anew, or be off by a row


@dataclass(frozen=True)
class Source:
    """One photograph, before it is read.

    Attributes:
        id: of this photograph alone in a run.
        path: its file, or the ZIP file that it is in; of a URL the path there.
        member: its name in the ZIP file; empty: it is in none.
        number: of the picture in its file, from 0; None: there is one.
        eye, patient, mm_per_pixel, fovea: what a list says of it; fovea (x, y) in pixels of the photograph.
        url: where it is; empty: on this machine.
        named: whether the id is a list's own, not one made of the path.
    """

    id: str
    path: Path
    member: str = ""
    number: int | None = None
    eye: str = ""
    patient: str = ""
    mm_per_pixel: float | None = None
    fovea: tuple[float, float] | None = None
    url: str = ""
    named: bool = False

    @property
    def where(self) -> str:
        """Its file, and what it is there, for people."""
        inside = f"/{self.member}" if self.member else ""
        return f"{self.url or self.path}{inside}" + (f", picture {self.number + 1}" if self.number is not None else "")


@dataclass(frozen=True)
class Known:
    """What is known of a photograph beside its pixels, and from where: "list", "header", "name", or "" for nothing.

    Where these name different eyes, none is known, by CONTRADICTION. A patient whom list and header call differently is
    UNLIKE_HEADER.
    """

    eye: str = ""
    eye_source: str = ""
    patient: str = ""
    patient_source: str = ""
    mm_per_pixel: float | None = None
    scale_source: str = ""
    field_degrees: float | None = None
    fovea: tuple[float, float] | None = None


def read_source(source: Source) -> tuple[np.ndarray, Known]:
    """The photograph, (H, W, 3) uint8 RGB, and what is known of it: by a list first, then its header, then its name.

    Raises BadInput, naming the file, as `read_photograph` and `decode_dicom` do.
    """
    try:
        return _read(source)
    except BadInput as error:
        if not source.url:
            raise
        raise error.at(source.where) from None


def _read(source: Source) -> tuple[np.ndarray, Known]:
    data, name = read_data(source), Path(source.where)
    header = Header()
    if is_dicom(data):
        dataset = open_dicom(data, name)
        image = decode_dicom(dataset, name, source.number or 0)
        header = read_header(dataset, source.number or 0)
    else:
        image = decode_photograph(data, name, source.number)
    return image, what_is_known(source, header)


def place_of(source: Source) -> str:
    """Where a photograph is, from the root on, as a run writes it down."""
    return source.where if source.url else os.path.abspath(source.where)


def what_is_known(source: Source, header: Header) -> Known:
    """As `read_source` gives it, without the pixels."""
    stem = Path(source.member or source.path).stem
    eyes = (source.eye, "list"), (header.eye, "header"), (header.other_eye, "header"), (eye_of_name(stem), "name")
    eye, eye_source = _first(*eyes)
    if len({x for x, _ in eyes if x}) > 1:
        eye, eye_source = "", CONTRADICTION
    patient, patient_source = _first(
        (source.patient, "list"), (header.patient, "header"), (_named_patient(source, stem), "name")
    )
    if patient_source == "list" and header.patient not in ("", patient):
        patient_source = UNLIKE_HEADER
    scale, scale_source = source.mm_per_pixel or header.mm_per_pixel, ""
    if scale:
        scale_source = "list" if source.mm_per_pixel else "header"
    return Known(eye, eye_source, patient, patient_source, scale, scale_source, header.field_degrees, source.fovea)


def _first(*known: tuple[str, str]) -> tuple[str, str]:
    """The first text that is not empty, and where it is from."""
    return next((x for x in known if x[0]), ("", ""))


def _named_patient(source: Source, stem: str) -> str:
    """By the file's name without its eye, and the folder that it is in; only there names need not be anyone else's."""
    name, file = patient_of_name(stem), PurePosixPath(source.member or source.path.as_posix())
    if not name:
        return ""
    folder = source.id.rpartition("/")[0] if source.id.partition("#")[0].endswith(file.name) else file.parent.as_posix()
    return f"{folder}/{name}" if folder else name


def read_data(source: Source) -> bytes:
    """The bytes of its file, or of the ZIP file's member. Raises BadInput."""
    if source.url:
        try:
            return read_url(source.url, MAX_BYTES)
        except ImportError:
            raise
        except Exception as error:  # every file system has its own
            found = "nothing" if isinstance(error, FileNotFoundError) else reason(error)
            raise BadInput(KIND, source.path, "a file that can be read", found, source.url) from None
    if not source.member:
        return read_bytes(source.path, KIND)
    try:
        archive = _archive(os.fspath(source.path), os.stat(source.path).st_mtime_ns)
        size = archive.getinfo(source.member).file_size
        if size > MAX_BYTES:
            raise ValueError(f"{size >> 20} MiB; at most {MAX_BYTES >> 20} are read")
        return archive.read(source.member)
    except Exception as error:  # of zipfile, zlib, and for encrypted members
        raise BadInput(KIND, Path(source.where), "a photograph in a ZIP file", reason(error)) from None


def pictures_in(source: Source) -> Iterator[Source]:
    """Itself, or one for each picture where its file holds several; itself, too, where it cannot be read."""
    number, suffix = 1, Path(source.member or source.path).suffix.lower()
    try:
        if suffix in _SEVERAL:
            pages = whole_pages_of(source)
            if len(pages) > 1:
                yield from (_numbered(source, page, count + 1) for count, page in enumerate(pages))
                return
        elif suffix not in PHOTOGRAPH_SUFFIXES and looks_like_dicom(source):
            given = io.BytesIO(read_data(source)) if source.member or source.url else source.path
            number = count_frames(open_dicom(given, Path(source.where), pixels=False))
    except (BadInput, ImportError):
        number = 1  # told when it is read
    if number == 1:
        yield source
    else:
        yield from (_numbered(source, frame, frame + 1) for frame in range(number))


def whole_pages_of(source: Source) -> list[int]:
    """Of a TIFF's pages those that are no thumbnails. Raises BadInput."""
    try:
        file = io.BytesIO(read_data(source)) if source.member or source.url else open_regular(source.path)
        with file, Image.open(file, formats=("TIFF",)) as image:
            return whole_pages(image)
    except Exception as error:  # Pillow's readers raise errors of many families
        raise BadInput(KIND, Path(source.where), "a TIFF file", reason(error)) from None


def looks_like_dicom(source: Source) -> bool:
    """Whether its file begins as DICOM's do; it may have any suffix, or none."""
    try:
        if source.url:
            return is_dicom(read_data(source))
        if source.member:
            with _archive(os.fspath(source.path), os.stat(source.path).st_mtime_ns).open(source.member) as file:
                return is_dicom(file.read(132))
        with open_regular(source.path) as file:
            return is_dicom(file.read(132))
    except Exception:  # told when it is read
        return False


def _numbered(source: Source, number: int, shown: int) -> Source:
    return replace(source, id=f"{source.id}#{shown}", number=number)


@lru_cache(maxsize=2)
def _archive(path: str, changed: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)
