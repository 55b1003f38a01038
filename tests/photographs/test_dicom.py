"""DICOM photographs: the same pixels as other files', whatever their colours; and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters
from fundus_plugins.photographs.dicom import Header, decode_dicom, open_dicom, read_header
from fundus_plugins.photographs.problems import BadInput

pytest.importorskip("pydicom", reason="pydicom is not installed")
from pydicom import Dataset  # noqa: E402

from tests.photographs.dicom_files import as_jpeg, in_ybr, photograph, to_bytes, with_palette  # noqa: E402


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng(3)
    return draw_phantom(sample_parameters(rng, "normal", "macula"), 320, rng).image


def decoded(dataset, frame=0):
    return decode_dicom(open_dicom(to_bytes(dataset), Path("a.dcm")), Path("a.dcm"), frame)


@pytest.mark.parametrize(
    "make, mean, most",
    [
        (lambda x: photograph(x), 0, 0),
        (lambda x: photograph(x.transpose(2, 0, 1).copy().reshape(x.shape), PlanarConfiguration=1), 0, 0),
        (lambda x: photograph(in_ybr(x), "YBR_FULL"), 0.5, 2),
        (as_jpeg, 1, 16),
        (with_palette, 2, 128),
        (lambda x: photograph(x.astype(np.uint16) * 257), 0, 0),
        (lambda x: photograph(x.astype(np.uint16) << 4, BitsStored=12, HighBit=11), 0, 0),
    ],
)
def test_colours(image, make, mean, most):
    found = decoded(make(image))
    assert found.shape == image.shape and found.dtype == np.uint8
    difference = np.abs(found.astype(int) - image)
    assert difference.mean() <= mean and difference.max() <= most


def test_grey_values_and_their_inverse(image):
    grey = np.ascontiguousarray(image[..., 1])
    expected = np.repeat(grey[..., None], 3, axis=2)
    assert np.array_equal(decoded(photograph(grey, "MONOCHROME2")), expected)
    assert np.array_equal(decoded(photograph(255 - grey, "MONOCHROME1")), expected)
    windowed = decoded(photograph(grey, "MONOCHROME2", WindowCenter=64, WindowWidth=128))
    assert windowed.max() == 255 and windowed[grey >= 128].min() == 255


def test_what_the_header_says(image):
    assert read_header(photograph(image, PatientID="")) == Header()
    full = photograph(image, Laterality="R", PixelSpacing=[0.01, 0.01], HorizontalFieldOfView=45)
    assert read_header(full) == Header("OD", "P7", 0.01, 45.0)
    assert read_header(photograph(image, HorizontalFieldOfView="nan")).field_degrees is None
    assert read_header(photograph(image, ImageLaterality="B")).eye == ""
    assert read_header(photograph(image, PixelSpacing=[0.01, 0.02])).mm_per_pixel is None


def test_a_header_that_names_both_eyes(image):
    both = read_header(photograph(image, ImageLaterality="L", Laterality="R"))
    assert (both.eye, both.other_eye) == ("OS", "OD")
    frames = photograph(np.stack([image, image]), ImageLaterality="B")
    frames.PerFrameFunctionalGroupsSequence = [_frame_of("L"), _frame_of("R")]
    assert [read_header(frames, x).eye for x in (0, 1)] == ["OS", "OD"]
    frames.Laterality = "R"
    assert [read_header(frames, x).other_eye for x in (0, 1)] == ["OS", ""]


def _frame_of(side):
    anatomy, groups = Dataset(), Dataset()
    anatomy.FrameLaterality = side
    groups.FrameAnatomySequence = [anatomy]
    return groups


def without_pixels(image):
    made = photograph(image)
    del made.PixelData
    return made


@pytest.mark.parametrize(
    "make, message",
    [
        (without_pixels, "expected a picture, found .* without pixels"),
        (lambda x: photograph(x, Rows=40000, Columns=40000), "at most 134,217,728 pixels, found 40000 x 40000"),
        (lambda x: photograph(x, PixelData=b"\0" * 10), "expected a picture that can be decoded"),
        (lambda x: photograph(x, "YBR_PARTIAL_420"), "expected colours of RGB, .*, found YBR_PARTIAL_420"),
        (lambda x: photograph(x, "HSV"), "expected colours of RGB, .*, found HSV"),
        (lambda x: photograph(x, "YBR_RCT"), "expected colours of RGB, .*, found YBR_RCT"),
        (
            lambda x: photograph(x.astype(np.uint16), BitsStored=12, HighBit=15),
            "12 bits of which the highest is number 11",
        ),
    ],
)
def test_what_is_no_photograph_is_refused_by_name(image, make, message):
    with pytest.raises(BadInput, match=f"a.dcm: {message}|a.dcm: expected {message}"):
        decoded(make(image))
    with pytest.raises(BadInput, match="expected a frame below 1, found 4"):
        decoded(photograph(image), frame=4)


def test_a_damaged_file_is_refused_by_name(image):
    with pytest.raises(BadInput, match="a.dcm: expected a DICOM file"):
        open_dicom(b"\0" * 128 + b"DICM" + b"\x02\x00\x00\x00OB\xff\xff", Path("a.dcm")).PatientID  # noqa: B018
    with pytest.raises(BadInput, match="a.dcm"):
        decode_dicom(open_dicom(to_bytes(photograph(image))[:3000], Path("a.dcm")), Path("a.dcm"))
