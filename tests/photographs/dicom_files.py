"""DICOM photographs for tests, as fundus cameras write them: drawn phantoms in every colour model."""

import io

import cv2
import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

OPHTHALMIC = "1.2.840.10008.5.1.4.1.1.77.1.5.1"  # Ophthalmic Photography 8 Bit Image Storage


def photograph(pixels: np.ndarray, colours: str = "RGB", **header) -> Dataset:
    """A data set whose pixels are (H, W), (H, W, 3) or (frames, H, W, 3) uint8 or uint16, already in these colours."""
    several = pixels.ndim == 4
    height, width = pixels.shape[1:3] if several else pixels.shape[:2]
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = OPHTHALMIC
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.PatientID, made.PatientName, made.PatientBirthDate, made.PatientSex = "P7", "Phantom^Ada", "19500101", "F"
    made.StudyDate, made.StudyTime, made.StudyID, made.AccessionNumber = "20260101", "120000", "1", "A1"
    made.ReferringPhysicianName, made.Modality = "", "OP"
    made.SeriesNumber, made.InstanceNumber, made.ImageType = 1, 1, ["ORIGINAL", "PRIMARY"]
    made.Rows, made.Columns = height, width
    made.SamplesPerPixel = 3 if pixels.shape[-1] == 3 and pixels.ndim > 2 else 1
    made.PhotometricInterpretation = colours
    if made.SamplesPerPixel == 3:
        made.PlanarConfiguration = 0
    made.BitsAllocated = made.BitsStored = 8 * pixels.itemsize
    made.HighBit, made.PixelRepresentation = made.BitsStored - 1, 0
    made.NumberOfFrames = len(pixels) if several else 1
    made.PixelData = pixels.tobytes()
    for name, value in header.items():
        setattr(made, name, value)
    return made


def to_bytes(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def in_ybr(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB as full-range YCbCr."""
    return np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]])


def jpeg(image: np.ndarray) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 98, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422]
    return cv2.imencode(".jpg", image[..., ::-1], quality)[1].tobytes()


def as_jpeg(image: np.ndarray, **header) -> Dataset:
    """JPEG baseline, chroma subsampled: YBR_FULL_422."""
    data = jpeg(image)
    made = photograph(image, "YBR_FULL_422", **header)
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.PixelData = encapsulate([data])
    made["PixelData"].is_undefined_length = True
    made.LossyImageCompression = "01"
    return made


def quantised(image: np.ndarray) -> np.ndarray:
    """What `with_palette` shows."""
    return np.asarray(_with_256_colours(image).convert("RGB"))


def _with_256_colours(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image).quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def with_palette(image: np.ndarray, **header) -> Dataset:
    """The nearest of 256 colours."""
    small = _with_256_colours(image)
    made = photograph(np.asarray(small), "PALETTE COLOR", **header)
    palette = np.zeros((256, 3), np.uint8)
    colours = np.array(small.getpalette(), np.uint8).reshape(-1, 3)
    palette[: len(colours)] = colours
    for name, values in zip(("Red", "Green", "Blue"), palette.T):
        setattr(made, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(made, f"{name}PaletteColorLookupTableData", (values.astype(np.uint16) * 257).tobytes())
    return made


def read_back(data: bytes) -> Dataset:
    return dcmread(io.BytesIO(data))
