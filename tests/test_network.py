"""No road from a config, a folder or a file to the network, unless the command line asks for it."""

import json
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import fundus_plugins
from fundus_plugins.config import without_weights
from fundus_plugins.engine.train import train
from fundus_plugins.experiments.table import read_table
from fundus_plugins.prediction.release import PACKAGED, release_cfg, write_release
from fundus_plugins.weights.loading import local_weights
from tests.conftest import grading_config

ADDRESS = "https://example.org/weights.pth"
REFUSED = "not fetched|nothing is fetched|no file|expected released weights|no config|cannot be read"


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Every try to reach another machine, even to learn where it is, is kept and refused."""
    tried = []

    def refuse(*given, **_):
        tried.append(given)
        raise OSError("no network in this test")

    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield
    assert tried == []


@pytest.fixture
def cfg(small_cfg, phantoms, tmp_path):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    options = ["DATASETS.TRAIN", ("phantom_train",), "DATASETS.TEST", (), "OUTPUT_DIR", str(tmp_path / "run")]
    small_cfg.merge_from_list([*options, "SOLVER.MAX_ITER", 1, "DATASETS.CHECK", False])
    return small_cfg


def training_with(key, value):
    def road(cfg, folder):
        cfg.merge_from_list([key, value])
        train(cfg)

    return road


def resuming(cfg, folder):
    (folder / "run").mkdir()
    (folder / "run" / "last_checkpoint").write_text(ADDRESS)
    train(cfg, resume=True)


def first_stage(cfg, folder):
    cfg = grading_config("2sranking_cnn", "MODEL.GRADING.STAGE1_WEIGHTS", ADDRESS)
    fundus_plugins.FundusTrainer.build_model(cfg)


def predicting_with(key, value):
    def road(cfg, folder):
        cfg.merge_from_list([key, value])
        fundus_plugins.FundusPredictor(cfg)

    return road


def a_release_that_names(**changes):
    """A file as `fundus release` writes it, whose config a stranger changed."""

    def road(cfg, folder):
        cfg = without_weights(release_cfg(PACKAGED))
        cfg.MODEL.DEVICE = "cpu"
        for key, value in changes.items():
            cfg.merge_from_list([f"MODEL.FUNDUS_TIMM.{key}", value])
        path = folder / "stranger.safetensors"
        save_file(load_file(local_weights(PACKAGED)), path, {"config": cfg.dump(), "facts": json.dumps({})})
        fundus_plugins.FundusPredictor(release_cfg(str(path)))

    return road


def packing_a_release(cfg, folder):
    cfg.MODEL.WEIGHTS = ADDRESS
    write_release(cfg, str(folder / "release.safetensors"), {})


def a_config_file(cfg, folder):
    fundus_plugins.get_fundus_cfg("https://example.org/a.yaml")


def a_base(cfg, folder):
    (folder / "a.yaml").write_text("_BASE_: https://example.org/a.yaml\n")
    fundus_plugins.get_fundus_cfg(str(folder / "a.yaml"))


def a_table(cfg, folder):
    (folder / "t.yaml").write_text("title: t\nreference: a\nrows:\n- {name: a, config: 'https://example.org/a.yaml'}\n")
    read_table(folder / "t.yaml")


ROADS = {
    "MODEL.WEIGHTS in training": training_with("MODEL.WEIGHTS", ADDRESS),
    "MODEL.WEIGHTS of a zoo": training_with("MODEL.WEIGHTS", "detectron2://ImageNetPretrained/MSRA/R-50.pkl"),
    "MODEL.FUNDUS_TIMM.WEIGHTS": training_with("MODEL.FUNDUS_TIMM.WEIGHTS", ADDRESS),
    "MODEL.FUNDUS_TIMM.NAME": training_with("MODEL.FUNDUS_TIMM.NAME", "hf_hub:stranger/model"),
    "last_checkpoint": resuming,
    "MODEL.GRADING.STAGE1_WEIGHTS": first_stage,
    "MODEL.WEIGHTS in prediction": predicting_with("MODEL.WEIGHTS", ADDRESS),
    "a release whose backbone is elsewhere": a_release_that_names(NAME="hf_hub:stranger/model"),
    "release_cfg": lambda cfg, folder: release_cfg(ADDRESS),
    "a release of weights elsewhere": packing_a_release,
    "--config-file": a_config_file,
    "_BASE_": a_base,
    "a table's config": a_table,
}


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
def test_what_is_elsewhere_is_refused(road, cfg, tmp_path):
    with pytest.raises((ValueError, RuntimeError, FileNotFoundError), match=REFUSED):
        road(cfg, tmp_path)


@pytest.mark.parametrize("changes", [{"PRETRAINED": True}, {"WEIGHTS": ADDRESS}], ids=["pretrained", "weights"])
def test_a_release_fetches_nothing_for_its_backbone(changes, cfg, tmp_path):
    a_release_that_names(**changes)(cfg, tmp_path)


def test_photographs_of_json_are_not_fetched(cfg, tmp_path):
    document = {
        "images": [{"id": 1, "file_name": "https://example.org/eye.png", "height": 9, "width": 9}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 5, 1, 5, 5]]}],
        "categories": [{"id": 1, "name": "disc"}],
    }
    path = tmp_path / "own.json"
    path.write_text(json.dumps(document))
    fundus_plugins.data.registration.require_dataset(str(path))
    cfg.DATASETS.TRAIN = (str(path),)
    with pytest.raises(FileNotFoundError, match="there is no photograph .*https:/"):
        train(cfg)


def flip(path: Path, number: int = 64):
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 2, len(data) // 2 + number):
        data[place] ^= 0xFF
    path.write_bytes(data)


def test_flipped_bytes_of_a_release_or_a_checkpoint_are_noticed(detecting_cfg, tmp_path):
    release = tmp_path / "release.safetensors"
    write_release(detecting_cfg, str(release), {})
    fundus_plugins.FundusPredictor(release_cfg(str(release)))
    flip(release)
    with pytest.raises(RuntimeError, match="release.safetensors cannot be read as weights: .*it is damaged"):
        fundus_plugins.FundusPredictor(release_cfg(str(release)))
    assert torch.load(detecting_cfg.MODEL.WEIGHTS, weights_only=True)
    flip(Path(detecting_cfg.MODEL.WEIGHTS))
    assert torch.load(detecting_cfg.MODEL.WEIGHTS, weights_only=True)  # PyTorch does not notice
    with pytest.raises(RuntimeError, match="model.pth cannot be read as weights: .*checksum.* is wrong"):
        fundus_plugins.FundusPredictor(detecting_cfg)


def test_flipped_bytes_of_the_packaged_files_are_noticed(tmp_path):
    from fundus_plugins.files import refuse_changed

    weights = Path(fundus_plugins.__file__).parent / "weights"
    named = {line.split()[1] for line in (weights / "SHA256SUMS").read_text().splitlines()}
    there = {x.name for x in weights.iterdir() if x.suffix in (".safetensors", ".onnx", ".json")}
    assert named == there
    for name in there:
        refuse_changed(weights / name)
    for name in ("SHA256SUMS", "rfnet_any_camera.onnx", "rfnet_any_camera.safetensors"):
        (tmp_path / name).write_bytes((weights / name).read_bytes())
    flip(tmp_path / "rfnet_any_camera.onnx", 1)
    flip(tmp_path / "rfnet_any_camera.safetensors", 1)
    with pytest.raises(RuntimeError, match="rfnet_any_camera.onnx .*damaged, or another"):
        fundus_plugins.FundusPredictor(str(tmp_path / "rfnet_any_camera.onnx"))
    with pytest.raises(RuntimeError, match="rfnet_any_camera.safetensors .*damaged, or another"):
        fundus_plugins.FundusPredictor(release_cfg(str(tmp_path / "rfnet_any_camera.safetensors")))
