"""Photographs in DICOM files: pixels as the photographs of other files, and what the header says of the eye."""

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .laterality import LEFT, RIGHT
from .limits import MAX_PIXELS
from .picture import is_cut_off
from .problems import BadInput, reason

if TYPE_CHECKING:
    from pydicom import Dataset

KIND = "unreadable DICOM file"
MISSING = "DICOM files need pydicom: pip install 'fundus-plugins[dicom]'"
# Others decoders leave as they are, and they would be taken for RGB.
_OF_JPEG_2000 = ("YBR_ICT", "YBR_RCT")
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "PALETTE COLOR", "MONOCHROME1", "MONOCHROME2", *_OF_JPEG_2000)
_EYES = {"R": RIGHT, "L": LEFT}
_MAX_FRAMES = 10_000
_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
OPHTHALMIC = "1.2.840.10008.5.1.4.1.1.77.1.5."  # photographs; a scale of others need not be on the retina


@dataclass(frozen=True)
class Header:
    """What a DICOM header says; empty or None where it says nothing.

    Attributes:
        eye: "OD" or "OS".
        other_eye: the other one, where the header names both.
        patient: the patient's ID.
        mm_per_pixel: on the retina, as the camera's maker computes it; of ophthalmic photographs with square pixels.
        field_degrees: horizontal field of view.
    """

    eye: str = ""
    patient: str = ""
    mm_per_pixel: float | None = None
    field_degrees: float | None = None
    other_eye: str = ""


def is_dicom(start: bytes) -> bool:
    """Whether a file that begins with these 132 bytes, or more, is DICOM's."""
    return start[128:132] == b"DICM"


def open_dicom(file: bytes | io.BytesIO | Path, path: Path, *, pixels: bool = True) -> "Dataset":
    """The data set of a file, or of its bytes, without its `pixels` on demand.

    Raises BadInput, naming `path`, and ImportError without pydicom.
    """
    try:
        import pydicom
    except ImportError:
        raise ImportError(MISSING) from None
    try:
        given = io.BytesIO(file) if isinstance(file, bytes) else file
        return pydicom.dcmread(given, stop_before_pixels=not pixels)
    except Exception as error:  # pydicom has a dozen
        raise BadInput(KIND, path, "a DICOM file", reason(error)) from None


def count_frames(dataset: "Dataset") -> int:
    """How many pictures a data set says that it holds, 1 where it does not, or says nonsense; at most _MAX_FRAMES."""
    try:
        return min(max(int(dataset.get("NumberOfFrames") or 1), 1), _MAX_FRAMES)
    except (TypeError, ValueError):
        return 1


def decode_dicom(dataset: "Dataset", path: Path, frame: int = 0) -> np.ndarray:
    """One frame, from 0, as (H, W, 3) uint8 RGB.

    YBR is converted, palettes are looked up, grey values go through the header's rescaling and window, and become three
    equal channels. Of more than 8 bits the upper 8 are taken, of as many as the values have (8, 10, 12 or all).

    Raises BadInput, naming `path`, for no picture, one that is cut off, damaged, too large or of another size than the
    header says, a segmentation, and a compression for which nothing is installed.
    """
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    if not rows * columns or "PixelData" not in dataset:
        raise BadInput(KIND, path, "a picture", f"{_kind(dataset)} without pixels")
    if dataset.get("SOPClassUID") == _SEGMENTATION:
        raise BadInput(KIND, path, "a photograph", _kind(dataset))
    if rows * columns > MAX_PIXELS:
        raise BadInput(KIND, path, f"at most {MAX_PIXELS:,} pixels", f"{columns} x {rows}")
    if not 0 <= frame < count_frames(dataset):
        raise BadInput(KIND, path, f"a frame below {count_frames(dataset)}", str(frame))
    try:
        pixels = _pixels(dataset, path, frame)
    except BadInput:
        raise
    except Exception as error:  # pydicom and its decoders raise errors of many families
        raise BadInput(KIND, path, "a picture that can be decoded", reason(error)) from None
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise BadInput(KIND, path, "grey values or three colours", f"pixels of the shape {pixels.shape}")
    if pixels.shape[:2] != (rows, columns):
        found = f"{pixels.shape[1]} x {pixels.shape[0]}"
        raise BadInput(KIND, path, f"the {columns} x {rows} pixels of the header", found)
    return pixels


def read_header(dataset: "Dataset", frame: int = 0) -> Header:
    """What a data set says of the eye in one of its frames."""
    shared = _group(dataset, "SharedFunctionalGroupsSequence", 0)
    own = _group(dataset, "PerFrameFunctionalGroupsSequence", frame)
    ophthalmic = str(dataset.get("SOPClassUID") or "").startswith(OPHTHALMIC)
    spacing = dataset.get("PixelSpacing")
    sides = [dataset.get("ImageLaterality"), dataset.get("Laterality")]
    for group in (shared, own):
        anatomy = group.get("FrameAnatomySequence") if group is not None else None
        sides.append(anatomy[0].get("FrameLaterality") if anatomy else None)
    eyes = list(dict.fromkeys(_EYES[x] for x in (str(side or "").strip().upper() for side in sides) if x in _EYES))
    eye, other = [*eyes, "", ""][:2]
    for group in (shared, own):
        measures = group.get("PixelMeasuresSequence") if group is not None else None
        spacing = (measures[0].get("PixelSpacing") if measures else None) or spacing
    field = float(dataset.get("HorizontalFieldOfView") or 0)
    patient = str(dataset.get("PatientID") or "").strip()
    scale = _square(spacing) if ophthalmic else None
    return Header(eye, patient, scale, field if math.isfinite(field) and field > 0 else None, other)


def _pixels(dataset: "Dataset", path: Path, frame: int) -> np.ndarray:
    from pydicom.pixels import apply_color_lut, pixel_array

    picture = _decode_jpeg(dataset, path, frame)
    if picture is not None:
        return picture
    colours, bits = str(dataset.PhotometricInterpretation), int(dataset.BitsStored)
    native = not dataset.file_meta.TransferSyntaxUID.is_compressed
    if colours not in COLOURS or native and colours in _OF_JPEG_2000:
        raise BadInput(KIND, path, f"colours of {', '.join(COLOURS)}", colours)
    if int(dataset.get("HighBit", bits - 1)) != bits - 1:
        raise BadInput(KIND, path, f"{bits} bits of which the highest is number {bits - 1}", str(dataset.HighBit))
    pixels = pixel_array(dataset, index=frame)  # YBR becomes RGB
    if colours == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        return _eight_bits(pixels, 8 * pixels.dtype.itemsize)
    if colours.startswith("MONOCHROME"):
        grey = _grey(pixels, dataset)
        grey = 255 - grey if colours == "MONOCHROME1" else grey
        return np.repeat(grey[..., None], 3, axis=2)
    return _eight_bits(pixels, _used_bits(pixels, int(dataset.BitsStored)))


def _grey(pixels: np.ndarray, dataset: "Dataset") -> np.ndarray:
    """Stored values (H, W) as the header wants them shown, uint8: by its table, its window, or from end to end."""
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    table = dataset.get("VOILUTSequence")
    if table:
        return _eight_bits(apply_voi_lut(apply_modality_lut(pixels, dataset), dataset), int(table[0].LUTDescriptor[2]))
    bits = int(dataset.BitsStored)
    ends = np.array([0, (1 << _used_bits(pixels, bits)) - 1])
    if int(dataset.get("PixelRepresentation") or 0):  # with a sign
        ends = np.array([-(1 << (bits - 1)), (1 << (bits - 1)) - 1])
    slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    values, (low, high) = pixels * slope + intercept, np.sort(ends * slope + intercept)
    if dataset.get("WindowWidth") is not None and dataset.get("WindowCenter") is not None:
        centre, width = (float(np.atleast_1d(dataset[x].value)[0]) for x in ("WindowCenter", "WindowWidth"))
        low, high = centre - width / 2, centre + width / 2 - 1
    return np.clip((values - low) * (255 / max(high - low, 1e-9)), 0, 255).astype(np.uint8)


def _used_bits(pixels: np.ndarray, stored: int) -> int:
    """Of values without a sign, as of other files."""
    return next((bits for bits in (8, 10, 12) if bits <= stored and pixels.max(initial=0) < 1 << bits), stored)


def _decode_jpeg(dataset: "Dataset", path: Path, frame: int) -> np.ndarray | None:
    """A frame of plain JPEG by OpenCV, as it decodes JPEG files; decoders differ in how they widen colours again."""
    from pydicom.encaps import get_frame
    from pydicom.uid import JPEGBaseline8Bit

    plain = dataset.file_meta.get("TransferSyntaxUID") == JPEGBaseline8Bit
    if not plain or dataset.PhotometricInterpretation not in ("YBR_FULL", "YBR_FULL_422"):
        return None
    data = get_frame(dataset.PixelData, frame, number_of_frames=count_frames(dataset))
    if is_cut_off(data):
        raise BadInput(KIND, path, "a whole picture", "a truncated one: JPEG's end marker is missing")
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
