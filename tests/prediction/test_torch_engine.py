"""Several flips of a view: what one gives, flips undone, views in a batch, what disagrees outvoted."""

import cv2
import numpy as np
import pytest
import torch

import fundus_plugins
from fundus_plugins.prediction import torch_engine
from fundus_plugins.prediction.looks import Looks
from fundus_plugins.prediction.settings import Settings
from fundus_plugins.prediction.torch_engine import TorchEngine, load_model
from fundus_plugins.prediction.tta import agreement_of_views, flip_boxes


@pytest.fixture
def cfg(detecting_cfg):
    detecting_cfg.TEST.PRECISION = "float32"
    return detecting_cfg


@pytest.fixture
def view():
    small = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return cv2.resize(small, (128, 128), interpolation=cv2.INTER_CUBIC)


def test_one_view_gives_what_the_model_gives(cfg, photograph):
    plain = fundus_plugins.FundusPredictor(cfg)(photograph)
    looks = Looks(TorchEngine(load_model(cfg), "none", cfg.INPUT.FORMAT), Settings.of(cfg))
    (found,) = looks.find([looks.prepare(photograph)])
    assert np.isnan(found.agreement) and np.isnan(plain.agreement) and plain.disc.any()
    height, width = photograph.shape[:2]
    assert np.clip(found.box, 0, [width, height] * 2) == pytest.approx(plain.box, rel=1e-4, abs=0.01)
    assert (found.disc != plain.disc).mean() < 1e-3 and (found.cup != plain.cup).mean() < 1e-3


@pytest.mark.parametrize("name, dims", [("horizontal", (-1,)), ("both", (-2,)), ("both", (-2, -1))])
def test_a_flipped_picture_gives_the_flipped_prediction(cfg, view, name, dims):
    """Its box too, and to the last view; only rounding in the order of the sums may differ."""
    engine = TorchEngine(load_model(cfg), name, "RGB")
    straight, turned = engine.look([view, np.ascontiguousarray(np.flip(view, [dim + 2 for dim in dims]))])
    box = flip_boxes(torch.from_numpy(turned.box[None]), dims, (128, 128))[0].numpy()
    assert straight.box == pytest.approx(box, rel=1e-3, abs=0.05)
    assert straight.score == pytest.approx(turned.score, rel=1e-3)
    assert np.abs(straight.masks - np.flip(turned.masks, dims)).mean() < 1e-3


def test_views_in_a_batch_are_seen_as_each_alone(cfg, view):
    engine = TorchEngine(load_model(cfg), "horizontal", "BGR")
    views = [view, np.ascontiguousarray(view[::-1]), view[:100], np.ascontiguousarray(view[::-1, ::-1])]
    for batch in (views, views[:2] + views[3:]):  # of several sizes, and of one
        for together, alone in zip(engine.look(batch), [engine.look([x])[0] for x in batch]):
            assert together.box == pytest.approx(alone.box, rel=1e-4, abs=0.01)
            assert np.abs(together.masks - alone.masks).max() < 1e-3
            assert together.agreement == pytest.approx(alone.agreement, abs=0.01)
    assert engine.look([]) == []


def test_the_config_chooses_views_and_nothing_found_is_nothing(detecting_cfg, photograph):
    cfg = detecting_cfg
    cfg.TEST.FLIPS, cfg.TEST.CROP = "horizontal", 0.4
    cfg.TEST.CROP_SIDE = 96
    prediction = fundus_plugins.FundusPredictor(cfg)(photograph)
    assert prediction.disc.shape == photograph.shape[:2] and 0 <= prediction.agreement <= 1
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = 1.0
    prediction = fundus_plugins.FundusPredictor(cfg)(photograph)
    assert np.isnan(prediction.box).all() and not prediction.disc.any()
    assert np.isnan([prediction.score, prediction.vcdr, prediction.agreement]).all()
    cfg.TEST.FLIPS = "diagonal"
    with pytest.raises(ValueError, match="diagonal.*none, horizontal, both"):
        fundus_plugins.FundusPredictor(cfg)


def test_two_looks_without_mirror_images_have_an_agreement(detecting_cfg, photograph):
    detecting_cfg.TEST.FLIPS, detecting_cfg.TEST.CROP, detecting_cfg.TEST.CROP_SIDE = "none", 0.3, 96
    found = fundus_plugins.FundusPredictor(detecting_cfg)(photograph)
    assert 0 <= found.agreement <= 1


def test_flips_that_find_something_else_are_outvoted(cfg, monkeypatch):
    black, model = [np.zeros((128, 128, 3), np.uint8)], load_model(cfg)
    monkeypatch.setattr(torch_engine, "pairwise_iou", lambda a, b: torch.tensor([[1.0, 0.2][: len(b)]]))
    ((look,), (alone,)) = (TorchEngine(model, flips, "RGB").look(black) for flips in ("horizontal", "none"))
    assert look.score == pytest.approx(alone.score / 2, rel=0.02)


def test_agreement_by_hand():
    masks = torch.zeros(2, 2, 1, 4)
    masks[:, 0] = torch.tensor([0.9, 0.9, 0.9, 0.1])  # the discs are the same
    masks[0, 1, 0], masks[1, 1, 0] = torch.tensor([0.9, 0.9, 0.1, 0.1]), torch.tensor([0.9, 0.4, 0.1, 0.1])
    # Mean cup: 0.9, 0.65: two pixels. Dice 1 and 2 * 1 / (1 + 2).
    assert float(agreement_of_views(masks)) == pytest.approx((1 + 2 / 3) / 2)
    assert float(agreement_of_views(torch.zeros(2, 2, 3, 3))) == 1
