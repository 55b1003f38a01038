"""FundusPredictor against the plain model, and on files."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from detectron2.data.detection_utils import read_image
from detectron2.engine import DefaultPredictor
from detectron2.modeling import build_model
from PIL import Image

import fundus_plugins
from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters
from fundus_plugins.data.structures import best_disc_and_cup
from fundus_plugins.experiments.alterations import ALTERATIONS
from fundus_plugins.measures.overlap import dice
from fundus_plugins.measures.shape import is_regular
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.prediction.looks import Found
from fundus_plugins.prediction.result import measure
from tests.conftest import SIDE, disk
from tests.prediction.test_looks import SETTINGS


@pytest.fixture
def cfg(detecting_cfg):
    return detecting_cfg


@pytest.mark.parametrize("image_format", ["RGB", "BGR"])
def test_equals_detectron2s_predictor(cfg, photograph, image_format):
    cfg.INPUT.FORMAT = image_format
    cfg.TEST.PRECISION = "float32"
    ours = fundus_plugins.FundusPredictor(cfg)(photograph)
    theirs = DefaultPredictor(cfg)(photograph[:, :, ::-1])["instances"]
    best = theirs[theirs.pred_classes == 0]
    box = best.pred_boxes.tensor[int(best.scores.argmax())].double().numpy()
    assert ours.box == pytest.approx(box, rel=1e-3, abs=0.05)
    disc, cup, score = best_disc_and_cup(theirs, photograph.shape[:2])
    assert disc.any() and cup.any()
    assert (disc != ours.disc).mean() < 1e-4 and (cup != ours.cup).mean() < 1e-4
    assert ours.score == pytest.approx(score, abs=1e-4)


def test_bfloat16_is_used_and_close(cfg, photograph):
    assert cfg.TEST.PRECISION == "auto"
    plain = fundus_plugins.FundusPredictor(cfg).finder.model
    assert {x.dtype for x in plain.parameters()} == {torch.float32}  # unless it is asked for, on any CPU
    cfg.TEST.PRECISION = "bfloat16"
    predictor = fundus_plugins.FundusPredictor(cfg)
    body = predictor.finder.model.backbone.bottom_up.body
    assert body.conv_stem.weight.dtype == torch.float32  # up to stride 2, where rounding moves outlines
    assert body.blocks[1][0].conv_dw.weight.dtype == torch.bfloat16
    prediction = predictor(photograph)
    cfg.TEST.PRECISION = "float32"
    exact = fundus_plugins.FundusPredictor(cfg)(photograph)
    assert prediction.score == pytest.approx(exact.score, abs=0.02)


def test_a_batch_gives_what_each_gives_alone(cfg, photograph):
    predictor = fundus_plugins.FundusPredictor(cfg)
    images = [photograph, photograph[:, ::-1].copy(), photograph[:100]]
    together = predictor.predict_prepared([predictor.prepare(image) for image in images])
    for image, prediction in zip(images, together):
        assert prediction.disc.shape == image.shape[:2]
        alone = predictor(image)
        assert (alone.disc != prediction.disc).mean() < 0.01
        assert alone.score == pytest.approx(prediction.score, abs=0.02)


def test_files_come_in_order_and_bad_ones_do_not_stop_the_rest(cfg, photograph, tmp_path):
    paths = [tmp_path / f"{name}.png" for name in "abcdef"]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), photograph[: 60 + 10 * number])
    paths[2].write_bytes(b"no photograph")
    predictor = fundus_plugins.FundusPredictor(cfg)
    found = list(predictor.predict_files(paths))
    assert [path for path, _, _ in found] == paths
    assert isinstance(found[2][2], ValueError) and found[2][1] is None and "c.png: expected" in str(found[2][2])
    for number, (_, image, prediction) in enumerate(found):
        if number != 2:
            assert image.shape == prediction.disc.shape + (3,) == (60 + 10 * number, 2 * SIDE, 3)


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_what_is_no_photograph_is_refused(cfg, image):
    with pytest.raises(ValueError, match="expected an .H, W, 3. uint8 RGB image"):
        fundus_plugins.FundusPredictor(cfg)(image)


def test_doubts_and_interval():
    def found(disc, cup=None, agreement=float("nan")):
        return Found(np.zeros(4), 0.9, disc, disc & disk(60, 90, 30, 40, 10) if cup is None else cup, agreement)

    disc = disk(60, 90, 30, 40, 20)
    plain = measure(found(disc), SETTINGS)
    assert plain.flags == () and not plain.flagged and np.isnan(plain.vcdr_interval).all()
    sure = replace(SETTINGS, flag_below=0.9, vcdr_margin=0.1)
    doubtful = measure(found(disc, agreement=0.85), sure)
    assert doubtful.flags == ("views disagree",) and doubtful.flagged and doubtful.ellipse > 0.95
    assert doubtful.vcdr_interval == pytest.approx((doubtful.vcdr - 0.1, doubtful.vcdr + 0.1))
    assert measure(found(disc, agreement=0.95), sure).flags == ()

    beside = found(disc | disk(60, 90, 30, 75, 4))  # two regions
    assert measure(beside, SETTINGS).flags == ("not the shape of a disc",)
    assert measure(beside, replace(SETTINGS, regular_shape=True)).flags == ()

    shape = replace(sure, flag_ellipse_below=0.93)
    two = disk(60, 90, 30, 30, 10) | disk(60, 90, 30, 48, 10)
    assert measure(found(two), shape).flags == ("not the shape of a disc",)
    cut = measure(found(disk(60, 90, 5, 40, 20)), shape)  # its upper part is beyond the edge
    assert cut.flags[0] == "cut off by the edge" and np.isnan(cut.vcdr_interval).all()
    missed = measure(Found.nothing((60, 90)), shape)
    assert missed.flags == ("no disc",) and np.isnan([missed.vcdr, missed.ellipse, *missed.vcdr_interval]).all()


def test_the_cup_beyond_the_disc_is_none():
    """Every measure, outline and mask is of the same cup, whatever the model drew."""
    disc, cup = disk(60, 90, 30, 40, 20), disk(60, 90, 40, 40, 15)
    found = measure(Found(np.zeros(4), 0.9, disc, cup, float("nan")), SETTINGS)
    assert np.array_equal(found.cup, cup & disc) and (cup & ~disc).any()
    assert found.vcdr == found.nerve_head().vcdr == pytest.approx(26 / 41)  # rows 25 to 50 of 10 to 50


def test_a_cup_that_was_not_found_is_no_ratio_of_zero():
    disc = disk(60, 90, 30, 40, 20)
    for cup in (np.zeros_like(disc), disk(60, 90, 30, 75, 5)):  # none, and one elsewhere
        found = measure(Found(np.zeros(4), 0.9, disc, cup, 1.0), replace(SETTINGS, vcdr_margin=0.1))
        assert found.status == "no cup" and found.flags == ("no cup",) and found.nerve_head() is None
        assert np.isnan([found.vcdr, *found.vcdr_interval]).all() and not found.cup.any()
        plain = found.to_dict()
        assert (plain["status"], plain.get("vcdr"), plain["vcdr_low"]) == ("no cup", None, None)
        assert plain["contours"]["disc"] and not plain["contours"]["cup"]
        assert [x["category_id"] for x in found.to_coco()] == [1]  # an empty cup would say that there is none


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto"])  # with a map at stride 2, and without
def test_another_backbone_in_bfloat16(cfg, photograph, tmp_path, name):
    cfg.MODEL.FUNDUS_TIMM.NAME = name
    torch.save(build_model(cfg).state_dict(), cfg.MODEL.WEIGHTS)
    cfg.TEST.PRECISION = "bfloat16"
    assert fundus_plugins.FundusPredictor(cfg)(photograph).disc.shape == photograph.shape[:2]


def test_photographs_are_read_as_detectron2_reads_them(photograph, tmp_path):
    path = str(tmp_path / "eye.png")
    cv2.imwrite(path, photograph)
    np.testing.assert_array_equal(read_photograph(path), read_image(path, format="RGB"))
    picture = Image.fromarray(photograph)
    exif = picture.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    picture.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    ours, theirs = read_photograph(tmp_path / "turned.jpg"), read_image(str(tmp_path / "turned.jpg"), format="RGB")
    assert ours.shape == theirs.shape == (photograph.shape[1], photograph.shape[0], 3)
    assert np.abs(ours.astype(int) - theirs).mean() < 1
    cv2.imwrite(path, photograph[..., 0])
    assert read_photograph(path).shape == photograph.shape  # grey


def test_packaged_weights_find_disc_and_cup_in_new_phantoms():
    predictor = fundus_plugins.FundusPredictor(fundus_plugins.release_cfg())
    for seed, view in enumerate(("disc", "disc", "macula", "crop")):
        rng = np.random.default_rng((987, seed))
        phantom = draw_phantom(sample_parameters(rng, "suspicious", view), 640, rng)
        found = predictor(phantom.image)
        assert dice(found.disc, phantom.disc) > 0.9 and dice(found.cup, phantom.cup) > 0.75, (seed, view)
        assert is_regular(found.disc, found.cup) and 0 < found.agreement <= 1
        low, high = found.vcdr_interval
        assert low < found.vcdr < high


def test_a_disc_that_fills_the_picture_is_found():
    rng = np.random.default_rng((987, 0))
    phantom = draw_phantom(sample_parameters(rng, "normal", "crop"), 640, rng)
    crop = next(x for x in ALTERATIONS if x.name == "cropped disc")
    predictor = fundus_plugins.FundusPredictor(fundus_plugins.release_cfg())
    image, disc, cup = crop.apply(phantom.image, phantom.disc, phantom.cup, 0.85)
    found = predictor(np.ascontiguousarray(image))
    assert dice(found.disc, disc) > 0.85 and dice(found.cup, cup) > 0.5
