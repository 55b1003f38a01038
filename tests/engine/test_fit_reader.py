"""A new reader's style: fitted, everything else to the bit as it was; refused where there are no styles."""

import os
import subprocess
import sys

import pytest
import torch

from fundus_plugins.config import without_weights
from fundus_plugins.data.registration import register_fundus_datasets
from fundus_plugins.engine.fit_reader import fit_reader
from fundus_plugins.prediction.release import release_cfg, write_release
from tests.conftest import ROOT

STYLES = "roi_heads.mask_head.styles.weight"


@pytest.fixture
def with_readers(small_cfg, tmp_path):
    """A config whose checkpoint has two readers, whose styles differ from nobody's."""
    from detectron2.modeling import build_model

    small_cfg.MODEL.RFNET.READERS = ["a=a_train", "b=b_train"]
    torch.manual_seed(0)
    model = build_model(without_weights(small_cfg))
    torch.nn.init.normal_(model.roi_heads.mask_head.styles.weight[1:].data, std=0.2)
    small_cfg.MODEL.WEIGHTS = str(tmp_path / "model.pth")
    torch.save({"model": model.state_dict()}, small_cfg.MODEL.WEIGHTS)
    return small_cfg


def test_the_style_alone_is_learned(with_readers, phantoms):
    register_fundus_datasets(str(phantoms))
    before = torch.load(with_readers.MODEL.WEIGHTS, weights_only=True)["model"]
    losses = []
    cfg, model = fit_reader(with_readers, "mine", "phantom_train", 3, lambda _, loss: losses.append(loss))
    after = model.state_dict()
    assert cfg.MODEL.RFNET.READERS == ["a=a_train", "b=b_train", "mine=phantom_train"] and len(losses) == 3
    assert [name for name in before if name != STYLES and not torch.equal(after[name], before[name])] == []
    assert torch.equal(after[STYLES][:3], before[STYLES]) and not after[STYLES][0].any()
    assert (after[STYLES][3] != before[STYLES][1:].mean(0)).any() and not model.training


def test_a_name_that_is_taken_and_a_model_without_styles(with_readers, detecting_cfg, phantoms):
    register_fundus_datasets(str(phantoms))
    with pytest.raises(ValueError, match="found 'a=phantom_train'"):
        fit_reader(with_readers, "a", "phantom_train", 1)
    plain = detecting_cfg.clone()
    plain.MODEL.RFNET.READERS = []
    with pytest.raises(ValueError, match="a model without readers' styles"):
        fit_reader(plain, "mine", "phantom_train", 1)


@pytest.mark.slow
def test_as_a_process(with_readers, phantoms, tmp_path):
    write_release(with_readers, str(tmp_path / "two.safetensors"), {})
    command = [sys.executable, "-m", "fundus_plugins", "fit-reader", "--weights", str(tmp_path / "two.safetensors")]
    command += ["--dataset", "phantom_train", "--name", "mine", "--iterations", "2"]
    command += ["--output", str(tmp_path / "three.safetensors"), "DATALOADER.NUM_WORKERS", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DETECTRON2_DATASETS": str(phantoms)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    cfg = release_cfg(str(tmp_path / "three.safetensors"))
    assert cfg.TEST.READERS == ["mine"] and len(cfg.MODEL.RFNET.READERS) == 3
