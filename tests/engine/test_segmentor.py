"""A network of whole pictures goes all the way: trained, evaluated, predicted with, released."""

import json

import numpy as np
import pytest
import torch
from detectron2.modeling import build_model

import fundus_plugins
from fundus_plugins.prediction.release import release_cfg, write_release
from fundus_plugins.prediction.torch_engine import CroppedDetections, Detections
from fundus_plugins.weights.loading import load_trained_weights
from tests.modeling.segmentation.networks import network_config

pytest.importorskip("segmentation_models_pytorch")
RUN = ["SOLVER.MAX_ITER", 2, "SOLVER.STEPS", (), "TEST.EVAL_PERIOD", 2, "DATASETS.CHECK", False, "SEED", 0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, options",
    [
        ("etnet_drishti", ["SOLVER.AMP.ENABLED", True, "SOLVER.AMP.PRECISION", "bfloat16"]),
        ("mnet_polar_drishti", ["INPUT.DISC_CROP.SIDE", 64, "INPUT.MIN_SIZE_TRAIN", (0,)]),
    ],
)
def test_trains_and_evaluates(name, options, phantoms, tmp_path):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    sets = ["DATASETS.TRAIN", ("phantom_train",), "DATASETS.TEST", ("phantom_val",), "OUTPUT_DIR", str(tmp_path)]
    fundus_plugins.train(network_config(name, *RUN, *sets, *options))
    document = json.loads((tmp_path / "evaluation" / "phantom_val_metrics.json").read_text())
    assert document["images"] == 2 and 0 <= document["metrics"]["dice_od"] <= 1
    assert (tmp_path / "model_final.pth").is_file()


@pytest.fixture
def trained(tmp_path):
    """A config with weights at random, whose batch norms have seen something."""

    def make(name, *options):
        torch.manual_seed(0)
        cfg = network_config(name, "TEST.PRECISION", "float32", *options)
        model = build_model(cfg)
        for layer in model.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(layer.running_mean, -0.2, 0.2)
                torch.nn.init.uniform_(layer.running_var, 0.5, 2)
        torch.save({"model": model.state_dict()}, tmp_path / "model.pth")
        cfg.MODEL.WEIGHTS = str(tmp_path / "model.pth")
        return cfg

    return make


@pytest.mark.parametrize("name", ["unet_drishti", "mnet_drishti", "etnet_drishti"])
def test_predicts_several_as_one_by_one(name, trained, photograph):
    predictor = fundus_plugins.FundusPredictor(trained(name))
    assert type(predictor.finder) is Detections
    one = predictor(photograph)
    several = predictor.predict_batch([photograph, photograph[:150, :200], photograph])
    assert [x.disc.shape for x in several] == [photograph.shape[:2], (150, 200), photograph.shape[:2]]
    for x in (several[0], several[2]):
        assert (x.disc != one.disc).mean() < 1e-3 and (x.cup != one.cup).mean() < 1e-3
    assert not (one.cup & ~one.disc).any()


@pytest.mark.parametrize("name", ["unet_drishti", "etnet_drishti", "unet_smp_drishti"])
def test_folded_batch_norms_give_the_same(name, trained):
    cfg = trained(name)
    plain = build_model(cfg).eval()
    load_trained_weights(plain, cfg.MODEL.WEIGHTS)
    model = fundus_plugins.FundusPredictor(cfg).finder.model
    x = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model.probabilities(x), plain.probabilities(x), rtol=1e-3, atol=1e-4)
    norms = [sum(isinstance(y, torch.nn.BatchNorm2d) for y in z.modules()) for z in (model, plain)]
    assert norms[0] == 0 < norms[1]


@pytest.mark.parametrize("name", ["unet_drishti", "etnet_drishti", "mnet_drishti", "deeplabv3plus_drishti"])
def test_half_precision_gives_almost_the_same(name, trained):
    exact = fundus_plugins.FundusPredictor(trained(name)).finder.model
    half = fundus_plugins.FundusPredictor(trained(name, "TEST.PRECISION", "bfloat16")).finder.model
    types = {x.dtype for x in half.parameters()}
    assert types == ({torch.float32, torch.bfloat16} if name == "etnet_drishti" else {torch.bfloat16})
    x = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = half.probabilities(x)
        assert found.dtype == torch.float32
        assert (found - exact.probabilities(x)).abs().mean() < 0.02


def test_the_packaged_detector_finds_the_disc_first(trained, photograph):
    predictor = fundus_plugins.FundusPredictor(trained("mnet_polar_drishti", "INPUT.DISC_CROP.SIDE", 64))
    assert type(predictor.finder) is CroppedDetections
    several = predictor.predict_batch([photograph, np.ascontiguousarray(photograph[:, ::-1])])
    assert [x.disc.shape for x in several] == [photograph.shape[:2]] * 2


@pytest.mark.parametrize("options", [["TEST.FLIPS", "horizontal"], ["TEST.CROP", 0.25]])
def test_several_views_are_rf_nets(trained, options):
    with pytest.raises(ValueError, match="DiscCupSegmentor has one view"):
        fundus_plugins.FundusPredictor(trained("unet_drishti", *options))


def test_is_released_as_rf_net_is(trained, photograph, tmp_path):
    cfg = trained("etnet_drishti", "INPUT.DISC_CROP.DISCS", "mine/discs.json")
    write_release(cfg, str(tmp_path / "etnet.safetensors"), {})
    released = release_cfg(str(tmp_path / "etnet.safetensors"), ["TEST.PRECISION", "float32"])
    assert released.INPUT.DISC_CROP.DISCS == ""
    again, before = (fundus_plugins.FundusPredictor(x)(photograph) for x in (released, cfg))
    assert (again.disc != before.disc).mean() < 0.02  # its weights are in half precision
