"""Photographs at URLs: listed and read as files are, by the same readers, with the same refusals."""

import os

import cv2
import numpy as np
import pytest
from PIL import Image

from fundus_plugins.photographs.listing import list_sources
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.remote import read_url
from fundus_plugins.photographs.sources import place_of, read_source
from fundus_plugins.prediction.run.stamps import stamp
from tests.prediction.run.photographs import draw

fsspec = pytest.importorskip("fsspec", reason="photographs at URLs need fsspec")


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()


@pytest.fixture
def eye(tmp_path):
    (path,) = draw(tmp_path, 1, 128)
    return path


def test_a_folder_is_listed_and_read_as_on_the_disk(memory, eye):
    for name in ("b/P7_OD.png", "b/.hidden.png", "b/notes.txt", "b/deep/x.png", "b/.git/y.png"):
        memory.pipe_file(f"/{name}", eye.read_bytes())
    (one,) = list_sources(["memory://b"])
    assert (one.id, one.where, place_of(one)) == ("P7_OD.png", "memory:///b/P7_OD.png", "memory:///b/P7_OD.png")
    image, known = read_source(one)
    assert np.array_equal(image, read_photograph(eye))
    assert (known.eye, known.eye_source, known.patient) == ("OD", "name", "P7")
    assert [x.id for x in list_sources(["memory://b"], recursive=True)] == ["P7_OD.png", "deep/x.png"]
    assert list_sources(["memory://b/P7_OD.png"])[0].id == "P7_OD.png"
    assert [x.id for x in list_sources([eye, "memory://b/P7_OD.png"])] == [
        f"{eye.parent.relative_to('/')}/eye0.png",
        "memory/b/P7_OD.png",
    ]


def test_a_list_names_urls_and_what_lies_beside_it(memory, eye, tmp_path):
    memory.pipe_file("/b/in/a.png", eye.read_bytes())
    text = "path,eye,id\nin/a.png,left,first\nmemory://b/other.png,,second\n"
    memory.pipe_file("/b/list.csv", text.encode())
    first, second = list_sources(["memory://b/list.csv"])
    assert (first.id, first.url, first.eye) == ("first", "memory://b/in/a.png", "OS")
    assert second.url == "memory://b/other.png" and read_source(first)[1].eye_source == "list"
    (tmp_path / "here.csv").write_text(f"path\nmemory://b/in/a.png\n{eye.name}\n")
    away, here = list_sources([tmp_path / "here.csv"])
    assert away.url == away.id == "memory://b/in/a.png" and here.path == eye and not here.url
    memory.pipe_file("/b/list.csv", b"path,eye\na.png,middle\n")
    with pytest.raises(BadInput, match="memory://b/list.csv: expected OD, OS, right or left .* found middle"):
        list_sources(["memory://b/list.csv"])


def test_pages_of_a_tiff_are_photographs_of_their_own(memory, tmp_path):
    pages = [Image.fromarray(np.full((64, 64, 3), x, np.uint8)) for x in (10, 200)]
    pages[0].save(tmp_path / "two.tif", save_all=True, append_images=pages[1:])
    memory.pipe_file("/b/two.tif", (tmp_path / "two.tif").read_bytes())
    sources = list_sources(["memory://b"])
    assert [x.id for x in sources] == ["two.tif#1", "two.tif#2"]
    assert [read_source(x)[0][0, 0, 0] for x in sources] == [10, 200]


def test_what_cannot_be_read_is_one_line_with_its_url(memory, tmp_path):
    memory.pipe_file("/b/bad.jpg", b"no photograph")
    (bad,) = list_sources(["memory://b/bad.jpg"])
    with pytest.raises(BadInput, match="photograph: memory://b/bad.jpg: expected an image file, found something else"):
        read_source(bad)
    memory.rm("/b/bad.jpg")
    with pytest.raises(BadInput, match="memory://b/bad.jpg: expected a file that can be read, found nothing"):
        read_source(bad)
    with pytest.raises(FileNotFoundError, match="no photographs at memory://nowhere"):
        list_sources(["memory://nowhere"])
    with pytest.raises(ValueError, match="several"):
        list_sources(["zip://a.jpg::memory://b/a.zip"])
    with pytest.raises(ValueError, match="shelf://a: Protocol not known"):
        list_sources(["shelf://a"])


def test_only_files_are_read_and_no_large_ones(eye, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(OSError, match="a file was expected"):
        read_url(f"file://{tmp_path}/pipe.png", 1 << 20)
    with pytest.raises(ValueError, match="at most 0 are read"):
        read_url(f"file://{eye}", 10)


def test_pixel_bombs_are_refused_by_their_header(memory):
    data = bytearray(cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    memory.pipe_file("/b/bomb.png", bytes(data))
    with pytest.raises(BadInput, match="memory:///b/bomb.png: expected"):
        read_source(list_sources(["memory://b"])[0])


def test_the_stamp_changes_with_the_file(memory, eye):
    memory.pipe_file("/b/a.png", eye.read_bytes())
    (source,) = list_sources(["memory://b/a.png"])
    before = stamp(source)
    assert stamp(source) == before
    memory.pipe_file("/b/a.png", eye.read_bytes() + b"more")
    assert stamp(source) != before
