"""Networks of whole photographs, and of squares about the disc, as ONNX files."""

import numpy as np
import pytest
import torch
from detectron2.modeling import build_model

from fundus_plugins.cli.main import main
from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters
from fundus_plugins.modeling.segmentation.instances import at_photograph_size, disc_cup_instances
from fundus_plugins.photographs.resampling import crop_about
from fundus_plugins.prediction.export import write_onnx
from fundus_plugins.prediction.looks import Found, Prepared
from fundus_plugins.prediction.maps import MapsFinder
from fundus_plugins.prediction.predictor import FundusPredictor
from fundus_plugins.prediction.settings import Settings
from fundus_plugins.prediction.torch_engine import CroppedDetections, load_model
from tests.modeling.segmentation.networks import network_config

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("segmentation_models_pytorch")

NETWORKS = ["unet_drishti", "unet_smp_drishti", "mnet_drishti", "etnet_drishti", "deeplabv3plus_drishti"]
NETWORKS += ["segformer_drishti"]
SQUARES = ["INPUT.DISC_CROP.ABOUT", "detected", "INPUT.DISC_CROP.SIDE", 64, "DATASETS.TEST", ()]


def exported(name, folder, *options):
    """A config with random weights that outline something, and the file of its network."""
    torch.manual_seed(0)
    cfg = network_config(name, "TEST.PRECISION", "float32", *options)
    model = build_model(cfg).eval()
    torch.save({"model": model.state_dict()}, folder / "model.pth")
    cfg.MODEL.WEIGHTS = str(folder / "model.pth")
    path = str(folder / "model.onnx")
    write_onnx(cfg, path)
    return cfg, path


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_gives_what_pytorch_gives(name, tmp_path, photograph):
    cfg, path = exported(name, tmp_path)
    by_torch, by_file = FundusPredictor(cfg), FundusPredictor(path)
    for image in (photograph, np.ascontiguousarray(photograph[:150, :200])):
        maps = by_file.finder.engine.maps(by_file.prepare(image).view)
        assert maps.shape[0] == 2 and maps.min() >= 0 and (maps[1] <= maps[0]).all() and np.ptp(maps) > 0
        expected, found = by_torch(image), by_file(image)
        assert (expected.disc != found.disc).mean() < 0.001 and (expected.cup != found.cup).mean() < 0.001
        assert found.disc.any() == expected.disc.any()
        if expected.disc.any():
            assert found.score == pytest.approx(expected.score, abs=1e-3)


@pytest.mark.slow
def test_a_square_about_the_disc(tmp_path):
    rng = np.random.default_rng(0)
    image = draw_phantom(sample_parameters(rng, "glaucoma"), 512, rng).image
    cfg, path = exported("mnet_polar_drishti", tmp_path, *SQUARES)
    expected, found = FundusPredictor(cfg)(image), FundusPredictor(path)(image)
    assert (expected.disc != found.disc).mean() < 0.001 and (expected.cup != found.cup).mean() < 0.001


@pytest.mark.slow
def test_the_square_is_about_the_disc_that_a_named_file_finds(tmp_path, photograph):
    """INPUT.DISC_CROP.DETECTOR, here a SegFormer."""
    for name in ("whole", "squares"):
        (tmp_path / name).mkdir()
    _, detector = exported("segformer_drishti", tmp_path / "whole")
    cfg, _ = exported("mnet_polar_drishti", tmp_path / "squares", *SQUARES)
    cfg.INPUT.DISC_CROP.DETECTOR = detector
    by_hand = CroppedDetections(load_model(cfg), cfg, FundusPredictor(detector, grade=False).finder)
    (expected,) = by_hand.find([by_hand.prepare(photograph)])
    found = FundusPredictor(cfg)(photograph)
    np.testing.assert_array_equal(found.disc, expected.disc)
    cfg.INPUT.DISC_CROP.DETECTOR = ""
    assert (FundusPredictor(cfg)(photograph).disc != found.disc).any()  # the packaged weights find another disc


class Given:
    """An engine that gives these maps, and a detector that finds this disc."""

    def __init__(self, maps, disc):
        self.given, self.disc = maps, disc

    def maps(self, view):
        assert view.shape[:2] == self.given.shape[1:]
        return self.given

    def prepare(self, photograph):
        return Prepared(photograph, photograph)

    def find(self, batch):
        nan = float("nan")
        return [Found(np.full(4, nan), nan, self.disc, self.disc, nan) for _ in batch]


@pytest.mark.parametrize("about", ["whole", "disc", "no disc"])
def test_maps_become_masks_as_in_pytorch(about):
    """Of maps at random, smooth enough to have regions."""
    rng = np.random.default_rng(1)
    coarse = torch.from_numpy(rng.random((1, 2, 5, 5), np.float32))
    cfg = network_config("unet_drishti", *(["INPUT.DISC_CROP.SIDE", 48] if about == "whole" else SQUARES))
    settings, size = Settings.of(cfg), (90, 130)
    disc = np.zeros(size, bool)
    if about == "disc":
        disc[30:60, 50:90] = True
    photograph = np.zeros((*size, 3), np.uint8)
    if about == "whole":
        finder = MapsFinder(Given(None, disc), settings)
        view, matrix = finder.prepare(photograph).view.shape[:2], None
    else:
        view, box = (64, 64), (50, 30, 90, 60) if about == "disc" else None
        matrix = torch.from_numpy(crop_about(box, size, settings.disc_diameters, 64))
        finder = MapsFinder(Given(None, disc), settings, Given(None, disc))
    maps = torch.nn.functional.interpolate(coarse, view, mode="bicubic")[0].clamp(0, 1)
    maps[1] = torch.minimum(*maps)
    finder.engine.given = maps.numpy()
    expected = disc_cup_instances(at_photograph_size(maps, size, matrix))
    (found,) = finder.find([finder.prepare(photograph)])
    np.testing.assert_array_equal(found.disc, expected.pred_masks[0].numpy())
    np.testing.assert_array_equal(found.cup, expected.pred_masks[1].numpy())
    assert found.disc.any() and found.cup.any()
    np.testing.assert_array_equal(found.box, expected.pred_boxes.tensor[0].numpy())
    assert found.score == pytest.approx(float(expected.scores[0]), abs=1e-5)


def test_nothing_in_the_maps_is_nothing_found():
    settings = Settings.of(network_config("unet_drishti"))
    finder = MapsFinder(Given(np.zeros((2, 128, 128), np.float32), None), settings)
    (found,) = finder.find([Prepared(np.zeros((256, 256, 3), np.uint8), np.zeros((128, 128, 3), np.uint8))])
    assert not found.disc.any() and np.isnan(found.score) and np.isnan(found.box).all()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["MODEL.FPN.SQUARE_PAD", 0], "MODEL.FPN.SQUARE_PAD 0: expected the square"),
        (["TEST.FLIPS", "both"], "DiscCupSegmentor has one view"),
        (["TEST.CROP", 0.3], "DiscCupSegmentor has one view"),
    ],
)
def test_what_cannot_be_exported(options, told, tmp_path):
    cfg = network_config("unet_drishti", *options)
    with pytest.raises(ValueError, match=told):
        write_onnx(cfg, str(tmp_path / "a.onnx"))
    assert not list(tmp_path.iterdir())


def test_settings_of_before_are_read():
    settings = Settings.of(network_config("unet_drishti"))
    old = {key: value for key, value in settings.as_dict().items() if key not in ("maps", "disc_diameters")}
    assert not Settings.read(old).maps and settings.maps
    with pytest.raises(ValueError, match="missing or unknown: crop_side"):
        Settings.read({key: value for key, value in old.items() if key != "crop_side"})


@pytest.mark.slow
def test_the_command_and_its_file_predict(tmp_path, photograph):
    import cv2

    cfg, _ = exported("etnet_drishti", tmp_path)
    (tmp_path / "c.yaml").write_text(cfg.dump())
    given = ["--config-file", str(tmp_path / "c.yaml"), "--output", str(tmp_path / "b.onnx")]
    assert main(["export", *given]) == 0
    cv2.imwrite(str(tmp_path / "eye.png"), photograph)
    words = [str(tmp_path / "eye.png"), "--weights", str(tmp_path / "b.onnx"), "--output", str(tmp_path / "out")]
    assert main(["predict", *words]) == 0
    assert (tmp_path / "out" / "predictions.csv").read_text().count("\n") == 2
