"""LabelMe's files: what is read of them, what is refused, and what `fundus convert labelme` makes of a folder."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_util

from fundus_plugins.cli.main import main
from fundus_plugins.data.labelme import read_labelme
from fundus_plugins.data.mask_files import list_masks
from fundus_plugins.measures.overlap import dice
from fundus_plugins.photographs.problems import BadInput
from tests.conftest import disk
from tests.data.folders import photograph
from tests.data.labelme_files import ellipse, shape, write

SIZE = (100, 120)
DISC, CUP = ellipse(60, 50, 30, 32), ellipse(61, 51, 14, 15)
BOTH = [shape("optic_disc", DISC), shape("optic_cup", CUP)]


@pytest.mark.parametrize("labels", [("optic_disc", "optic_cup"), ("OD", "oc"), ("Disc", "CUP"), ("Optic Disk", "cups")])
def test_labels_in_any_case_and_order(tmp_path, labels):
    path = write(tmp_path / "a.json", [shape(labels[1], CUP), shape(labels[0], DISC)], "a.png", SIZE)
    disc, cup = read_labelme(path).masks(SIZE)
    assert dice(disc, disk(*SIZE, 50, 60, 31)) > 0.95 and dice(cup, disk(*SIZE, 51, 61, 14.5)) > 0.95
    assert not (cup & ~disc).any()


def test_circles_several_polygons_and_labels_of_ones_own(tmp_path):
    circle = shape("papilla", [[60, 50], [60, 80]], "circle")
    parts = [shape("cup", ellipse(55, 50, 8, 10)), shape("cup", ellipse(65, 50, 8, 10))]
    file = read_labelme(write(tmp_path / "a.json", [circle, *parts, shape("fovea", [[3, 4]], "point")], "a.png"))
    own = {"papilla": 0}
    disc, cup = file.masks(SIZE, own)
    assert np.array_equal(disc, disk(*SIZE, 50, 60, 30))
    assert cup[50, 50] and cup[50, 70] and np.ptp(np.flatnonzero(cup.any(axis=0))) == 26
    assert file.unknown(own) == ["fovea"]


def test_no_shapes_are_no_disc_and_a_disc_alone_has_no_cup(tmp_path):
    disc, cup = read_labelme(write(tmp_path / "a.json", [], "a.png", SIZE)).masks(SIZE)
    assert disc.shape == SIZE and not disc.any() and cup is None
    disc, cup = read_labelme(write(tmp_path / "a.json", BOTH[:1], "a.png", SIZE)).masks(SIZE)
    assert disc.any() and cup is None


@pytest.mark.parametrize(
    "shapes, size, message",
    [
        (BOTH, (50, 60), "size mismatch: .*a.json: expected the photograph's 120 x 100 pixels, found 60 x 50"),
        ([shape("disc", [[1, 1], [5, 5]])], SIZE, "three points or more for disc, found 2 different points"),
        ([shape("disc", [[1, 1], [5, 5], [1, 1]])], SIZE, "found 2 different points"),
        ([shape("disc", [[1, 1], [5, 5], [500, 1]])], SIZE, r"within 120 x 100 pixels, found points from \(1, 1\)"),
        ([shape("disc", [[0.1, 0.1], [0.5, 0.5], [0.9, 0.1]])], SIZE, "are they parts of the sides"),
        ([shape("disc", [[1, 1], [50, 50]], "rectangle")], SIZE, "a polygon or circle for disc, found a rectangle"),
        ([shape("disc", [[10, 10], [100, 199]], "circle")], SIZE, "polygon beyond the picture"),
        ([shape("disc", [[10, 10], [10, 10]], "circle")], SIZE, "its middle and a point of its rim"),
        ([shape("disc", [[1, "x"], [3, 4], [5, 6]])], SIZE, r"points \[\[x, y\], ...\] of disc"),
        ([shape("disc", [[1, 2, 3], [3, 4, 5]])], SIZE, "points"),
        ([shape("disc", [[1, 2], [3, float("nan")], [5, 6]])], SIZE, "points"),
        ([shape("disc", [[1, 2], [3], [5, 6]])], SIZE, "points"),
        ([{"label": "disc"}], SIZE, "points"),
        ([shape("cup", CUP)], SIZE, "no disc: .*found cup"),
        ([shape("Sehnerv", DISC)], SIZE, "the labels optic_disc, disc or OD.*found Sehnerv"),
    ],
)
def test_outlines_that_cannot_be_are_refused_in_one_line(tmp_path, shapes, size, message):
    file = read_labelme(write(tmp_path / "a.json", shapes, "a.png", size))
    with pytest.raises(BadInput, match=message) as raised:
        file.masks(SIZE)
    assert "a.json" in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["", "[1]", "{}", '{"shapes": 3}', '{"shapes": [null]}', '{"shapes": [], "imagePath": 3}',
             '{"shapes": [], "imageHeight": "x", "imageWidth": 3}', '{"shapes": [], "imageHeight": 0}', "[" * 100000],
)  # fmt: skip
def test_what_is_no_labelme_file_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(BadInput, match="unreadable LabelMe file: .*a.json"):
        read_labelme(tmp_path / "a.json")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=5),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(["label", "points"]), x, max_size=2),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["shapes", "imagePath", "imageHeight", "label", "points", "shape_type"]), ANYTHING)
def test_anything_in_any_place_is_read_or_refused(tmp_path_factory, key, value):
    document = {"shapes": [dict(x) for x in BOTH], "imagePath": "a.png", "imageHeight": 100, "imageWidth": 120}
    (document if key in document else document["shapes"][0])[key] = value
    path = tmp_path_factory.mktemp("j") / "a.json"
    path.write_text(json.dumps(document))
    try:
        disc, cup = read_labelme(path).masks(SIZE)
    except BadInput as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert disc.shape == SIZE and disc.dtype == bool and (cup is None or cup.shape == SIZE)


def convert(root, *options):
    output = root.parent / "out"
    words = ["convert", "labelme", "--root", str(root), "--output", str(output), "--processes", "1", *options]
    return main(words), output


@pytest.fixture
def folder(tmp_path):
    """Photographs beside their files, elsewhere, named with backslashes; of two splits."""
    root = tmp_path / "in"
    photograph(root / "train" / "a.png", SIZE)
    write(root / "train" / "a.json", BOTH, "a.png", SIZE)
    photograph(root / "photographs" / "b.jpg", SIZE)
    write(root / "train" / "b_jpg.json", BOTH, "..\\photographs\\b.jpg", SIZE)
    photograph(tmp_path / "elsewhere" / "c.png", SIZE)
    write(root / "c.json", BOTH[:1], str(tmp_path / "elsewhere" / "c.png"), SIZE)
    photograph(root / "d.png", SIZE)
    write(root / "d.json", BOTH, "C:\\gone\\d.tif")  # annotated as another file, elsewhere
    return root


def test_a_folder_becomes_coco_json_that_is_read_and_scored(folder, capsys):
    code, output = convert(folder)
    assert code == 0, capsys.readouterr().err
    train, test = (json.loads((output / f"{split}.json").read_text()) for split in ("train", "test"))
    assert [x["file_name"].rpartition("/")[2] for x in train["images"]] == ["a.png", "b.jpg"]
    assert [x["file_name"].rpartition("/")[2] for x in test["images"]] == ["c.png", "d.png"]
    assert [x["category_id"] for x in test["annotations"]] == [1, 1, 2]  # c has no cup, and so no vCDR
    assert [x["vcdr"] is None for x in test["images"]] == [True, False]
    disc = mask_util.decode(train["annotations"][0]["segmentation"]) > 0
    assert np.array_equal(disc, read_labelme(folder / "c.json").masks(SIZE)[0])
    assert len(list_masks(output / "train.json").masks) == 2
    gt = str(output / "train.json")
    assert main(["evaluate", "--gt", gt, "--pred", gt]) == 0
    assert "1.000" in capsys.readouterr().out


def test_what_cannot_be_used_is_listed(folder, capsys):
    write(folder / "broken.json", [], "").write_text("{")
    write(folder / "nowhere.json", BOTH, "nowhere.png", imageData="AAAA")
    write(folder / "again.json", BOTH, "d.png", SIZE)
    photograph(folder / "alone.png", SIZE)
    photograph(folder / "small.png", (50, 50))
    write(folder / "small.json", BOTH, "small.png")
    photograph(folder / "none.png", SIZE)
    write(folder / "none.json", [], "none.png", SIZE)
    photograph(folder / "more.png", SIZE)
    write(folder / "more.json", [*BOTH, shape("fovea", [[3, 4]], "point")], "more.png", SIZE)
    write(folder / "train" / "test" / "x.json", BOTH, "../../d.png", SIZE)
    code, output = convert(folder)
    told = capsys.readouterr().err
    assert code == 1
    for line in (
        "unreadable LabelMe file: {}/broken.json",
        "missing photograph: {}/nowhere.json: expected its photograph {}/nowhere.png, found a copy in the file alone",
        "duplicate id: {}/d.json: expected one file of {}/d.png, found {}/again.json",
        "unused folder: {}: expected a LabelMe file for each photograph, found 1 picture",
        "polygon beyond the picture: {}/small.json",
        "empty disc: {}/none.png",
        "unknown label: {}/more.json",
        "ambiguous folder: {}/train/test",
    ):
        assert f"left out: {line.replace('{}', str(folder))}" in told
    names = [x["file_name"].rpartition("/")[2] for x in json.loads((output / "test.json").read_text())["images"]]
    assert names == ["c.png", "d.png", "more.png"]


def test_labels_of_ones_own_and_the_split_of_the_rest(tmp_path, capsys):
    photograph(tmp_path / "in" / "a.png", SIZE)
    shapes = [shape("Papille", DISC), shape("excavation", CUP), shape("fovea", [[3, 4]], "point")]
    write(tmp_path / "in" / "a.json", shapes, "a.png", SIZE)
    own = [x for word in ("disc=papille", "cup=excavation", "ignore=Fovea") for x in ("--categories", word)]
    code, output = convert(tmp_path / "in", "--rest", "train", *own)
    assert code == 0, capsys.readouterr().err
    assert len(json.loads((output / "train.json").read_text())["annotations"]) == 2
    assert convert(tmp_path / "in", "--categories", "papille")[0] == 2
    assert "expected categories such as disc=papilla" in capsys.readouterr().err


def test_a_folder_of_something_else_is_told(tmp_path, capsys):
    photograph(tmp_path / "in" / "a.png", SIZE)
    (tmp_path / "in" / "index.json").write_text("{}")
    assert convert(tmp_path / "in")[0] == 2
    assert "does not hold LabelMe's files" in capsys.readouterr().err
