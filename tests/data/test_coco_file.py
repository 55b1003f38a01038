"""Reading COCO JSON: what refers to nothing, is there twice, or is of another kind, is refused in one line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundus_plugins.data.coco_file import disc_cup_records, grading_records, read_coco
from fundus_plugins.photographs.problems import BadInput

GOOD = {
    "images": [{"id": 1, "file_name": "a\\b.jpg", "height": 4.0, "width": 5}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 2, "segmentation": [[0, 0, 4, 0, 4, 4]], "iscrowd": 1}],
    "categories": [{"id": 1, "name": "cup"}, {"id": 2, "name": "disc"}],
}


def write(path, document):
    path.write_text(json.dumps(document))
    return path


def test_what_is_read(tmp_path):
    path = write(tmp_path / "a.json", GOOD)
    assert read_coco(path)["images"] == [{"id": 1, "file_name": "a/b.jpg", "height": 4, "width": 5}]
    (record,) = disc_cup_records(str(path), str(tmp_path))
    assert record["file_name"] == str(tmp_path / "a/b.jpg") and record["annotations"][0]["category_id"] == 0
    assert record["annotations"][0]["iscrowd"] == 0  # Detectron2 passes over photographs of crowds alone


def change(key, index, **values):
    document = json.loads(json.dumps(GOOD))
    document[key][index] |= values
    return document


def test_other_structures_are_refused_or_ignored(tmp_path):
    document = change("categories", 0, name="fovea")
    document["annotations"].append(document["annotations"][0] | {"category_id": 1})
    path = write(tmp_path / "a.json", document)
    with pytest.raises(BadInput, match="other categories.*found fovea"):
        disc_cup_records(str(path), "")
    (record,) = disc_cup_records(str(path), "", {"fovea": -1})
    assert [x["category_id"] for x in record["annotations"]] == [0]


REFUSED = {
    "no list": ([], "found list"),
    "no images": ({"annotations": [], "categories": []}, "a list of images, found annotations, categories"),
    "no id": (change("images", 0, id=None), "a id of image None"),
    "no height": (change("images", 0, height=None), "a height of image 1, found None"),
    "no size": (change("images", 0, width=0), "a size of a/b.jpg, found 0 x 4"),
    "path": (change("images", 0, file_name=7), "a file_name of image 1, found 7"),
    "twice": (GOOD | {"images": GOOD["images"] * 2}, "images of different ids, found 1 more than once"),
    "other image": (change("annotations", 0, image_id="1"), "image_id is one of the images, found 1"),
    "other category": (change("annotations", 0, category_id=9), "category_id is one of the categories, found 9"),
    "a list as id": (change("annotations", 0, image_id=[1]), r"image_id is one of the images, found \[1\]"),
    "category": (change("categories", 0, name=None), "an id and a name of every category"),
}


@pytest.mark.parametrize("document, message", REFUSED.values(), ids=list(REFUSED))
def test_what_is_refused(tmp_path, document, message):
    path = write(tmp_path / "a.json", document)
    with pytest.raises(BadInput, match=message) as caught:
        read_coco(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=5),
    lambda x: (
        st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(["id", "name", "images", "size"]), x, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["images", "annotations", "categories"]), st.data(), JSON)
def test_anything_in_any_place_is_read_or_refused(tmp_path_factory, key, data, value):
    document = json.loads(json.dumps(GOOD))
    field = data.draw(st.sampled_from([None, *document[key][0]]))
    if field is None:
        document[key] = value
    else:
        document[key][0][field] = value
    path = write(tmp_path_factory.mktemp("j") / "a.json", document)
    try:
        records = disc_cup_records(str(path), "")
    except BadInput as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert all(
            isinstance(x["height"], int) and {a["category_id"] for a in x["annotations"]} <= {0, 1} for x in records
        )


def test_grades(tmp_path):
    document = GOOD | {"categories": [{"id": 2, "name": "sick"}, {"id": 1, "name": "well"}]}
    records, names = grading_records(str(write(tmp_path / "a_grading.json", document)), "")
    assert names == ["well", "sick"] and records[0]["annotations"][0]["category_id"] == 1
    document["annotations"] = [*document["annotations"], document["annotations"][0] | {"category_id": 1}]
    with pytest.raises(BadInput, match="conflicting grades.*one grade of a/b.jpg"):
        grading_records(str(write(tmp_path / "a_grading.json", document)), "")
