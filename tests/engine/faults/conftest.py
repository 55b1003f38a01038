"""A training on phantoms that a test can stop, and what it drew."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

import fundus_plugins
from fundus_plugins.engine.train import train
from fundus_plugins.engine.trainer import FundusTrainer
from tests.conftest import ROOT, SMALL

CONFIG = str(ROOT / "configs" / "Base-RFNet.yaml")


class Stopped(Exception):
    """What a test stops a training with, where a kill would."""


@pytest.fixture
def config(phantoms, tmp_path, monkeypatch):
    """Of four iterations on the phantoms, with a checkpoint after each and an evaluation after two."""
    fundus_plugins.register_fundus_datasets(str(phantoms))
    monkeypatch.setenv("FUNDUS_PHOTOGRAPHS", str(phantoms))

    def make(*options, folder="run"):
        return fundus_plugins.get_fundus_cfg(
            CONFIG,
            [
                *SMALL, "DATASETS.TRAIN", ("phantom_train",), "DATASETS.TEST", ("phantom_val",), "SEED", 1,
                "SOLVER.WARMUP_ITERS", 1, "SOLVER.MAX_ITER", 4, "SOLVER.CHECKPOINT_PERIOD", 1, "TEST.EVAL_PERIOD", 2,
                "DATASETS.CHECK", False, "OUTPUT_DIR", str(tmp_path / folder), *options,
            ],
        )  # fmt: skip

    return make


@pytest.fixture
def trained(config, tmp_path_factory):
    """Of a finished run, a copy of whose folder is in OUTPUT_DIR."""
    cfg = config()
    kept = tmp_path_factory.getbasetemp() / "trained_for_faults"
    if not kept.exists():
        train(cfg)
        shutil.copytree(cfg.OUTPUT_DIR, kept)
    else:
        shutil.copytree(kept, cfg.OUTPUT_DIR)
    Path(cfg.OUTPUT_DIR, "last_checkpoint").write_text("model_final.pth")
    return cfg


@pytest.fixture
def steps(monkeypatch):
    """The photographs of every step that is made, by name; `steps.stop_at` is the iteration before which one stops."""
    step = FundusTrainer.run_step

    class Steps(list):
        stop_at = None

    seen = Steps()

    def run_step(self):
        if seen.stop_at == self.iter:
            raise Stopped
        step(self)
        seen.append([os.path.basename(x) for x in self._trainer.data_loader.photographs])

    monkeypatch.setattr(FundusTrainer, "run_step", run_step)
    return seen


def weights(folder) -> dict:
    return torch.load(Path(folder, "model_final.pth"), weights_only=True)["model"]


def changed_val(phantoms, path, change):
    """The phantoms' validation set at another path, its document changed in place by `change`."""
    document = json.loads((phantoms / "phantom" / "val.json").read_text())
    for image in document["images"]:
        image["file_name"] = str(phantoms / "phantom" / image["file_name"])
    change(document)
    path.write_text(json.dumps(document))
    fundus_plugins.data.registration.require_dataset(str(path))
    return str(path)
