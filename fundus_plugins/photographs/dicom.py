"""Photographs in DICOM files: pixels as the photographs of other files, and what the header says of the eye."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .laterality import LEFT, RIGHT
from .problems import BadInput, reason

if TYPE_CHECKING:
    from pydicom import Dataset

KIND = "unreadable DICOM file"
MISSING = "DICOM files need pydicom: pip install 'fundus-plugins[dicom]'"
_EYES = {"R": RIGHT, "L": LEFT}
_MAX_PIXELS = 1 << 27  # as of other pictures


@dataclass(frozen=True)
class Header:
    """What a DICOM header says; empty or None where it says nothing.

    Attributes:
        eye: "OD" or "OS".
        patient: the patient's ID.
        mm_per_pixel: on the retina, as the camera's maker computes it; of pixels that are square.
        field_degrees: horizontal field of view.
    """

    eye: str = ""
    patient: str = ""
    mm_per_pixel: float | None = None
    field_degrees: float | None = None


def is_dicom(start: bytes) -> bool:
    """Whether a file that begins with these 132 bytes, or more, is DICOM's."""
    return start[128:132] == b"DICM"


def open_dicom(data: bytes, path: Path) -> "Dataset":
    """The data set of a file's bytes. Raises BadInput, naming `path`, and ImportError without pydicom."""
    try:
        import pydicom
    except ImportError:
        raise ImportError(MISSING) from None
    try:
        return pydicom.dcmread(io.BytesIO(data))
    except Exception as error:  # pydicom has a dozen
        raise BadInput(KIND, path, "a DICOM file", reason(error)) from None


def count_frames(dataset: "Dataset") -> int:
    """How many pictures a data set holds, 1 where it does not say."""
    return int(dataset.get("NumberOfFrames") or 1)


def decode_dicom(dataset: "Dataset", path: Path, frame: int = 0) -> np.ndarray:
    """One frame, from 0, as (H, W, 3) uint8 RGB.

    YBR is converted, palettes are looked up, grey values go through the header's rescaling and window, and become three
    equal channels; of more than 8 bits the stored ones count, and the upper 8 of these are taken.

    Raises BadInput, naming `path`, for no picture, one that is damaged or too large, and a compression for which
    nothing is installed.
    """
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    if not rows * columns or "PixelData" not in dataset:
        raise BadInput(KIND, path, "a picture", f"{_kind(dataset)} without pixels")
    if rows * columns > _MAX_PIXELS:
        raise BadInput(KIND, path, f"at most {_MAX_PIXELS:,} pixels", f"{columns} x {rows}")
    if not 0 <= frame < count_frames(dataset):
        raise BadInput(KIND, path, f"a frame below {count_frames(dataset)}", str(frame))
    try:
        from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

        picture = _decode_jpeg(dataset, frame)
        if picture is not None:
            return picture
        pixels = pixel_array(dataset, index=frame)  # YBR becomes RGB
        colours = str(dataset.PhotometricInterpretation)
        if colours == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, dataset)
            return _eight_bits(pixels, 8 * pixels.dtype.itemsize)
        if colours.startswith("MONOCHROME"):
            grey = apply_voi_lut(apply_modality_lut(pixels, dataset), dataset)
            table = dataset.get("VOILUTSequence")
            grey = _eight_bits(grey, int(table[0].LUTDescriptor[2]) if table else int(dataset.BitsStored))
            grey = 255 - grey if colours == "MONOCHROME1" else grey
            return np.repeat(grey[..., None], 3, axis=2)
        pixels = _eight_bits(pixels, int(dataset.BitsStored))
    except Exception as error:  # pydicom and its decoders raise errors of many families
        raise BadInput(KIND, path, "a picture that can be decoded", reason(error)) from None
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise BadInput(KIND, path, "grey values or three colours", f"pixels of the shape {pixels.shape}")
    return pixels


def read_header(dataset: "Dataset", frame: int = 0) -> Header:
    """What a data set says of the eye in one of its frames."""
    side = str(dataset.get("ImageLaterality") or dataset.get("Laterality") or "").strip().upper()
    shared = _group(dataset, "SharedFunctionalGroupsSequence", 0)
    own = _group(dataset, "PerFrameFunctionalGroupsSequence", frame)
    spacing = dataset.get("PixelSpacing")
    for group in (shared, own):
        measures = group.get("PixelMeasuresSequence") if group is not None else None
        spacing = (measures[0].get("PixelSpacing") if measures else None) or spacing
    field = dataset.get("HorizontalFieldOfView")
    patient = str(dataset.get("PatientID") or "").strip()
    return Header(_EYES.get(side, ""), patient, _square(spacing), float(field) if field else None)


def _decode_jpeg(dataset: "Dataset", frame: int) -> np.ndarray | None:
    """A frame of plain JPEG by OpenCV, as it decodes JPEG files; decoders differ in how they widen colours again."""
    from pydicom.encaps import get_frame
    from pydicom.uid import JPEGBaseline8Bit

    plain = dataset.file_meta.get("TransferSyntaxUID") == JPEGBaseline8Bit
    if not plain or dataset.PhotometricInterpretation not in ("YBR_FULL", "YBR_FULL_422"):
        return None
    data = get_frame(dataset.PixelData, frame, number_of_frames=count_frames(dataset))
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _group(dataset: "Dataset", name: str, number: int):
    groups = dataset.get(name)
    return groups[number] if groups and number < len(groups) else None


def _square(spacing) -> float | None:
    """Millimetres a pixel of a spacing whose two sides differ by less than a hundredth."""
    try:
        row, column = (float(x) for x in spacing)
    except (TypeError, ValueError):
        return None
    return (row + column) / 2 if row > 0 and column > 0 and abs(row - column) < 0.01 * row else None


def _eight_bits(pixels: np.ndarray, bits: int) -> np.ndarray:
    if bits <= 8:
        return np.ascontiguousarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return (np.clip(pixels, 0, (1 << bits) - 1).astype(np.uint32) >> (bits - 8)).astype(np.uint8)


def _kind(dataset: "Dataset") -> str:
    uid = dataset.get("SOPClassUID")
    return getattr(uid, "name", "") or "a data set"
