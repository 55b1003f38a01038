"""One reader of photographs: the same pixels for every kind of file, on every road that a file takes."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import detectron2.data.transforms as T
import numpy as np
import pytest
from detectron2.data.detection_utils import read_image
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fundus_plugins.data.checks.examine import examine
from fundus_plugins.data.grading_mapper import GradingMapper
from fundus_plugins.data.mapper import DiscCupMapper
from fundus_plugins.photographs import picture
from fundus_plugins.photographs.anything import as_photograph
from fundus_plugins.photographs.photograph import photograph_shape, read_photograph
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.sources import Source, read_source

TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
MODES = {
    "JPEG": ("RGB", "L", "CMYK"),
    "PNG": ("RGB", "L", "P", "RGBA", "LA", "1", "I;16"),
    "TIFF": ("RGB", "L", "P", "RGBA", "LA", "CMYK", "1", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "BMP": ("RGB", "L", "P", "1"),
}
KINDS = [(kind, mode) for kind, modes in MODES.items() for mode in modes]


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def of_mode(pixels, mode):
    if mode == "I;16":  # the upper 8 bits are the grey values
        return Image.fromarray(pixels[..., 0].astype(np.uint16) << 8 | 77)
    return Image.fromarray(pixels).convert(mode)


def save(path, image, kind, number=1):
    exif = Image.Exif()
    exif[0x0112] = number
    image.save(path, kind, **({} if kind == "BMP" else {"exif": exif}))
    return path


def expected(image, kind, number):
    """The stored picture, by Pillow from a file without an orientation, turned by Pillow."""
    plain = io.BytesIO()
    image.save(plain, kind)
    stored = Image.open(plain)
    if TURNS[number] is not None and kind != "BMP":
        stored = stored.transpose(TURNS[number])
    if stored.mode == "I;16":
        return np.repeat((np.asarray(stored) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(stored.convert("RGB"))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.sampled_from(list(TURNS)), st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_every_kind_mode_and_orientation(tmp_path_factory, kind_and_mode, number, height, width, seed):
    kind, mode = kind_and_mode
    image = of_mode(noise(height, width, seed), mode)
    path = save(tmp_path_factory.mktemp("kinds") / "eye", image, kind, number)  # no suffix: the content decides
    pixels = read_photograph(path)
    np.testing.assert_array_equal(pixels, expected(image, kind, number))
    assert pixels.dtype == np.uint8 and pixels.flags.writeable and pixels.flags.c_contiguous
    assert photograph_shape(path) == pixels.shape[:2]


@pytest.mark.parametrize("kind, mode", KINDS)
def test_the_same_pixels_on_every_road(tmp_path, kind, mode):
    path = save(tmp_path / f"eye.{kind.lower()}", of_mode(noise(30, 44), mode), kind, 6)
    pixels = read_photograph(path)
    size = {"height": pixels.shape[0], "width": pixels.shape[1]}
    record = {"file_name": str(path), "image_id": 1, "annotations": []} | size
    mapped = DiscCupMapper(False, augmentations=[T.NoOpTransform()], image_format="RGB")(record)
    np.testing.assert_array_equal(mapped["image"].permute(1, 2, 0).numpy(), pixels)
    mapped = DiscCupMapper(True, augmentations=[T.NoOpTransform()], image_format="BGR")(record)
    np.testing.assert_array_equal(mapped["image"].permute(1, 2, 0).numpy(), pixels[..., ::-1])
    grades = {"categories": ["normal"], "grades": ["normal"], "augmentations": [T.NoOpTransform()]}
    mapped = GradingMapper(False, image_format="RGB", side=24, **grades)(record)
    square = np.asarray(Image.fromarray(pixels).resize((24, 24), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(mapped["image"].permute(1, 2, 0).numpy(), square)
    np.testing.assert_array_equal(read_source(Source("eye", path))[0], pixels)  # fundus predict, by either engine
    np.testing.assert_array_equal(as_photograph(path.read_bytes()), pixels)  # FundusPredictor
    assert examine(record, [0]).problem is None  # fundus check
    assert photograph_shape(path) == pixels.shape[:2]
    if kind != "TIFF" and mode != "I;16":  # which Detectron2 does not turn, and cuts at 255
        np.testing.assert_array_equal(read_image(str(path), "RGB"), pixels)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("shift, noise_below", [(8, 200), (4, 9)])
def test_sixteen_bits_of_colour_are_scaled(tmp_path, suffix, shift, noise_below):
    pixels = noise(20, 30)
    deep = (pixels.astype(np.uint16) << shift) | np.uint16(noise_below)
    cv2.imwrite(str(tmp_path / f"eye{suffix}"), deep[..., ::-1])
    np.testing.assert_array_equal(read_photograph(tmp_path / f"eye{suffix}"), pixels)


def test_sixteen_bits_with_alpha_and_orientation(tmp_path):
    pixels = noise(20, 30)
    alpha = np.full((20, 30, 1), 500, np.uint16)
    data = cv2.imencode(".png", np.dstack([pixels[..., ::-1].astype(np.uint16) * 257, alpha]))[1].tobytes()
    exif = b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    (tmp_path / "eye.png").write_bytes(data[:33] + chunk + data[33:])
    np.testing.assert_array_equal(read_photograph(tmp_path / "eye.png"), np.rot90(pixels, -1))


@pytest.mark.parametrize("kind", list(MODES))
def test_a_file_that_is_cut_off_is_recognised(tmp_path, kind):
    path = save(tmp_path / "eye", Image.fromarray(noise(64, 96)), kind)
    whole = path.read_bytes()
    for part in (0.3, 0.6, 0.95):
        path.write_bytes(whole[: int(part * len(whole))])
        for read in (read_photograph, photograph_shape):
            with pytest.raises(BadInput) as caught:
                read(path)
            assert caught.value.problem.kind == "unreadable photograph" and caught.value.problem.file == path
            assert "\n" not in str(caught.value)


def test_a_png_whose_checksums_are_wrong_is_refused(tmp_path):
    path = save(tmp_path / "eye.png", Image.fromarray(noise(64, 96)), "PNG")
    data = bytearray(path.read_bytes())
    assert picture.png_metadata(bytes(data)) and picture.png_metadata(bytes(data[:-12])) is None
    for place in range(60, len(data) - 20, 997):
        broken = bytearray(data)
        broken[place] ^= 1
        path.write_bytes(broken)
        with pytest.raises(BadInput):
            read_photograph(path)
    Image.fromarray(noise(64, 96)).save(path)
    assert picture.png_metadata(path.read_bytes()) is False


def test_a_thumbnails_end_is_not_the_pictures(tmp_path):
    thumbnail = io.BytesIO()
    Image.fromarray(noise(8, 8)).save(thumbnail, "JPEG")
    exif = b"Exif\0\0" + thumbnail.getvalue()
    whole = io.BytesIO()
    Image.fromarray(noise(64, 64)).save(whole, "JPEG", exif=exif)
    data = whole.getvalue()
    assert not picture.is_cut_off(data) and not picture.is_cut_off(data + b"trailer")
    assert picture.is_cut_off(data[:-2]) and picture.is_cut_off(data[: len(data) // 2])


def refusal(path):
    with pytest.raises(BadInput) as caught:
        read_photograph(path)
    return str(caught.value)


def test_what_is_no_photograph(tmp_path, monkeypatch):
    path = tmp_path / "eye.jpg"
    assert "No such file" in refusal(path)
    path.mkdir()
    assert "Is a directory" in refusal(path)
    path.rmdir()
    for content, found in (
        (b"", "an empty file"),
        (b"text", "cannot identify it as JPEG, PNG"),
        (bytes(128) + b"DICM", "a DICOM file; save it as PNG first"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot identify"),  # Pillow would run Ghostscript
    ):
        path.write_bytes(content)
        assert found in refusal(path) and str(path) in refusal(path)
    Image.fromarray(np.zeros((9, 9), np.float32)).save(path, "TIFF")
    assert "Pillow's mode F" in refusal(path)
    pages = [Image.fromarray(noise(9, 9, seed)) for seed in range(3)]
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:])
    assert "expected one picture, found 3 in one file" in refusal(path)
    save(path, Image.fromarray(noise(40, 50)), "PNG")
    monkeypatch.setattr(picture, "MAX_PIXELS", 1999)
    assert "expected at most 1,999 pixels, found 50 x 40" in refusal(path)
    monkeypatch.setattr(picture, "MAX_BYTES", 100)
    assert "MiB" in refusal(path)


def test_a_bomb_is_not_unpacked(tmp_path):
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    data = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    assert "pixels, found more" in refusal(tmp_path / "bomb.png")


@pytest.mark.parametrize("bits", [8, 16])
def test_a_tiff_whose_colours_lie_apart_is_read_right_or_not_at_all(tmp_path, bits):
    """OpenCV takes the planes of 16 bits for pixels, and says nothing."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    planes = (pixels.transpose(2, 0, 1).astype(f"<u{bits // 8}") * (257 if bits == 16 else 1)).tobytes()
    path = tmp_path / "eye.tif"
    path.write_bytes(planar_tiff(planes, bits, *pixels.shape[:2]))
    if bits == 8:
        assert np.array_equal(read_photograph(path), pixels)
    else:
        with pytest.raises(BadInput, match="colours lie pixel by pixel, found one whose colours lie apart"):
            read_photograph(path)


def planar_tiff(planes: bytes, bits: int, height: int, width: int) -> bytes:
    """Three colours, one after the other, without compression."""
    entries, more = [], b""
    size, start = len(planes) // 3, 8 + 2 + 11 * 12 + 4
    lists = {258: ("H", [bits] * 3), 273: ("I", None), 279: ("I", [size] * 3)}
    single = {256: width, 257: height, 259: 1, 262: 2, 277: 3, 278: height, 284: 2, 339: 1}
    data = start + 6 + 12 + 12
    lists[273] = ("I", [data + k * size for k in range(3)])
    for tag in sorted({**lists, **single}):
        if tag in single:
            entries.append(struct.pack("<HHII", tag, 4, 1, single[tag]))
        else:
            kind, values = lists[tag]
            entries.append(struct.pack("<HHII", tag, 3 if kind == "H" else 4, 3, start + len(more)))
            more += struct.pack(f"<3{kind}", *values)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries) + b"\0\0\0\0" + more + planes


def test_a_thumbnail_page_of_a_tiff_is_no_second_picture(tmp_path):
    pages = [Image.fromarray(noise(40, 50)), Image.fromarray(noise(4, 5))]
    pages[1].encoderinfo = {"tiffinfo": {254: 1}}
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with Image.open(tmp_path / "a.tif") as image:
        image.seek(1)
        if image.tag_v2.get(254) != 1:
            pytest.skip("this Pillow cannot write a thumbnail page")
    np.testing.assert_array_equal(read_photograph(tmp_path / "a.tif"), np.asarray(pages[0]))


def test_names_that_are_not_utf_8(tmp_path):
    name = b"\xe9t\xe9.png".decode("utf-8", "surrogateescape")
    path = save(Path(tmp_path) / name, Image.fromarray(noise(5, 6)), "PNG")
    assert read_photograph(path).shape == (5, 6, 3)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_fewer_bits_in_sixteen(tmp_path, bits):
    pixels = noise(20, 30)
    cv2.imwrite(str(tmp_path / "eye.png"), (pixels.astype(np.uint16) << (bits - 8))[..., ::-1])
    np.testing.assert_array_equal(read_photograph(tmp_path / "eye.png"), pixels)
