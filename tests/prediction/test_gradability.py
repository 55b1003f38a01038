"""What can be graded, and what is no photograph of a fundus: drawn pictures, altered phantoms, the fitted models."""

import json

import cv2
import numpy as np
import pytest

import fundus_plugins
from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters
from fundus_plugins.photographs.appearance import DISC_FEATURES, FIELD_FEATURES, describe_disc, describe_field
from fundus_plugins.photographs.field import find_field
from fundus_plugins.prediction import gradability
from fundus_plugins.prediction.gradability import FILE, NO_FUNDUS, NO_LIGHT, SIGNALS, judge_features
from tests.prediction.no_fundus import PICTURES, draw


@pytest.fixture(scope="module")
def predictor():
    return fundus_plugins.FundusPredictor()


def phantom(seed: int, size: int = 700):
    rng = np.random.default_rng((77, seed))
    return draw_phantom(sample_parameters(rng, ("normal", "glaucoma")[seed % 2], "macula"), size, rng)


def test_drawn_eyes_can_be_graded(predictor):
    found = [predictor(phantom(seed).image) for seed in range(8)]
    assert sum(x.ungradable for x in found) <= 1
    assert all(0.5 <= x.gradability <= 1 and np.isfinite(x.vcdr) for x in found if not x.ungradable)


def test_a_prediction_keeps_the_field_that_was_judged(predictor, detecting_cfg):
    image = phantom(0).image
    assert predictor(image).field == find_field(image) is not None
    assert predictor(np.zeros_like(image)).field is None
    assert fundus_plugins.FundusPredictor(detecting_cfg)(image).field is None  # these weights' are not judged


def test_pictures_of_other_things_are_refused(predictor):
    found = {name: predictor(draw(name)) for name in PICTURES}
    passed = [name for name, x in found.items() if x.to_dict()["status"] == "measured"]
    assert len(passed) <= 3, passed
    for x in found.values():
        if x.ungradable:
            assert np.isnan(x.vcdr) and "vcdr" not in x.to_dict() and x.flags[0] == x.to_dict()["reasons"][0]
            assert x.flagged and x.nerve_head() is None


def test_black_is_too_dark_and_has_no_field(predictor):
    found = predictor(draw("black"))
    assert found.ungradable and found.flags[0] == NO_LIGHT and found.gradability == 0


@pytest.mark.parametrize(
    "name, alter, reasons",
    [
        ("dark", lambda x: (x * 0.06).astype(np.uint8), {NO_LIGHT, NO_FUNDUS, "noisy"}),
        ("blurred", lambda x: cv2.GaussianBlur(x, (0, 0), 28), {"blurred", NO_FUNDUS, "outlines unsure"}),
    ],
)
def test_what_is_spoilt_enough_is_ungradable_or_not_found(predictor, name, alter, reasons):
    for seed in range(4):
        found = predictor(np.ascontiguousarray(alter(phantom(seed).image)))
        assert found.ungradable or not found.disc.any() or found.flagged
        if found.ungradable:
            assert found.flags[0] in reasons


def test_gradability_falls_with_blur(predictor):
    image = phantom(1).image
    values = [
        predictor(image if not sigma else cv2.GaussianBlur(image, (0, 0), sigma)).gradability
        for sigma in (0, 6, 16, 40)
    ]
    assert values[0] > values[-1] and values[0] > 0.7


def test_models_read_what_is_described():
    models = json.loads(FILE.read_text())
    assert set(models) == {"fundus", "gradable", "usual"}
    for name in ("fundus", "gradable"):
        model = models[name]
        assert set(model["features"]) <= {*FIELD_FEATURES, *DISC_FEATURES, *SIGNALS}
        assert len({len(model[x]) for x in ("features", "mean", "scale", "weights")}) == 1
        assert 0 < model["below"] < 1 and min(model["scale"]) > 0
    assert set(models["usual"]) == {*FIELD_FEATURES, *DISC_FEATURES}


def test_the_regressions_are_what_the_file_says(tmp_path, monkeypatch):
    """One feature each, worked by hand: 1 / (1 + exp(-(0.5 + 2 (x - 1) / 4)))."""
    one = {"features": ["light"], "mean": [1.0], "scale": [4.0], "weights": [2.0], "bias": 0.5, "below": 0.3}
    usual = {name: [0.0, 1.0] for name in (*FIELD_FEATURES, *DISC_FEATURES)}
    path = tmp_path / "models.json"
    models = {"fundus": {**one, "bias": 9.0}, "gradable": {**one, "doubtful_below": 0.8}, "usual": usual}
    path.write_text(json.dumps(models))
    monkeypatch.setattr(gradability, "FILE", path)
    gradability._models.cache_clear()
    values = {name: 0.0 for name in (*FIELD_FEATURES, *DISC_FEATURES)} | {"light": 3.0}
    assert judge_features(values).gradability == pytest.approx(1 / (1 + np.exp(-1.5)), abs=1e-4)
    assert judge_features(values).reason == "" and not judge_features(values).doubtful
    assert judge_features(values | {"light": 1.0}).doubtful  # 0.62
    low = judge_features(values | {"light": -5.0})
    assert low.gradability == pytest.approx(1 / (1 + np.exp(2.5)), abs=1e-4) and low.reason == "too dark"
    assert judge_features(values | {"light": -30.0}).reason == NO_FUNDUS
    monkeypatch.undo()
    gradability._models.cache_clear()


def test_descriptions_hardly_depend_on_the_size():
    large = phantom(0, 1400)
    small = cv2.resize(large.image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    disc = cv2.resize(large.disc.astype(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_AREA) > 0
    first, second = (describe_field(x, find_field(x)) for x in (large.image, small))
    assert first == pytest.approx(second, abs=0.12)
    first, second = describe_disc(large.image, large.disc), describe_disc(small, disc)
    assert first[:4] == pytest.approx(second[:4], abs=0.25) and first[4] - second[4] == pytest.approx(
        np.log(2), abs=0.05
    )
    assert len(first) == len(DISC_FEATURES)


def test_other_weights_are_not_judged(detecting_cfg):
    found = fundus_plugins.FundusPredictor(detecting_cfg)(draw("document"))
    assert np.isnan(found.gradability) and not found.ungradable
