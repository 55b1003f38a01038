"""Weights of a stranger: no road from a config, a folder or the command line runs their code or fetches them."""

import http.server
import pickle
import threading
from pathlib import Path

import pytest
import torch

import fundus_plugins
from fundus_plugins.prediction.release import release_cfg
from fundus_plugins.weights.loading import local_weights, read_weights
from tests.conftest import grading_config


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def hostile(tmp_path):
    """(a pickle, the same under a checkpoint's suffix, a torch file, and the file that each makes when it is run)."""
    ran = tmp_path / "ran"
    pickled = pickle.dumps({"model": {"x": Touch(ran)}})
    (tmp_path / "weights.pkl").write_bytes(pickled)
    (tmp_path / "weights.pth").write_bytes(pickled)
    torch.save({"model": {"x": Touch(ran)}}, tmp_path / "zip.pth")
    assert not ran.exists()
    yield [tmp_path / name for name in ("weights.pkl", "weights.pth", "zip.pth")]
    assert not ran.exists(), "a stranger's code was run"


@pytest.fixture
def server(hostile):
    """(address of a folder with the files over http, the requests it had)."""
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            super().do_GET()

        def log_message(self, *_):
            pass

    folder = str(hostile[0].parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *x: Handler(*x, directory=folder)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", requests
        running.shutdown()


REFUSED = "pickles .* are not opened|cannot be read as weights"


@pytest.fixture
def training_cfg(small_cfg, phantoms, tmp_path):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    small_cfg.merge_from_list(
        ["DATASETS.TRAIN", ("phantom_train",), "DATASETS.TEST", (), "OUTPUT_DIR", str(tmp_path), "SOLVER.MAX_ITER", 1]
    )
    return small_cfg


@pytest.mark.parametrize("number", range(3))
def test_training_from_them(hostile, training_cfg, number):
    training_cfg.MODEL.WEIGHTS = str(hostile[number])
    with pytest.raises((ValueError, RuntimeError), match=REFUSED):
        fundus_plugins.train(training_cfg)


@pytest.mark.parametrize("number", range(3))
def test_resuming_from_them(hostile, training_cfg, number):
    (Path(training_cfg.OUTPUT_DIR) / "last_checkpoint").write_text(hostile[number].name)
    with pytest.raises((ValueError, RuntimeError), match=REFUSED):
        fundus_plugins.train(training_cfg, resume=True)


def test_resuming_from_an_absolute_or_climbing_pointer(hostile, training_cfg, tmp_path):
    training_cfg.OUTPUT_DIR = str(tmp_path / "run")
    (tmp_path / "run").mkdir()
    for pointer in (str(hostile[0]), "../weights.pkl"):
        (tmp_path / "run" / "last_checkpoint").write_text(pointer)
        with pytest.raises(ValueError, match=REFUSED):
            fundus_plugins.train(training_cfg, resume=True)


def test_a_config_that_names_an_address(server, training_cfg, tmp_path):
    address, requests = server
    for name in ("weights.pkl", "zip.pth"):
        file = tmp_path / "stranger.yaml"
        file.write_text(f"MODEL:\n  WEIGHTS: {address}/{name}\n")
        training_cfg.merge_from_file(str(file))
        with pytest.raises(ValueError, match="weights are not fetched"):
            fundus_plugins.train(training_cfg)
        with pytest.raises(ValueError, match="weights are not fetched"):
            fundus_plugins.FundusPredictor(training_cfg)
    assert requests == []


def test_a_config_that_is_based_on_an_address(server, tmp_path):
    address, requests = server
    (tmp_path / "base.yaml").write_text("SEED: 7\n")
    (tmp_path / "middle.yaml").write_text(f"_BASE_: {address}/base.yaml\n")
    (tmp_path / "stranger.yaml").write_text("_BASE_: middle.yaml\n")
    with pytest.raises(ValueError, match="middle.yaml: _BASE_ http.* is an address, and configs are not fetched"):
        fundus_plugins.get_fundus_cfg(str(tmp_path / "stranger.yaml"))
    assert requests == []


@pytest.mark.parametrize("name", ["hf-hub:evil/model", "hf_hub:evil/model", "local-dir:/tmp"])
def test_a_config_whose_backbone_is_elsewhere(small_cfg, name):
    small_cfg.MODEL.FUNDUS_TIMM.NAME = name
    for cfg in (small_cfg, grading_config("ranking_cnn", "MODEL.FUNDUS_TIMM.NAME", name)):
        with pytest.raises(ValueError, match="expected a model of timm's own, found a source"):
            fundus_plugins.FundusTrainer.build_model(cfg)


def test_proposal_files(hostile, training_cfg):
    training_cfg.MODEL.LOAD_PROPOSALS = True
    training_cfg.DATASETS.PROPOSAL_FILES_TRAIN = training_cfg.DATASETS.PROPOSAL_FILES_TEST = (str(hostile[0]),)
    with pytest.raises(ValueError, match="proposal files are pickles"):
        fundus_plugins.train(training_cfg)
    with pytest.raises(ValueError, match="proposal files are pickles"):
        fundus_plugins.FundusTrainer.build_test_loader(training_cfg, "phantom_test")


@pytest.mark.parametrize(
    "path", ["detectron2://a.pkl", "catalog://a", "HTTPS://host/a.pth", "hf_hub:a/b", "a.PKL", "s3://a.pth"]
)
def test_other_addresses_and_names(path):
    with pytest.raises((ValueError, FileNotFoundError), match="not fetched|no file"):
        local_weights(path)


@pytest.mark.parametrize("number", range(3))
def test_predicting_and_evaluating_with_them(hostile, small_cfg, number):
    small_cfg.MODEL.WEIGHTS = str(hostile[number])
    with pytest.raises((ValueError, RuntimeError), match=REFUSED):
        fundus_plugins.FundusPredictor(small_cfg)
    with pytest.raises((ValueError, RuntimeError), match=REFUSED + "|expected released weights"):
        release_cfg(str(hostile[number]))


@pytest.mark.parametrize("number", range(3))
def test_as_backbone_or_first_stage(hostile, small_cfg, number):
    small_cfg.MODEL.FUNDUS_TIMM.WEIGHTS = str(hostile[number])
    with pytest.raises((ValueError, RuntimeError), match=f"MODEL.FUNDUS_TIMM.WEIGHTS: .*({REFUSED})"):
        fundus_plugins.FundusTrainer.build_model(small_cfg)
    cfg = grading_config("2sranking_cnn", "MODEL.GRADING.STAGE1_WEIGHTS", str(hostile[number]))
    with pytest.raises((ValueError, RuntimeError), match=f"STAGE1_WEIGHTS: .*({REFUSED})"):
        fundus_plugins.FundusTrainer.build_model(cfg)


def test_honest_weights_are_read(tmp_path):
    tensors = {"a": torch.arange(3)}
    torch.save(tensors, tmp_path / "a.pth")
    assert torch.equal(read_weights(str(tmp_path / "a.pth"))["a"], tensors["a"])
    torch.save([1], tmp_path / "list.pth")
    with pytest.raises(RuntimeError, match="expected tensors by name, found list"):
        read_weights(str(tmp_path / "list.pth"))
    (tmp_path / "empty.pth").touch()
    with pytest.raises(RuntimeError, match="empty.pth cannot be read as weights"):
        read_weights(str(tmp_path / "empty.pth"))


@pytest.mark.parametrize("name", ["a.PKL", "a.bin", "weights"])
def test_files_of_other_kinds(tmp_path, name):
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(ValueError, match="expected a .safetensors, .pth, .pt file"):
        local_weights(str(tmp_path / name))
