"""Predictions in other forms, and photographs in whatever form a program has them."""

import io
import json

import cv2
import numpy as np
import pytest
from PIL import Image

import fundus_plugins
from fundus_plugins.data.annotations import decode_segmentation
from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters
from fundus_plugins.measures.overlap import dice
from fundus_plugins.photographs.anything import as_photograph
from fundus_plugins.photographs.problems import BadInput


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng((31, 1))
    return draw_phantom(sample_parameters(rng, "normal", "macula"), 480, rng).image


@pytest.fixture(scope="module")
def predictor():
    return fundus_plugins.FundusPredictor()


def same(a, b) -> bool:
    return a.to_dict() == b.to_dict() and np.array_equal(a.disc, b.disc) and np.array_equal(a.cup, b.cup)


def test_every_form_of_a_photograph_is_the_same_photograph(image, predictor, tmp_path):
    path = tmp_path / "eye.png"
    cv2.imwrite(str(path), image[..., ::-1])
    forms = [image, path, str(path), path.read_bytes(), memoryview(path.read_bytes()), Image.open(path)]
    try:
        from tests.photographs import dicom_files
    except ImportError:
        pass
    else:
        forms += [dicom_files.photograph(image), dicom_files.to_bytes(dicom_files.photograph(image))]
    assert all(np.array_equal(as_photograph(x), image) for x in forms)
    expected = predictor(image)
    assert same(predictor(path), expected) and same(predictor(Image.open(path)), expected)


def test_a_picture_of_pillow_is_turned_as_its_data_say(image):
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(image).save(buffer, "PNG", exif=exif)
    turned = np.rot90(image, -1)
    assert np.array_equal(as_photograph(Image.open(buffer)), turned)
    assert np.array_equal(as_photograph(buffer.getvalue()), turned)


@pytest.mark.parametrize(
    "given, error", [(7, TypeError), ([1, 2], TypeError), (b"", BadInput), ("nowhere.png", BadInput)]
)
def test_what_is_no_photograph_is_told(given, error):
    with pytest.raises(error, match="expected"):
        as_photograph(given)


def test_batches_of_any_size_and_order_give_the_same(image, predictor):
    images = [image, np.ascontiguousarray(image[:, ::-1]), image[::2, ::2].copy(), np.zeros((90, 120, 3), np.uint8)]
    alone = [predictor(x) for x in images]
    assert all(map(same, predictor.predict_batch(images), alone))
    assert all(map(same, predictor.predict_batch(images[::-1]), alone[::-1]))
    found = [x[2] for x in predictor.predict_files(images)]
    assert all(map(same, found, alone))


def test_plain_values(image, predictor):
    found = predictor(image)
    values = found.to_dict(eye="OD", mm_per_pixel=0.02)
    assert json.loads(json.dumps(values)) == values
    assert values["vcdr"] == pytest.approx(found.vcdr, abs=1e-4) and values["status"] == "measured"
    assert values["rim_nasal"] == values["rim_right"] and values["ddls"] is not None
    assert found.to_dict()["rim_nasal"] is None
    (polygon,) = values["contours"]["disc"]
    drawn = cv2.fillPoly(np.zeros(found.disc.shape, np.uint8), [np.array(polygon)], 1) > 0
    assert dice(drawn, found.disc) > 0.97


def test_coco_annotations(image, predictor):
    found = predictor(image)
    disc, cup = found.to_coco(image_id=7, first_id=3)
    assert [(x["id"], x["image_id"], x["category_id"]) for x in (disc, cup)] == [(3, 7, 1), (4, 7, 2)]
    assert np.array_equal(decode_segmentation(cup["segmentation"], image.shape[:2]) > 0, found.cup)
    assert disc["area"] == found.disc.sum() and disc["score"] == pytest.approx(found.score, abs=1e-4)


def test_a_drawing_of_any_size(image, predictor):
    found = predictor(image)
    whole, small = found.draw(image), found.draw(image, 100)
    assert whole.shape == image.shape and max(small.shape) == 100
    assert ((whole != image).any(axis=2) & found.disc).sum() > 50


def test_nothing_found_is_nothing_measured(predictor):
    found = predictor(np.zeros((90, 120, 3), np.uint8))
    values = found.to_dict()
    assert values["status"] == "ungradable" and values["vcdr_low"] is None and "vcdr" not in values
    assert found.nerve_head() is None and found.to_coco() == []
    assert found.draw(np.zeros((90, 120, 3), np.uint8)).any()
