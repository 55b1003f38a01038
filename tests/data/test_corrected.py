"""A person's outlines: whose they are, and that nothing is read without a word that is not."""

import json
import pickle
import shutil

import cv2
import numpy as np
import pytest

from fundus_plugins.data.corrected import read_corrections
from fundus_plugins.data.labelme import read_labelme
from fundus_plugins.data.mask_files import list_masks
from fundus_plugins.measures.overlap import dice
from fundus_plugins.photographs.masks import encode_refuge_mask
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.sources import Source
from fundus_plugins.prediction.run.writers import output_name
from tests.conftest import disk
from tests.data.folders import photograph
from tests.data.labelme_files import ellipse, shape, write

SIZE = (100, 120)
BOTH = [shape("optic_disc", ellipse(60, 50, 30, 32)), shape("optic_cup", ellipse(61, 51, 14, 15))]
DISC, CUP = disk(*SIZE, 50, 60, 30), disk(*SIZE, 50, 60, 14)


def matched(path, *sources):
    """The files in which the corrections of photographs are, by id."""
    found = read_corrections(path).match(sources, output_name)
    return {id: x.where.relative_to(path).as_posix() for id, x in found.items()}


def sources_of(root, *ids):
    return [Source(id, photograph(root / id, SIZE)) for id in ids]


def test_the_place_says_whose_they_are_before_any_name(tmp_path):
    a, b = sources_of(tmp_path / "in", "a/eye.png", "b/eye.png")
    write(tmp_path / "by" / "b" / "eye_png.json", BOTH, str(a.path))
    write(tmp_path / "by" / "x.json", BOTH, "../in/b/eye.png")
    assert matched(tmp_path / "by", a, b) == {"a/eye.png": "b/eye_png.json", "b/eye.png": "x.json"}


def test_names_below_the_folder_tell_photographs_of_one_name_apart(tmp_path):
    sources = sources_of(tmp_path / "in", "a/eye.png", "b/eye.png", "c/eye.png")
    write(tmp_path / "by" / "a" / "eye_png.json", BOTH, "/gone/eye.png")
    write(tmp_path / "by" / "b" / "eye.json", BOTH)
    assert matched(tmp_path / "by", *sources) == {"a/eye.png": "a/eye_png.json", "b/eye.png": "b/eye.json"}


def test_the_name_of_the_file_is_enough_where_one_photograph_has_it(tmp_path):
    sources = sources_of(tmp_path / "in", "a/one.png", "a/two.jpg", "b/same.png", "c/same.png")
    write(tmp_path / "by" / "labels" / "ONE.json", BOTH)
    write(tmp_path / "by" / "second.json", BOTH, "D:\\images\\two.jpg")
    write(tmp_path / "by" / "same.json", BOTH)
    assert matched(tmp_path / "by", *sources) == {"a/one.png": "labels/ONE.json", "a/two.jpg": "second.json"}


def test_those_of_another_photograph_of_this_name_are_not_taken(tmp_path):
    (other,) = sources_of(tmp_path / "other", "eye.png")
    mine, second = sources_of(tmp_path / "in", "eye.png", "second.png")
    write(tmp_path / "by" / "eye_png.json", BOTH, str(other.path))
    write(tmp_path / "by" / "second_png.json", BOTH)
    assert matched(tmp_path / "by", mine, second) == {"second.png": "second_png.json"}
    shutil.copyfile(mine.path, other.path)  # a copy of this one
    assert len(matched(tmp_path / "by", mine, second)) == 2


def test_those_in_a_folder_of_another_patient_are_not_taken(tmp_path):
    sources = sources_of(tmp_path / "in", "P2/OD.png", "P3/OS.png")
    gone = tmp_path / "in" / "P1" / "OD.png"
    write(tmp_path / "by" / "P1" / "OD_png.json", BOTH, str(gone))
    write(tmp_path / "by" / "OS_png.json", BOTH)
    assert matched(tmp_path / "by", *sources) == {"P3/OS.png": "OS_png.json"}
    alone = Source("OD.png", tmp_path / "in" / "P2" / "OD.png")
    with pytest.raises(BadInput, match="no corrections"):
        matched(tmp_path / "by", alone)


def test_pictures_of_one_file_are_found_by_their_numbers(tmp_path):
    pages = [Source(f"eye.tif#{number + 1}", tmp_path / "eye.tif", number=number) for number in range(3)]
    write(tmp_path / "by" / "eye_tif_2.json", BOTH, f"{tmp_path}/eye.tif, picture 2")
    write(tmp_path / "by" / "eye.json", BOTH, "eye.tif")
    assert matched(tmp_path / "by", *pages) == {"eye.tif#2": "eye_tif_2.json"}
    with pytest.raises(BadInput, match="no corrections: .*expected some of the photographs that are given, found"):
        matched(tmp_path / "by", pages[0])


def test_two_files_of_one_photograph_are_refused(tmp_path):
    (source,) = sources_of(tmp_path / "in", "a.png")
    write(tmp_path / "by" / "one.json", BOTH, str(source.path))
    write(tmp_path / "by" / "two.json", BOTH, "../in/a.png")
    with pytest.raises(BadInput, match="duplicate id: .*two.json: expected one file of .*a.png, found also .*one.json"):
        matched(tmp_path / "by", source)


def test_masks_of_one_file_and_of_two_with_names_of_one_kind_in_several_folders(tmp_path):
    sources = sources_of(tmp_path / "in", "a/eye.png", "b/eye.png")
    for name in ("a/eye_png", "b/eye_png"):
        path = tmp_path / "one" / f"{name}.png"
        path.parent.mkdir(parents=True)
        cv2.imwrite(str(path), encode_refuge_mask(DISC, CUP))
    for kind, mask in (("disc", DISC), ("cup", CUP)):
        for name in ("a/eye", "b/eye"):
            path = tmp_path / "two" / kind / f"{name}.png"
            path.parent.mkdir(parents=True)
            cv2.imwrite(str(path), mask * np.uint8(255))
    shutil.rmtree(tmp_path / "two" / "cup" / "b")
    one, two = (read_corrections(tmp_path / x).match(sources, output_name) for x in ("one", "two"))
    for found in (one, two):
        disc, cup = found["a/eye.png"].masks(SIZE)
        assert np.array_equal(disc, DISC) and np.array_equal(cup, CUP)
    assert np.array_equal(one["b/eye.png"].masks(SIZE)[1], CUP) and two["b/eye.png"].masks(SIZE)[1] is None
    with pytest.raises(BadInput, match="size mismatch"):
        one["b/eye.png"].masks((100, 121))
    shutil.copyfile(tmp_path / "one" / "a" / "eye_png.png", tmp_path / "one" / "a" / "eye_png.bmp")
    with pytest.raises(BadInput, match="duplicate id"):
        read_corrections(tmp_path / "one")


def coco(path, categories, annotations, images=("a.png", "b.png")):
    document = {
        "info": {"description": "", "contributor": "an annotation tool"},
        "licenses": [{"id": 0, "name": "", "url": ""}],
        "images": [
            {"id": i, "file_name": name, "width": SIZE[1], "height": SIZE[0], "license": 0}
            for i, name in enumerate(images)
        ],
        "categories": [{"id": i, "name": name, "supercategory": ""} for i, name in enumerate(categories)],
        "annotations": [
            {"id": number, "image_id": image, "category_id": category, "segmentation": polygons, "iscrowd": 0}
            | {"bbox": [0, 0, 9, 9], "area": 81.5, "ignore": 0, "attributes": {"occluded": False}}
            for number, (image, category, polygons) in enumerate(annotations)
        ],
    }
    path.write_text(json.dumps(document))
    return path


def flat(*numbers):
    return [x for point in ellipse(*numbers) for x in point]


@pytest.mark.parametrize(
    "categories, name", [(("OC", "_background_", "Optic Disc"), "a"), (("cup", "Fovea", "DISC"), "3e1b2c4d-a")]
)
def test_coco_json_of_annotation_tools(tmp_path, categories, name):
    parts = [
        (0, 2, [flat(50, 50, 20, 30)]),
        (0, 0, [flat(55, 50, 9, 14), flat(60, 50, 9, 14)]),
        (0, 2, [flat(70, 50, 20, 30)]),
    ]
    path = coco(tmp_path / "all.json", categories, parts, (f"images\\{name}.png", "images/b.png"))
    for disc, cup in (
        list_masks(path).masks[name](),
        read_corrections(path)
        .match(sources_of(tmp_path / "in", "x/a.png", "x/b.png"), output_name)["x/a.png"]
        .masks(SIZE),
    ):
        assert np.ptp(np.flatnonzero(disc.any(axis=0))) == pytest.approx(60, abs=2)
        assert np.ptp(np.flatnonzero(cup.any(axis=0))) == pytest.approx(23, abs=2)


def test_images_without_an_annotation_have_no_correction_and_one_changes_alone(tmp_path):
    sources = sources_of(tmp_path / "in", "a.png", "b.png", "c.png")
    names = ("a.png", "b.png", "c.png")
    parts = [(i, j, [flat(60, 50, 30 - 12 * j, 30 - 12 * j)]) for i in (0, 1) for j in (0, 1)]
    path = coco(tmp_path / "all.json", ("disc", "cup"), parts, names)
    before = {id: x.stamp() for id, x in read_corrections(path).match(sources, output_name).items()}
    assert set(before) == {"a.png", "b.png"}
    parts[2] = (1, 0, [flat(60, 50, 31, 30)])
    parts += [(1, 2, [flat(9, 9, 3, 3)]), (2, 2, [flat(9, 9, 3, 3)])]  # of something else
    coco(path, ("disc", "cup", "fovea"), parts, names)
    found = read_corrections(path).match(sources, output_name)
    assert np.ptp(np.flatnonzero(found["b.png"].masks(SIZE)[0].any(axis=0))) == pytest.approx(61, abs=2)
    after = {id: x.stamp() for id, x in found.items()}
    assert set(after) == {"a.png", "b.png"} and after["a.png"] == before["a.png"] and after["b.png"] != before["b.png"]


def test_a_file_that_cannot_be_read_is_still_the_photographs(tmp_path):
    sources = sources_of(tmp_path / "in", "a.png", "b.png")
    write(tmp_path / "by" / "a_png.json", BOTH)
    write(tmp_path / "by" / "b_png.json", BOTH).write_text("{")
    found = read_corrections(tmp_path / "by").match(sources, output_name)
    assert dice(found["a.png"].masks(SIZE)[0], read_labelme(tmp_path / "by" / "a_png.json").masks(SIZE)[0]) == 1
    with pytest.raises(BadInput, match="unreadable LabelMe file: .*b_png.json"):
        found["b.png"].masks(SIZE)
    assert pickle.loads(pickle.dumps(found))["b.png"].stamp() == found["b.png"].stamp()


@pytest.mark.parametrize(
    "shapes, message",
    [
        ([shape("disc", ellipse(60, 50, 30, 32)), shape("cup", ellipse(100, 50, 14, 15))], "cup outside disc"),
        ([shape("disc", [[0, 0], [119, 0], [119, 99], [0, 99]])], "is the mask inverted"),
    ],
)
def test_outlines_that_no_eye_has_are_refused(tmp_path, shapes, message):
    (source,) = sources_of(tmp_path / "in", "a.png")
    write(tmp_path / "by" / "a.json", shapes)
    (found,) = read_corrections(tmp_path / "by").match([source], output_name).values()
    with pytest.raises(BadInput, match=message):
        found.masks(SIZE)


def test_what_holds_no_outlines_is_told(tmp_path):
    with pytest.raises(BadInput, match="nothing there"):
        read_corrections(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="masks of at least one photograph"):
        read_corrections(tmp_path / "empty")
    path = coco(tmp_path / "all.json", ("disc",), [])
    with pytest.raises(BadInput, match="no corrections: .*outlines of at least one photograph"):
        read_corrections(path)
