"""The one door for pictures: what photographs and masks go through before their pixels mean anything."""

import io
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from .limits import MAX_PIXELS
from .problems import BadInput, reason
from .regular import read_regular

# Read by content, whatever the suffix. Formats that run programs (EPS) or are no pictures are not among them.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "PPM", "GIF")  # JPEG with MPO, of several pictures
MAX_BYTES = 1 << 30

_ORIENTATION = 0x0112  # of EXIF and TIFF
_REDUCED_PAGE = 1  # of TIFF's NewSubfileType: a thumbnail of another page


def open_picture(path: Path, kind: str) -> tuple[bytes, Image.Image]:
    """A file's bytes, and its picture, of which only the header is read yet.

    Raises BadInput of that `kind` for what is no picture, is cut off, is too large to be true, or holds several.
    """
    data = read_bytes(path, kind)
    return data, open_bytes(data, path, kind)


def read_bytes(path: Path, kind: str) -> bytes:
    """All of a file. Raises BadInput of that `kind` for one that cannot be read, or is too large to be a picture."""
    try:
        return read_regular(path, MAX_BYTES)
    except ValueError as error:
        raise BadInput(kind, path, f"at most {MAX_BYTES >> 20} MiB", reason(error)) from None
    except OSError as error:
        raise BadInput(kind, path, "a file that can be read", error.strerror or reason(error)) from None


def open_bytes(data: bytes, path: Path, kind: str, page: int | None = None) -> Image.Image:
    """The picture in a file's bytes, of which only the header is read yet; of several that on `page`, from 0.

    `path` is for the errors, which are those of `open_picture`; with a page several pictures are none.
    """
    try:
        with _quiet():
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            pages = whole_pages(image)
            if page is not None or pages and pages != [0]:  # a thumbnail may come first
                image.seek(pages[0] if page is None else page)
    except Image.DecompressionBombError:
        raise BadInput(kind, path, f"at most {MAX_PIXELS:,} pixels", "more") from None
    except Exception as error:  # Pillow's readers raise errors of many families
        raise BadInput(kind, path, "an image file", _what(data, error)) from None
    if image.width * image.height > MAX_PIXELS:
        raise BadInput(kind, path, f"at most {MAX_PIXELS:,} pixels", f"{image.width} x {image.height}")
    if len(pages) > 1 and page is None:
        raise BadInput(kind, path, "one picture", f"{len(pages)} in one file; save each as a file of its own")
    if image.format in ("JPEG", "MPO") and is_cut_off(data):
        raise BadInput(kind, path, "an image file", "a truncated one: JPEG's end marker is missing")
    return image


def decode_picture(data: bytes, image: Image.Image, path: Path, kind: str) -> Image.Image:
    """The same picture with its pixels decoded by Pillow, to the last one. Raises BadInput of that `kind`."""
    if image.format == "PNG" and is_damaged(data):
        raise BadInput(kind, path, "an image file", "a truncated or damaged one: PNG's checksums are wrong")
    try:
        with _quiet():
            image.load()
    except Exception as error:  # Pillow's readers raise errors of many families
        raise BadInput(kind, path, "an image file", reason(error)) from None
    return image


def orientation(image: Image.Image) -> int:
    """EXIF's or TIFF's number for how the picture is to be turned, 1 to 8; 1, as it is, where there is no valid one.

    A TIFF or PNG must have been decoded: the one is turned by Pillow then, the other may have its EXIF data at its end.
    """
    try:
        with _quiet():
            found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken EXIF data says nothing
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def upright(pixels: np.ndarray, number: int) -> np.ndarray:
    """Pixels (H, W, ...) turned and mirrored as an orientation of 1 to 8 says; contiguous."""
    if number >= 5:
        pixels = pixels.swapaxes(0, 1)
    if number in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if number in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def is_cut_off(jpeg: bytes) -> bool:
    """Whether a JPEG ends before its end marker; decoders fill the rest with grey, or with noise, and say nothing."""
    scan = jpeg.find(b"\xff\xda")  # a thumbnail, with an end marker of its own, may come before
    place, length = 2, len(jpeg)
    while place + 4 <= length and jpeg[place] == 0xFF:  # from segment to segment, to the picture's own scan
        marker = jpeg[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker == 0xDA:
            scan = place
            break
        place += 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
    return jpeg.find(b"\xff\xd9", max(scan, 0)) < 0


def png_metadata(png: bytes) -> bool | None:
    """Whether a PNG has metadata that may turn it: EXIF data, or text that may hold some; None for one that is cut off.

    Its checksums are left to the decoder.
    """
    place, length, found = 8, len(png), False
    while place + 12 <= length:
        name, body = png[place + 4 : place + 8], place + 8
        end = body + int.from_bytes(png[place : place + 4], "big")
        if end + 4 > length:
            return None
        if name == b"IEND":
            return found
        if name != b"IDAT":
            found |= name == b"eXIf" or png.startswith((b"Raw profile type", b"XML:com.adobe.xmp"), body)
        place = end + 4
    return None


def is_damaged(png: bytes) -> bool:
    """Whether a chunk of the pixels of a PNG is not what its checksum says; Pillow would show other pixels."""
    place, length = 8, len(png)
    while place + 12 <= length:
        end = place + 8 + int.from_bytes(png[place : place + 4], "big")
        name = png[place + 4 : place + 8]
        if name == b"IEND":
            return False
        if name in (b"IHDR", b"PLTE", b"tRNS", b"IDAT"):
            checksum = int.from_bytes(png[end : end + 4], "big")
            if end + 4 > length or zlib.crc32(memoryview(png)[place + 4 : end]) != checksum:
                return True
        place = end + 4
    return True  # without its end


def whole_pages(image: Image.Image) -> list[int]:
    """Which of a file's pictures are whole ones; a phone's second one (MPO) and thumbnails are not."""
    number = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if number == 1 or image.format != "TIFF":
        return list(range(number))
    whole = []
    for page in range(number):
        image.seek(page)
        if not image.tag_v2.get(254, 0) & _REDUCED_PAGE:  # type: ignore[attr-defined]
            whole.append(page)
    image.seek(0)
    return whole


def _what(data: bytes, error: Exception) -> str:
    if data[128:132] == b"DICM":
        return "a DICOM file; save it as PNG first"
    if not data:
        return "an empty file, and cannot identify it"
    unknown = isinstance(error, UnidentifiedImageError)
    return f"something else: cannot identify it as {', '.join(FORMATS)}" if unknown else reason(error)


class _quiet(warnings.catch_warnings):
    """Without the warnings of Pillow about odd metadata, which name no file."""

    def __enter__(self):
        entered = super().__enter__()
        warnings.simplefilter("ignore")
        return entered
