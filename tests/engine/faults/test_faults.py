"""Training that meets an evaluation that fails, bad numbers, a process that dies: nothing is lost unsaid."""

import json
import os
from pathlib import Path

import pytest
import torch
from detectron2.data import DatasetCatalog

import fundus_plugins
from fundus_plugins.engine.checkpoint import checkpoints
from fundus_plugins.engine.train import train
from fundus_plugins.engine.trainer import FundusTrainer
from tests.engine.faults.conftest import Stopped, changed_val


def test_where_a_cup_alone_is_drawn_nothing_is_learned(config, phantoms, tmp_path):
    """That photograph's disc is not known; without a row it would be learned as none."""

    def no_disc_of_the_first(document):
        first = document["images"][0]["id"]
        drawn = document["annotations"]
        document["annotations"] = [x for x in drawn if (x["image_id"], x["category_id"]) != (first, 1)]

    name = changed_val(phantoms, tmp_path / "val.json", no_disc_of_the_first)
    records = DatasetCatalog.get(name)
    assert [len(x["annotations"]) for x in records] == [1, 2]
    for kept in (True, False):
        loader = FundusTrainer.build_train_loader(
            config("DATASETS.TRAIN", (name,), "DATALOADER.FILTER_EMPTY_ANNOTATIONS", kept, "SOLVER.IMS_PER_BATCH", 1)
        )
        batches = iter(loader)
        seen = {x["file_name"] for _ in range(6) for x in next(batches)}
        assert seen == {records[1]["file_name"]}


@pytest.mark.slow
@pytest.mark.parametrize("when", ["failed", "killed"])
def test_an_evaluation_that_ends_early_costs_no_training(config, steps, monkeypatch, when):
    fault = ValueError("a photograph is gone") if when == "failed" else Stopped()
    test, calls = FundusTrainer.test, []

    def failing(cls, cfg, model, evaluators=None):
        calls.append(cfg)
        if len(calls) == 1:
            raise fault
        return test(cfg, model, evaluators)

    monkeypatch.setattr(FundusTrainer, "test", classmethod(failing))
    cfg = config("SOLVER.CHECKPOINT_PERIOD", 100)
    with pytest.raises(type(fault)):
        train(cfg)
    assert len(steps) == 2
    train(cfg, resume=True)
    assert len(steps) == 4 and len(calls) == 3  # the evaluation that failed is made up for
    lines = [json.loads(line) for line in Path(cfg.OUTPUT_DIR, "metrics.json").read_text().splitlines()]
    assert any("disc_cup/miou" in line for line in lines)
    names = {x.name for x in checkpoints(cfg.OUTPUT_DIR)}
    assert names == {"model_best.pth", "model_final.pth"}


def test_an_error_in_the_last_step_is_not_evaluated(config, steps, monkeypatch):
    """With several processes the one that failed would wait for the others there."""
    calls = []
    monkeypatch.setattr(FundusTrainer, "test", classmethod(lambda *_: calls.append(1)))
    steps.stop_at = 1
    cfg = config("SOLVER.MAX_ITER", 2, "TEST.EVAL_PERIOD", 10)
    with pytest.raises(Stopped):
        train(cfg)
    assert len(steps) == 1 and not calls


@pytest.mark.parametrize("precision", [[], ["SOLVER.AMP.ENABLED", True, "SOLVER.AMP.PRECISION", "bfloat16"]])
def test_a_loss_that_is_no_number_stops_and_names_the_photographs(config, monkeypatch, precision):
    cfg = config(*precision, "DATASETS.TEST", ())
    forward = fundus_plugins.modeling.roi_heads.RFNetROIHeads.forward
    calls = []

    def broken(self, *args, **kwargs):
        proposals, losses = forward(self, *args, **kwargs)
        calls.append(1)
        return proposals, {name: x * float("nan") if len(calls) == 3 else x for name, x in losses.items()}

    monkeypatch.setattr(fundus_plugins.modeling.roi_heads.RFNetROIHeads, "forward", broken)
    with pytest.raises(FloatingPointError, match=r"not finite at iteration 2 .*photographs were .*\.jpg, .*\.jpg; the"):
        train(cfg)
    assert [x.name for x in checkpoints(cfg.OUTPUT_DIR)] == ["model_0000000.pth", "model_0000001.pth"]
    assert all(x.isfinite().all() for x in torch.load(checkpoints(cfg.OUTPUT_DIR)[1])["model"].values())


def test_a_loaders_process_that_dies_is_one_line(config, monkeypatch):
    from fundus_plugins.data.mapper import DiscCupMapper

    monkeypatch.setattr(DiscCupMapper, "__call__", lambda self, record: os._exit(3))
    with pytest.raises(RuntimeError, match="a process that reads photographs ended at iteration 0") as raised:
        train(config("DATALOADER.NUM_WORKERS", 1, "DATASETS.TEST", ()))
    assert "\n" not in str(raised.value)
