"""A training that is resumed draws the photographs and the chance that it would have drawn."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog

import fundus_plugins
from fundus_plugins.engine.train import train
from fundus_plugins.engine.trainer import FundusTrainer
from tests.conftest import grading_config
from tests.engine.faults.conftest import Stopped, weights

ORDERS = {
    "plain": [],
    "grouped": ["DATALOADER.ASPECT_RATIO_GROUPING", True],
    "workers": ["DATALOADER.NUM_WORKERS", 2],
    "shares": ["DATASETS.TRAIN", ("phantom_train", "phantom_test"),
               "DATASETS.SHARES", ["phantom_train=1", "phantom_test=3"]],
    "repeats": ["DATALOADER.SAMPLER_TRAIN", "RepeatFactorTrainingSampler", "DATALOADER.REPEAT_THRESHOLD", 0.9],
}  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
def test_a_resumed_run_draws_what_it_would_have_drawn(config, steps, order):
    whole, killed = (config(*ORDERS[order], "DATASETS.TEST", (), folder=x) for x in ("whole", "killed"))
    train(whole)
    expected = list(steps)
    assert len({x for batch in expected for x in batch}) > 2
    steps.clear()
    steps.stop_at = 2
    with pytest.raises(Stopped):
        train(killed)
    steps.stop_at = None
    train(killed, resume=True)
    assert steps == expected
    if order != "workers":
        whole, killed = weights(whole.OUTPUT_DIR), weights(killed.OUTPUT_DIR)
        assert all(torch.equal(whole[key], killed[key]) for key in whole)


def test_processes_that_load_go_on_with_other_numbers(config, monkeypatch):
    """A network that draws nothing leaves the numbers from which theirs are made as they were at the beginning."""
    from fundus_plugins.data.mapper import DiscCupMapper

    monkeypatch.setattr(DiscCupMapper, "__call__", lambda self, record: record | {"drawn": torch.rand(1).item()})

    def drawn(start):
        torch.manual_seed(1)
        batches = FundusTrainer.build_train_loader(config("DATALOADER.NUM_WORKERS", 1))
        batches.sampler.start = start
        before = torch.get_rng_state()
        batch = next(iter(batches))
        assert torch.equal(torch.get_rng_state(), before)
        return [x["drawn"] for x in batch]

    assert drawn(0) == drawn(0) and drawn(4) == drawn(4)
    assert not set(drawn(0)) & set(drawn(4))


def test_a_run_without_a_seed_goes_on_with_its_own(config, steps):
    cfg = config("SEED", -1, "DATASETS.TEST", ())
    steps.stop_at = 2
    with pytest.raises(Stopped):
        train(cfg)
    state = torch.load(Path(cfg.OUTPUT_DIR, "model_0000001.pth"), weights_only=True)["trainer"]["hooks"]
    sampler = FundusTrainer.build_train_loader(cfg).sampler
    sampler.seed = state["ContinueOrder"]["seed"]
    records = [os.path.basename(x["file_name"]) for x in DatasetCatalog.get("phantom_train")]
    drawn = iter(sampler)
    expected = [[records[next(drawn)] for _ in range(2)] for _ in range(4)]
    steps.stop_at = None
    train(cfg, resume=True)
    assert steps == expected


@pytest.mark.slow
def test_a_grading_run_draws_what_it_would_have_drawn(phantoms, tmp_path, steps):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    sets = ["DATASETS.TRAIN", ("phantom_train_grading",), "DATASETS.TEST", ("phantom_val_grading",)]
    options = [*sets, "SOLVER.EPOCHS", 2, "SEED", 1, "DATASETS.CHECK", False, "OUTPUT_DIR"]
    whole, killed = (grading_config("ranking_cnn", *options, str(tmp_path / x)) for x in ("whole", "killed"))
    train(whole)
    expected = list(steps)
    steps.clear()
    steps.stop_at = 4
    with pytest.raises(Stopped):
        train(killed)
    steps.stop_at = None
    del steps[:]
    train(killed, resume=True)
    assert steps == expected[3:]
    whole, killed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert all(torch.equal(whole[key], killed[key]) for key in whole)


def test_the_order_goes_on_with_another_number_of_processes(config, monkeypatch):
    from detectron2.utils import comm

    from fundus_plugins.engine.order import ContinueOrder, training_sampler

    cfg = config("SOLVER.IMS_PER_BATCH", 4, "DATALOADER.ASPECT_RATIO_GROUPING", False)
    records = DatasetCatalog.get("phantom_train")
    alone = iter(training_sampler(cfg, records, seed=5))
    expected = [next(alone) for _ in range(24)]
    hook = ContinueOrder(training_sampler(cfg, records, seed=0), 4)
    hook.load_state_dict({"seed": 5, "seen": 8, "random": None})
    hook.trainer = type("Trainer", (), {"start_iter": 2})
    monkeypatch.setattr(comm, "get_world_size", lambda: 2)
    found = []
    for rank in (0, 1):
        monkeypatch.setattr(comm, "get_rank", lambda rank=rank: rank)
        hook.before_train()
        drawn = iter(hook.sampler)
        found.append([next(drawn) for _ in range(8)])
    assert [x for pair in zip(*found) for x in pair] == expected[8:]


def test_resumed_processes_draw_other_numbers_than_each_other_and_than_at_the_start(config, monkeypatch):
    from detectron2.utils import comm
    from detectron2.utils.env import seed_all_rng

    from fundus_plugins.engine.order import ContinueOrder, random_state, training_sampler

    hook = ContinueOrder(training_sampler(config(), DatasetCatalog.get("phantom_train"), seed=0), 4)
    monkeypatch.setattr(comm, "get_world_size", lambda: 2)
    drawn = []
    for rank in (0, 1):
        for seen in (0, 8):  # at the start, and resumed from a checkpoint that the first process wrote
            seed_all_rng(7 + rank)
            hook.load_state_dict({"seed": 5, "seen": seen, "random": random_state()})
            hook.trainer = type("Trainer", (), {"start_iter": seen // 4})
            hook.before_train()
            drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert all(len(set(numbers)) == 4 for numbers in zip(*drawn))
