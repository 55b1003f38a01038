"""Several views of a photograph: what one view gives, flips undone, the closer look's place in the photograph."""

import numpy as np
import pytest
import torch

import fundus_plugins
from fundus_plugins.prediction import tta as views
from fundus_plugins.prediction.tta import FLIPS, Detection, detect_in_views, predict_in_views

ONE_LOOK = {"crop": 0.0, "crop_side": 96, "box_scale": 1.0}


@pytest.fixture
def predictor(detecting_cfg):
    detecting_cfg.TEST.PRECISION = "float32"
    return fundus_plugins.FundusPredictor(detecting_cfg)


def test_one_view_gives_what_the_model_gives(predictor, photograph):
    plain = predictor(photograph)
    prepared = predictor.prepare(photograph)
    with torch.inference_mode():
        found, agreement = predict_in_views(
            predictor.model, prepared["image"], photograph, flips=FLIPS["none"], **ONE_LOOK
        )
    assert np.isnan(agreement) and np.isnan(plain.agreement)
    torch.testing.assert_close(found.pred_boxes.tensor, plain.instances.pred_boxes.tensor, rtol=1e-4, atol=0.01)
    assert found.pred_classes.tolist() == [0, 1] and plain.disc.any()
    assert (found.pred_masks.numpy() != plain.instances.pred_masks.numpy()).mean() < 1e-3


@pytest.mark.parametrize("name, dims", [("horizontal", (2,)), ("both", (1,)), ("both", (1, 2))])
def test_a_flipped_picture_gives_the_flipped_prediction(predictor, name, dims):
    """Its box too, and to the last view; only rounding in the order of the sums may differ."""
    generator = torch.Generator().manual_seed(0)
    picture = torch.nn.functional.interpolate(
        torch.randint(0, 256, (1, 3, 8, 8), generator=generator).float(), (128, 128), mode="bicubic"
    )
    picture = picture[0].clamp(0, 255).byte()
    with torch.inference_mode():
        straight, turned = (detect_in_views(predictor.model, x, FLIPS[name]) for x in (picture, picture.flip(dims)))
    box = views.flip_boxes(turned.box[None], [dim - 3 for dim in dims], (128, 128))[0]
    torch.testing.assert_close(straight.box, box, rtol=1e-3, atol=0.05)
    assert straight.score == pytest.approx(turned.score, rel=1e-3)
    difference = straight.probabilities.mean(0) - turned.probabilities.mean(0).flip([dim - 3 for dim in dims])
    assert difference.abs().mean() < 1e-3


def test_the_config_chooses_views_and_nothing_found_is_nothing(detecting_cfg, photograph):
    cfg = detecting_cfg
    cfg.TEST.FLIPS, cfg.TEST.CROP = "horizontal", 0.4
    cfg.TEST.CROP_SIDE = 96
    prediction = fundus_plugins.FundusPredictor(cfg)(photograph)
    assert prediction.disc.shape == photograph.shape[:2] and 0 <= prediction.agreement <= 1
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = 1.0
    prediction = fundus_plugins.FundusPredictor(cfg)(photograph)
    assert len(prediction.instances) == 0 and not prediction.disc.any()
    assert np.isnan([prediction.score, prediction.vcdr, prediction.agreement]).all()
    cfg.TEST.FLIPS = "diagonal"
    with pytest.raises(ValueError, match="diagonal.*none, horizontal, both"):
        fundus_plugins.FundusPredictor(cfg)


def test_the_closer_look_is_put_back_where_it_was(monkeypatch):
    """First a box of 40 x 20 at (60, 50) of a picture of half the size; then, nearer, one that fills it by hand."""
    seen = []

    def fake(model, picture, flips):
        seen.append(picture)
        box = [60.0, 50, 100, 70] if len(seen) == 1 else [40.0, 40, 56, 64]
        return Detection(torch.tensor(box), 0.5, torch.ones(1, 2, 8, 8))

    monkeypatch.setattr(views, "detect_in_views", fake)
    photograph = np.zeros((200, 300, 3), np.uint8)
    photograph[100:140, 120:200, 0] = 255  # the first box, in pixels of the photograph
    found, _ = predict_in_views(
        None, torch.zeros(3, 100, 150), photograph, flips=FLIPS["none"], crop=0.5, crop_side=96, box_scale=1.25
    )
    # The disc is 80 / 1.25 = 64 pixels wide and shall be 48: three quarters of its size, (160, 120) in the middle.
    nearer = seen[1][0].numpy() > 127
    assert nearer.shape == (96, 96)
    assert np.flatnonzero(nearer.any(0))[[0, -1]] == pytest.approx([18, 77], abs=1)
    assert np.flatnonzero(nearer.any(1))[[0, -1]] == pytest.approx([33, 62], abs=1)
    expected = [160 + (40 - 48) / 0.75, 120 + (40 - 48) / 0.75, 160 + (56 - 48) / 0.75, 120 + (64 - 48) / 0.75]
    assert found.pred_boxes.tensor[0].tolist() == pytest.approx(expected, abs=1e-3)
    rows, columns = (np.flatnonzero(found.pred_masks[0].numpy().any(axis)) for axis in (1, 0))
    assert [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1] == pytest.approx(expected, abs=1.01)


@pytest.mark.parametrize("second", [None, [2.0, 2, 12, 12]])
def test_a_closer_look_that_misses_the_disc_changes_nothing_and_is_told(monkeypatch, second):
    first = Detection(torch.tensor([60.0, 50, 100, 70]), 0.5, torch.ones(2, 2, 8, 8))
    looks = iter([first, second and Detection(torch.tensor(second), 0.9, torch.ones(2, 2, 8, 8))])
    monkeypatch.setattr(views, "detect_in_views", lambda *args: next(looks))
    found, agreement = predict_in_views(
        None,
        torch.zeros(3, 100, 150),
        np.zeros((200, 300, 3), np.uint8),
        flips=FLIPS["horizontal"],
        crop=0.5,
        crop_side=96,
        box_scale=1.25,
    )
    assert agreement == 0 and found.scores.tolist() == [0.5, 0.5]
    assert found.pred_boxes.tensor[0].tolist() == [120, 100, 200, 140]


def test_views_that_find_something_else_are_outvoted(predictor, monkeypatch):
    monkeypatch.setattr(views, "pairwise_iou", lambda a, b: torch.tensor([[1.0, 0.2]]))
    with torch.inference_mode():
        look = detect_in_views(predictor.model, torch.zeros(3, 128, 128, dtype=torch.uint8), FLIPS["horizontal"])
        alone = detect_in_views(predictor.model, torch.zeros(3, 128, 128, dtype=torch.uint8), FLIPS["none"])
    assert look.score == pytest.approx(alone.score / 2, rel=0.02)


def test_agreement_by_hand():
    masks = torch.zeros(2, 2, 1, 4)
    masks[:, 0] = torch.tensor([0.9, 0.9, 0.9, 0.1])  # the discs are the same
    masks[0, 1, 0], masks[1, 1, 0] = torch.tensor([0.9, 0.9, 0.1, 0.1]), torch.tensor([0.9, 0.4, 0.1, 0.1])
    # Mean cup: 0.9, 0.65: two pixels. Dice 1 and 2 * 1 / (1 + 2).
    assert Detection(torch.zeros(4), 1.0, masks).agreement == pytest.approx((1 + 2 / 3) / 2)
    assert Detection(torch.zeros(4), 1.0, torch.zeros(2, 2, 3, 3)).agreement == 1


def seen(box, *masks):
    """A detection of one view, masks (S, S) bool, with its box in the photograph."""
    probabilities = torch.stack([torch.from_numpy(mask).float() for mask in masks])[None]
    return Detection(torch.tensor(box), 0.9, probabilities), torch.tensor(box)


def test_two_passes_agree_where_their_masks_do():
    """In the photograph: a disc of radius 20 about (60, 50), seen in boxes of other places and sizes."""
    side = 56

    def mask(box, radius):
        x1, y1, x2, y2 = box
        y, x = np.mgrid[:side, :side] + 0.5
        x, y = x1 + x / side * (x2 - x1), y1 + y / side * (y2 - y1)
        return (x - 60) ** 2 + (y - 50) ** 2 < radius**2

    boxes = [35.0, 25.0, 85.0, 75.0], [30.0, 20.0, 100.0, 80.0]
    same = [views._agreement_of_passes(*seen(a, mask(a, 20), mask(a, 10)), *seen(b, mask(b, 20), mask(b, 10)))
            for a, b in (boxes, boxes[::-1], boxes[:1] * 2)]  # fmt: skip
    assert same[0] > 0.96 and same[1] > 0.96 and same[2] == 1
    # A cup of half the other's radius has a quarter of its area: 2 / (1 + 4).
    a, b = boxes
    cups = views._agreement_of_passes(*seen(a, mask(a, 20), mask(a, 6)), *seen(b, mask(b, 20), mask(b, 12)))
    assert cups == pytest.approx(0.4, abs=0.04)
    # What the first pass saw beyond the second's box counts: all of a large box, a quarter of which the second has.
    everything = np.ones((side, side), bool)
    beyond = views._agreement_of_passes(
        *seen([0.0, 0.0, 100.0, 100.0], everything, everything), *seen([25.0, 25.0, 75.0, 75.0], everything, everything)
    )
    assert beyond == pytest.approx(0.4, abs=1e-6)
    nothing = np.zeros((side, side), bool)
    assert views._agreement_of_passes(*seen(a, mask(a, 20), nothing), *seen(a, mask(a, 20), nothing)) == 1


def test_two_looks_without_mirror_images_have_an_agreement(detecting_cfg, photograph):
    detecting_cfg.TEST.FLIPS, detecting_cfg.TEST.CROP, detecting_cfg.TEST.CROP_SIDE = "none", 0.3, 96
    found = fundus_plugins.FundusPredictor(detecting_cfg)(photograph)
    assert 0 <= found.agreement <= 1
