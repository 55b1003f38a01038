"""A photograph in whatever form a program has it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Union

import numpy as np
from PIL import Image

from .dicom import decode_dicom, is_dicom, open_dicom
from .photograph import KIND, MODES, decode_photograph
from .picture import orientation, read_bytes, upright
from .problems import BadInput

if TYPE_CHECKING:
    from pydicom import Dataset

Anything = Union[str, os.PathLike, bytes, np.ndarray, Image.Image, "Dataset"]


def as_photograph(given: Anything) -> np.ndarray:
    """The photograph, (H, W, 3) uint8 RGB, of a path, a file's bytes, a picture of Pillow, a DICOM data set, or itself.

    Files are read as `read_photograph` and `decode_dicom` read them, of several DICOM frames the first; a picture of
    Pillow is turned as its EXIF data says; arrays are taken as they are. Raises BadInput as these do, and TypeError for
    anything else.
    """
    if isinstance(given, np.ndarray):
        return given
    if isinstance(given, Image.Image):
        given.load()
        if given.mode not in MODES:
            expected, found = (
                "grey values or colours of 8 bits",
                f"a Pillow picture of mode {given.mode}; give its file",
            )
            raise BadInput(KIND, Path("a Pillow picture"), expected, found)
        return upright(np.array(given.convert("RGB")), orientation(given))
    if isinstance(given, (bytes, bytearray, memoryview)):
        return _decoded(bytes(given), Path("bytes"))
    if isinstance(given, (str, os.PathLike)):
        return _decoded(read_bytes(Path(given), KIND), Path(given))
    if hasattr(given, "PhotometricInterpretation"):
        return decode_dicom(given, Path("a DICOM data set"))
    raise TypeError(
        f"expected a path, bytes, an array, a Pillow picture or a DICOM data set, found {type(given).__name__}"
    )


def _decoded(data: bytes, name: Path) -> np.ndarray:
    return decode_dicom(open_dicom(data, name), name) if is_dicom(data) else decode_photograph(data, name)
