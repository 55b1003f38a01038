"""The packaged grader: its files agree, its rules are those of the ranking-CNN, its map lies where it says."""

import json

import numpy as np
import pytest
import torch
from detectron2.modeling import build_model
from hypothesis import given
from hypothesis import strategies as st

import fundus_plugins
from fundus_plugins.config import without_weights
from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters
from fundus_plugins.files import file_hash
from fundus_plugins.modeling import ranking_cnn
from fundus_plugins.photographs.squares import keep_square
from fundus_plugins.prediction.grading import FILE, NETWORK, Grade, Grader, draw_cam, mean_map, number_of_successes
from fundus_plugins.prediction.predictor import PACKAGED
from fundus_plugins.prediction.result import CONTRADICTION, MEASURED, MISSED, UNGRADABLE
from fundus_plugins.weights.loading import load_trained_weights
from tests.conftest import disk

onnx = pytest.importorskip("onnx")
WEIGHTS = "fundus://grader.safetensors"


@pytest.fixture(scope="module")
def grader():
    return Grader(threads=1)


def phantom(grade: str, seed: int = 5):
    rng = np.random.default_rng(seed)
    return draw_phantom(sample_parameters(rng, grade, "disc"), 512, rng)


def test_the_packaged_files_hold_the_same_weights(grader):
    metadata = {x.key: x.value for x in onnx.load(NETWORK).metadata_props}
    assert json.loads(metadata["facts"])["weights"] == file_hash(NETWORK.with_suffix(".safetensors"))
    cfg = fundus_plugins.release_cfg(WEIGHTS)
    assert cfg.MODEL.GRADING.GRADES == json.loads(FILE.read_text())["grades"]
    model = build_model(without_weights(cfg)).eval()
    load_trained_weights(model, WEIGHTS)
    drawn = phantom("suspicious")
    logits, maps, square = grader.look(drawn.image, drawn.disc)
    picture, where = grader.square(drawn.image, drawn.disc)
    assert picture.shape == (384, 384, 3) and where == square
    image = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None]
    with torch.no_grad():
        for number, network in enumerate(model.networks):
            expected, expected_maps = network.logits_and_maps(image)
            np.testing.assert_allclose(logits[number], expected[0], atol=2e-3)
            np.testing.assert_allclose(maps[number], expected_maps[0], atol=2e-2)


@pytest.mark.parametrize("size", [512, 1400])  # the square is larger than what is kept of it in the second
def test_the_same_square_as_in_training(grader, tmp_path, size):
    """What GradingMapper gives the network, of what docs/scripts/graded_squares.py keeps, is what `Grader` does."""
    from fundus_plugins.boxes import box_of
    from fundus_plugins.data.grading_mapper import GradingMapper

    rng = np.random.default_rng(5)
    drawn = draw_phantom(sample_parameters(rng, "normal", "disc"), size, rng)
    kept = keep_square(drawn.image, box_of(drawn.disc))
    assert (kept.scale < 1) == (size == 1400) and len(kept.pixels) <= 320
    (tmp_path / "eye.jpg").write_bytes(kept.jpeg)
    mapper = GradingMapper(
        False,
        categories=["normal"],
        grades=["normal"],
        augmentations=[],
        side=384,
        image_format="RGB",
        crop_diameters=2.5,
    )
    mapped = mapper({"file_name": str(tmp_path / "eye.jpg"), "disc_box": kept.box})["image"]
    ours, (left, top, right, bottom) = grader.square(drawn.image, drawn.disc)
    np.testing.assert_array_equal(mapped.numpy(), ours.transpose(2, 0, 1))
    x0, y0, x1, y1 = box_of(drawn.disc)
    assert right - left == bottom - top == pytest.approx(2.5 * max(x1 - x0, y1 - y0), abs=1 / kept.scale)
    assert [(left + right) / 2, (top + bottom) / 2] == pytest.approx([(x0 + x1) / 2, (y0 + y1) / 2], abs=1 / kept.scale)


def test_a_larger_cup_is_never_graded_lower(grader):
    drawn = phantom("normal")
    disc = disk(512, 512, 256, 256, 60)
    graded = [grader(drawn.image, disc, disk(512, 512, 256, 256, radius)) for radius in range(6, 58, 4)]
    for name in ("normal", "suspicious"):
        values = [x.above[name] for x in graded]
        assert (np.diff(values) > 0).all(), (name, values)


def test_the_networks_odds_count_for_glaucoma(grader, monkeypatch):
    """With no measures, and each threshold's own odds alone, the probabilities are the network's own."""
    one = {"mean": np.zeros(2), "scale": np.ones(2), "bias": 0.0}
    thresholds = [one | {"weights": np.eye(2)[k]} for k in range(2)]
    grades = ["normal", "suspicious", "glaucoma"]
    fake = {"grades": grades, "measures": [], "thresholds": thresholds, "screening": {"85": 0.5, "95": 0.9}}
    monkeypatch.setattr("fundus_plugins.prediction.grading._model", lambda: fake)
    drawn = phantom("glaucoma")
    logits, _, _ = grader.look(drawn.image, drawn.disc)
    expected = torch.from_numpy(logits).softmax(1)[:, 1].numpy()
    found = grader(drawn.image, drawn.disc, drawn.cup)
    np.testing.assert_allclose(list(found.above.values()), np.clip(expected, 0.00248, 0.99752), atol=1e-4)
    assert found.screening == {"85": bool(expected[0] > 0.5), "95": bool(expected[0] > 0.9)}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_probabilities_are_those_of_the_ranking_cnn(above):
    ours = number_of_successes(above)
    theirs = ranking_cnn.number_of_successes(torch.tensor([above], dtype=torch.float64))[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    assert ours.sum() == pytest.approx(1) and (ours >= 0).all()


def test_maps_that_stand_for_a_grade():
    maps = np.zeros((2, 2, 1, 3), np.float32)
    maps[0, 0], maps[0, 1], maps[1, 0], maps[1, 1] = [0, 1, 2], [4, 0, 0], [0, 3, 0], [5, 5, 7]
    np.testing.assert_allclose(mean_map(maps, 0), [[0, 0.5, 1]])
    np.testing.assert_allclose(mean_map(maps, 1), [[0.5, 0.5, 0]])
    np.testing.assert_allclose(mean_map(maps, 2), [[0, 0, 1]])


def test_the_map_is_drawn_where_it_was_seen():
    cam = np.zeros((4, 4), np.float32)
    cam[1, 2] = 1  # of a square of 40 pixels at (10, 20): pixels 30 to 39, 30 to 39
    grade = Grade("normal", {}, {}, False, {}, cam, (10, 20, 50, 60))
    photograph = np.full((80, 80, 3), 100, np.uint8)
    drawn = draw_cam(photograph[5:75, 5:75], grade, (5, 5, 75, 75))
    changed = np.abs(drawn.astype(int) - 100).sum(2) > 60
    rows, columns = (np.flatnonzero(changed.any(axis)) + 5 for axis in (1, 0))
    assert abs(rows.mean() - 34.5) < 1 and abs(columns.mean() - 34.5) < 1
    half = draw_cam(photograph[:35, :35], grade, (5, 5, 75, 75))  # the same part, at half its size
    rows, columns = (2 * np.flatnonzero((half != 100).any(2).any(axis)) + 5.5 for axis in (1, 0))
    assert abs(rows.mean() - 34.5) < 1 and abs(columns.mean() - 34.5) < 1
    assert (draw_cam(photograph[60:, 60:], grade, (60, 60, 80, 80)) == 100).all()


def test_a_predictor_grades_what_was_measured_and_nothing_else():
    predictor = fundus_plugins.FundusPredictor(threads=1)
    found = predictor(phantom("glaucoma").image)
    assert found.status == MEASURED and found.grade is not None
    plain = found.to_dict()["grade"]
    assert sum(plain["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert plain["name"] in plain["probabilities"] and set(plain["screening"]) == {"85", "95"}
    nothing = predictor(np.zeros((300, 300, 3), np.uint8))
    assert nothing.status in (MISSED, UNGRADABLE) and nothing.grade is None and nothing.flags
    assert nothing.to_dict()["grade"] is None
    assert fundus_plugins.FundusPredictor(threads=1, grade=False)(phantom("glaucoma").image).grade is None
    assert fundus_plugins.FundusPredictor(str(PACKAGED), threads=1).grader is not None


def test_a_contradiction_is_flagged(monkeypatch):
    predictor = fundus_plugins.FundusPredictor(threads=1)
    drawn = phantom("normal")
    for odds in ((-50.0, 50.0), (50.0, 50.0)):
        fake = {
            "grades": ["normal", "suspicious", "glaucoma"],
            "measures": [],
            "thresholds": [{"mean": np.zeros(2), "scale": np.ones(2), "weights": np.zeros(2), "bias": x} for x in odds],
            "screening": {"85": 0.5, "95": 0.5},
        }
        monkeypatch.setattr("fundus_plugins.prediction.grading._model", lambda found=fake: found)
        found = predictor(drawn.image)
        contradicts = odds[0] < 0
        assert found.grade.contradiction == contradicts == (CONTRADICTION in found.flags)
        assert found.grade.name == ("suspicious" if contradicts else "glaucoma")


@pytest.mark.slow
def test_a_grader_of_ones_own_is_released_and_exported(tmp_path, capsys):
    import onnxruntime

    from fundus_plugins.cli.main import main
    from tests.conftest import grading_config

    torch.manual_seed(0)
    keys = ["MODEL.GRADING.MASK", "crop", "MODEL.GRADING.DISC_DIAMETERS", 3.0, "MODEL.GRADING.FC_DIM", 0]
    cfg = grading_config("ranking_cnn", *keys)
    model = build_model(cfg).eval()
    torch.save({"model": model.state_dict()}, tmp_path / "model_best.pth")
    (tmp_path / "config.yaml").write_text(cfg.dump())
    released, exported = tmp_path / "mine.safetensors", tmp_path / "mine.onnx"
    words = ["--run", tmp_path, "--checkpoint", "model_best.pth", "--output", released, "--command", "by hand"]
    assert main(["release", *map(str, words)]) == 0
    assert main(["export", "--weights", str(released), "--output", str(exported)]) == 0
    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert (metadata["side"], metadata["diameters"]) == ("64", "3.0")
    picture = torch.randint(0, 255, (1, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    logits, maps = session.run(["logits", "maps"], {"image": picture.numpy()})
    load_trained_weights(model, str(released))  # in half precision, as exported
    with torch.no_grad():
        for number, network in enumerate(model.networks):
            expected, expected_maps = network.logits_and_maps(picture)
            np.testing.assert_allclose(logits[:, number], expected, atol=1e-3)
            np.testing.assert_allclose(maps[:, number], expected_maps, atol=1e-2)
    capsys.readouterr()
    assert main(["export", "--weights", str(released), "--output", str(exported), "--side", "64"]) == 2
    assert "--flips and --side are of RF-Net" in capsys.readouterr().err
    with_fc = ["MODEL.GRADING.FC_DIM", "16"]
    assert main(["export", "--config-file", str(tmp_path / "config.yaml"), "--output", str(exported), *with_fc]) == 2
    assert "a grader that can be exported is a RankingCNN" in capsys.readouterr().err
