"""Reading a photograph: the same pixels for training, conversion, prediction and evaluation."""

import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from .picture import decode_picture, open_bytes, open_picture, orientation, png_metadata, read_bytes, upright
from .problems import BadInput

KIND = "unreadable photograph"
READING = 2  # another number where pixels are read otherwise than before: what was kept of them is void then
MODES = ("RGB", "RGBA", "RGBX", "RGBa", "L", "LA", "La", "1", "P", "PA", "CMYK", "YCbCr")  # of 8 bits, and fewer


def read_photograph(path: str | os.PathLike) -> np.ndarray:
    """Read a photograph, turned upright as its EXIF or TIFF data says, to (H, W, 3) uint8 RGB.

    Grey values become three equal channels, palettes and CMYK their colours; an alpha channel is dropped. Of 16 bits
    the upper 8 are taken; where no value has more than 8, 10 or 12 bits, the upper 8 of these.
    Decoded by OpenCV where that gives the same pixels faster.

    Raises BadInput, naming the file, where it is no JPEG, PNG, TIFF, BMP, WebP, PPM or GIF, is cut off, too large, or
    holds several pictures.
    """
    return decode_photograph(read_bytes(Path(path), KIND), Path(path))


def decode_photograph(data: bytes, path: Path, page: int | None = None) -> np.ndarray:
    """As `read_photograph`, of a file's bytes; of several pictures in one file that on `page`, from 0.

    `path` is for the errors.
    """
    image = open_bytes(data, path, KIND, page)
    pixels = _decode_fast(data, image)
    if pixels is not None:
        return cv2.cvtColor(upright(pixels, _orientation(data, image)), cv2.COLOR_BGR2RGB)
    if _bits(image, data) == 16:
        return _decode_deep(data, image, path, image.tell())
    image = decode_picture(data, image, path, KIND)
    if image.mode not in MODES:
        raise BadInput(KIND, path, "grey values or colours of 8 or 16 bits", f"pixels of Pillow's mode {image.mode}")
    turned = orientation(image)
    return upright(np.array(image.convert("RGB")), turned)  # a copy, which may be written to


def photograph_shape(path: str | os.PathLike) -> tuple[int, int]:
    """(height, width) of what `read_photograph` gives, after decoding all of it; raises as that does."""
    return shape_and_orientation(path)[0]


def shape_and_orientation(path: str | os.PathLike) -> tuple[tuple[int, int], int]:
    """`photograph_shape`, and the number by which EXIF or TIFF data turn the photograph; 1: not at all."""
    path = Path(path)
    data, image = open_picture(path, KIND)
    pixels = _decode_fast(data, image)
    if pixels is None:
        number = orientation(image) if image.format == "TIFF" else 1  # before it is decoded
        height, width = read_photograph(path).shape[:2]
        return (height, width), number
    number = _orientation(data, image)
    height, width = pixels.shape[:2]
    return ((width, height) if number >= 5 else (height, width)), number


def _decode_fast(data: bytes, image: Image.Image) -> np.ndarray | None:
    """(H, W, 3) uint8 BGR, not turned, of plain JPEG and PNG; None where Pillow must do it, or say what is wrong."""
    jpeg = image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L")
    png = image.format == "PNG" and image.mode in ("RGB", "L", "RGBA") and _bits(image, data) == 8
    if not jpeg and not (png and png_metadata(data) is not None):
        return None
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)


def _orientation(data: bytes, image: Image.Image) -> int:
    """Of a JPEG or PNG that Pillow has not decoded; for a PNG's it would do so, to look for EXIF data at the end."""
    if image.format == "PNG" and not png_metadata(data):
        return 1
    return orientation(image)


def _bits(image: Image.Image, data: bytes) -> int:
    """Bits of a channel, where the format knows more than 8."""
    if image.format == "PNG":
        return data[24]
    if image.format == "TIFF":
        depths = image.tag_v2.get(258, (1,))  # type: ignore[attr-defined]
        return max(depths) if isinstance(depths, tuple) else int(depths)
    return 8


def _decode_deep(data: bytes, image: Image.Image, path: Path, page: int) -> np.ndarray:
    """By OpenCV, for Pillow cuts 16 bits of grey at 255."""
    expected = "a PNG, or a TIFF of grey values or RGB, with 16 bits"
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        kinds = tags.get(339, (1,))
        if tags.get(262) not in (1, 2) or set(kinds if isinstance(kinds, tuple) else (kinds,)) != {1}:
            found = f"photometric interpretation {tags.get(262)}, sample format {kinds}"
            raise BadInput(KIND, path, expected, found)
        if tags.get(284, 1) != 1 and tags.get(277, 1) > 1:  # which OpenCV takes for pixels
            raise BadInput(KIND, path, "a TIFF whose colours lie pixel by pixel", "one whose colours lie apart")
    else:
        decode_picture(data, image, path, KIND)  # OpenCV does not say what is wrong with a file
    bytes_, as_it_is = np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED
    deep = cv2.imdecodemulti(bytes_, as_it_is, range=(page, page + 1))[1][0] if page else cv2.imdecode(bytes_, as_it_is)
    if deep is None or deep.dtype != np.uint16:
        raise BadInput(KIND, path, expected, "one that OpenCV cannot read")
    if deep.ndim == 2:
        deep = deep[..., None]
    colours = deep[..., 2::-1] if deep.shape[2] >= 3 else np.repeat(deep[..., :1], 3, axis=2)
    used = next((bits for bits in (8, 10, 12) if colours.max(initial=0) < 1 << bits), 16)
    pixels = (colours >> (used - 8)).astype(np.uint8)
    # OpenCV turns a TIFF, and leaves a PNG as it is.
    return upright(pixels, orientation(image) if image.format == "PNG" else 1)
