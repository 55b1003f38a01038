"""What a user names becomes photographs, one by one; and what is known of each."""

import csv
import os
import zipfile

import cv2
import numpy as np
import pytest
from PIL import Image

from fundus_plugins.photographs.listing import list_sources
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.sources import Source, read_source

pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed")
from tests.photographs import dicom_files  # noqa: E402


@pytest.fixture
def picture():
    rng = np.random.default_rng(5)
    small = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
    return cv2.resize(small, (80, 60), interpolation=cv2.INTER_CUBIC)


def save(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture[..., ::-1])
    return path


def ids(*paths, **options) -> list[str]:
    return [x.id for x in list_sources(paths, **options)]


def test_nothing_below_is_passed_over_that_a_user_names(tmp_path, picture):
    """In a data set `eyes_square` beside `eyes` holds copies, and folders are not as deep."""
    deep = "/".join("123456789")
    for name in ("eyes/a.png", "eyes_square/b.png", f"{deep}/c.png"):
        save(tmp_path / name, picture)
    assert ids(tmp_path, recursive=True) == [f"{deep}/c.png", "eyes/a.png", "eyes_square/b.png"]


def test_a_folder_gives_its_photographs_and_with_recursive_those_below(tmp_path, picture):
    for name in ("b.png", "a.png", "sub/c.png", "sub/deep/d.png", "._a.png", ".hidden/e.png", "__MACOSX/f.png"):
        save(tmp_path / name, picture)
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert ids(tmp_path) == ["a.png", "b.png", "broken.jpg"]
    assert ids(tmp_path, recursive=True) == ["a.png", "b.png", "broken.jpg", "sub/c.png", "sub/deep/d.png"]
    assert ids(tmp_path, recursive=True, without=tmp_path / "sub") == ["a.png", "b.png", "broken.jpg"]
    (source,) = list_sources([tmp_path / "broken.jpg"])
    with pytest.raises(BadInput, match="broken.jpg: expected a file that can be read"):
        read_source(source)


def test_a_pattern_is_expanded_unless_a_file_has_that_name(tmp_path, picture):
    for name in ("a1.png", "a2.png", "b1.png", "sub/a3.png", "x[1].png"):
        save(tmp_path / name, picture)
    assert ids(tmp_path / "a*.png") == ["a1.png", "a2.png"]
    assert ids(tmp_path / "**" / "a?.png") == ["a1.png", "a2.png", "sub/a3.png"]
    (tmp_path / "empty").mkdir()
    assert ids(tmp_path / "*") == ["a1.png", "a2.png", "b1.png", "sub/a3.png", "x[1].png"]
    assert ids(tmp_path / "*", without=tmp_path / "sub") == ["a1.png", "a2.png", "b1.png", "x[1].png"]
    assert ids(tmp_path / "x[1].png") == ["x[1].png"]
    with pytest.raises(FileNotFoundError, match="no photographs at .*z"):
        ids(tmp_path / "z*.png")


def test_two_folders_with_the_same_names_stay_apart(tmp_path, picture):
    for name in ("left/eye.png", "right/eye.png"):
        save(tmp_path / name, picture)
    save(tmp_path / "left" / "below" / "eye.png", picture)
    assert ids(tmp_path / "left", tmp_path / "right") == ["left/eye.png", "right/eye.png"]
    assert ids(tmp_path / "left" / "eye.png", tmp_path / "right" / "eye.png") == ["left/eye.png", "right/eye.png"]
    assert ids(tmp_path / "left", tmp_path / "left" / "eye.png") == ["eye.png"]
    assert ids(tmp_path / "left", tmp_path / "left" / "below") == ["eye.png", "below/eye.png"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_list_says_what_it_knows(tmp_path, picture, kind):
    for name in ("p/1.png", "p/2.png"):
        save(tmp_path / name, picture)
    columns = {
        "Path": ["p/1.png", "p\\2.png"],
        "ID": ["first", None],
        "eye": ["left", None],
        "patient": ["P1", None],
        "mm_per_pixel": [0.0075, None],
        "fovea_x": [10, None],
        "fovea_y": [20, None],
    }
    path = tmp_path / f"list.{kind}"
    if kind == "csv":
        with open(path, "w", newline="") as file:
            csv.writer(file).writerows([columns, *zip(*columns.values())])
    else:
        parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
        parquet.write_table(__import__("pyarrow").table(columns), path)
    first, second = list_sources([path])
    assert (first.id, first.path, first.eye, first.patient) == ("first", tmp_path / "p/1.png", "OS", "P1")
    assert (first.mm_per_pixel, first.fovea) == (0.0075, (10, 20))
    assert (second.id, second.path, second.eye, second.mm_per_pixel, second.fovea) == (
        "p/2.png", tmp_path / "p/2.png", "", None, None,
    )  # fmt: skip
    image, known = read_source(first)
    assert image.shape == (60, 80, 3) and (known.eye, known.eye_source, known.scale_source) == ("OS", "list", "list")


@pytest.mark.parametrize(
    "text, message",
    [
        ("name,eye\na.png,left", "a column 'path'"),
        ("path,eye\na.png,both", "OD, OS, right or left for the eye in row 2"),
        ("path,mm_per_pixel\na.png,7.5 um", "a number for mm_per_pixel in row 2"),
        ("path,mm_per_pixel\na.png,7.5", "between 0 and 1 in row 2"),
        ("path,eye\n,left", "a path in row 2"),
        ("path,fovea_x,fovea_y\na.png,inf,3", "a number for fovea_x in row 2"),
        ("path,fovea_x\na.png,3", "fovea_x and fovea_y in row 2"),
        ('path,fovea_x,fovea_y\na.png,"1,234","1,050"', "a number for fovea_x in row 2"),  # thousands, or thousandths
        ("path,id\na.png,x\nb.png,x", "two photographs have the id 'x'"),
    ],
)
def test_a_list_that_says_nothing_sure_is_refused(tmp_path, text, message):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        list_sources([tmp_path / "list.csv"])


def test_photographs_in_a_zip_file(tmp_path, picture):
    file = save(tmp_path / "eye_R.png", picture)
    path = tmp_path / "eyes.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("in/eye_R.png", "__MACOSX/in/eye_R.png", ".x.png", "notes.txt"):
            archive.write(file, name)
        archive.writestr("cut.png", file.read_bytes()[:40])
    cut, whole = list_sources([path])
    assert (cut.id, whole.id) == ("cut.png", "in/eye_R.png")
    image, known = read_source(whole)
    assert np.array_equal(image, picture) and (known.eye, known.eye_source) == ("OD", "name")
    with pytest.raises(BadInput, match="eyes.zip/cut.png"):
        read_source(cut)
    (tmp_path / "no.zip").write_bytes(b"no archive")
    with pytest.raises(BadInput, match="no.zip: expected a ZIP file"):
        list_sources([tmp_path / "no.zip"])


@pytest.mark.parametrize("deep", [False, True])
def test_every_page_of_a_tiff(tmp_path, picture, deep):
    pages = [picture, picture[::-1], picture[:, ::-1]]
    path = tmp_path / "pages.tif"
    if deep:
        cv2.imwritemulti(str(path), [x[..., ::-1].astype(np.uint16) * 257 for x in pages])
    else:
        images = [Image.fromarray(np.ascontiguousarray(x)) for x in pages]
        images[0].save(path, save_all=True, append_images=images[1:])
    found = list_sources([path])
    assert [x.id for x in found] == ["pages.tif#1", "pages.tif#2", "pages.tif#3"]
    for source, page in zip(found, pages):
        assert np.array_equal(read_source(source)[0], page)
    with pytest.raises(BadInput, match="expected one picture, found 3 in one file"):
        read_photograph(path)


def test_dicom_files_of_any_name_and_all_their_frames(tmp_path, picture):
    header = {"ImageLaterality": "L", "PixelSpacing": [0.008, 0.008], "HorizontalFieldOfView": 45}
    frames = np.stack([picture, picture[::-1]])
    (tmp_path / "IM0001").write_bytes(dicom_files.to_bytes(dicom_files.photograph(picture, **header)))
    (tmp_path / "two.dcm").write_bytes(dicom_files.to_bytes(dicom_files.photograph(frames)))
    (tmp_path / "README").write_text("no DICOM")
    found = list_sources([tmp_path])
    assert [x.id for x in found] == ["IM0001", "two.dcm#1", "two.dcm#2"]
    for source, frame in zip(found, [picture, *frames]):
        assert np.array_equal(read_source(source)[0], frame)
    known = read_source(found[0])[1]
    assert (known.eye, known.eye_source, known.patient, known.field_degrees) == ("OS", "header", "P7", 45)
    assert (known.mm_per_pixel, known.scale_source) == (0.008, "header")


def test_a_list_goes_before_a_header_and_that_before_a_name(tmp_path, picture):
    path = tmp_path / "eye_left.dcm"
    path.write_bytes(dicom_files.to_bytes(dicom_files.photograph(picture, ImageLaterality="R")))
    plain = tmp_path / "eye.dcm"
    plain.write_bytes(path.read_bytes())
    assert read_source(Source("a", plain))[1].eye_source == "header"
    known = read_source(Source("a", plain, eye="OD", patient="Q"))[1]
    assert (known.eye, known.eye_source, known.patient) == ("OD", "list", "Q")
    assert known.patient_source == "list, unlike the header"  # which says P7
    assert read_source(Source("a", plain, patient="P7"))[1].patient_source == "list"


def test_an_eye_of_which_two_things_are_said_is_none(tmp_path, picture):
    path = tmp_path / "eye_left.dcm"
    path.write_bytes(dicom_files.to_bytes(dicom_files.photograph(picture, ImageLaterality="R")))
    both = tmp_path / "a.dcm"
    both.write_bytes(dicom_files.to_bytes(dicom_files.photograph(picture, ImageLaterality="R", Laterality="L")))
    for source in (Source("a", path), Source("a", path, eye="OD"), Source("a", both)):
        known = read_source(source)[1]
        assert (known.eye, known.eye_source) == ("", "contradiction")


def test_a_photograph_in_a_folder_and_in_a_list_is_one_and_the_list_counts(tmp_path, picture):
    save(tmp_path / "p" / "1.png", picture)
    (tmp_path / "list.csv").write_text("path,eye\np/1.png,left\n")
    (source,) = list_sources([tmp_path / "p", tmp_path / "list.csv"])
    assert source.eye == "OS"
    (tmp_path / "list.csv").write_text("path,id\np/1.png,first\n")
    (source,) = list_sources([tmp_path / "p", tmp_path / "list.csv"])
    assert source.id == "first"
    (tmp_path / "list.csv").write_text("path,eye\np/1.png,left\np/1.png,right\n")
    with pytest.raises(ValueError, match="stands twice in the lists"):
        list_sources([tmp_path / "list.csv"])


def test_a_thumbnail_that_comes_first_is_not_the_photograph(tmp_path, picture):
    path = tmp_path / "eye.tif"
    small, whole = Image.fromarray(picture[::4, ::4].copy()), Image.fromarray(picture)
    whole.encoderinfo = {"tiffinfo": {254: 0}}
    small.save(path, tiffinfo={254: 1}, save_all=True, append_images=[whole])
    (source,) = list_sources([path])
    assert np.array_equal(read_source(source)[0], picture) and np.array_equal(read_photograph(path), picture)


def test_both_eyes_of_a_name_are_one_patient_in_their_folder(tmp_path, picture):
    for name in ("a/P1_OD.png", "a/P1_OS.png", "b/P1_OD.png", "b/3.png"):
        save(tmp_path / name, picture)
    known = [read_source(x)[1] for x in list_sources([tmp_path], recursive=True)]
    assert [(x.patient, x.patient_source) for x in known] == [
        ("a/P1", "name"), ("a/P1", "name"), ("", ""), ("b/P1", "name"),
    ]  # fmt: skip


def test_a_folder_without_photographs(tmp_path):
    os.makedirs(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="no photographs at .*empty"):
        list_sources([tmp_path / "empty"])
