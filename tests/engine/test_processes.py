"""Several processes of one training: what they share, how an error of one is told, that none is left."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest
import torch
from torch.utils.data import BatchSampler

from fundus_plugins.engine.before import check_schedule
from fundus_plugins.engine.order import WholeBatches
from fundus_plugins.engine.processes import launch
from tests.conftest import grading_config, small_config
from tests.engine.processes import average, die_alone, draw_five, fail_alone, lose, train_and_tell
from tests.modeling.segmentation.networks import network_config


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    return str(draw_five(tmp_path_factory.mktemp("five")))


@pytest.fixture
def untouched(monkeypatch):
    """No process is left, and the environment is as it was."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    others = set(multiprocessing.active_children())  # loaders of tests before, which end when they are collected
    before = {key: x for key, x in os.environ.items() if not key.startswith("PYTEST")}
    yield
    assert not set(multiprocessing.active_children()) - others
    assert before == {key: x for key, x in os.environ.items() if not key.startswith("PYTEST")}


@pytest.mark.slow
def test_an_error_of_one_is_raised_as_it_was(untouched):
    with pytest.raises(FileNotFoundError, match="No such file: 'x.jpg'"):
        launch(fail_alone, (False, 1), processes=2, on_cpu=True)


@pytest.mark.slow
def test_an_error_that_cannot_be_sent_is_told(untouched):
    with pytest.raises(RuntimeError, match="^Odd: 1 and 2$"):
        launch(fail_alone, (True, 0), processes=2, on_cpu=True)


@pytest.mark.slow
def test_a_process_that_dies_is_told(untouched):
    with pytest.raises(RuntimeError, match="process 0 ended with SIGKILL, perhaps for want of memory"):
        launch(die_alone, (0,), processes=2, on_cpu=True)


@pytest.mark.slow
def test_running_statistics_become_their_mean_everywhere(tmp_path, untouched):
    launch(average, (str(tmp_path),), processes=2, on_cpu=True)
    (first, threads), (second, _) = (torch.load(tmp_path / f"{rank}.pth") for rank in (0, 1))
    assert threads == max(1, len(os.sched_getaffinity(0)) // 2)
    for key in ("1.running_mean", "1.running_var"):
        (own, mean, again), (other, *there) = ([stage[key] for stage in x] for x in (first, second))
        assert not torch.equal(own, other)
        assert torch.equal(mean, (own.double() + other.double()).div(2).float())
        assert all(torch.equal(mean, x) for x in (again, *there))
    for key in ("0.weight", "1.weight", "1.num_batches_tracked"):
        assert all(torch.equal(x[0][key], stage[key]) for x in (first, second) for stage in x)


def test_a_batch_is_shared_evenly(monkeypatch):
    from detectron2.utils import comm

    cfg = small_config()
    cfg.merge_from_list(["DATASETS.TRAIN", ("phantom_train",), "SOLVER.IMS_PER_BATCH", 6])
    monkeypatch.setattr(comm, "get_world_size", lambda: 3)
    check_schedule(cfg)
    monkeypatch.setattr(comm, "get_world_size", lambda: 4)
    with pytest.raises(ValueError, match="SOLVER.IMS_PER_BATCH 6: expected a multiple of the 4 processes"):
        check_schedule(cfg)
    cfg.SOLVER.REFERENCE_WORLD_SIZE = 2  # Detectron2 makes it 12
    check_schedule(cfg)


@pytest.mark.parametrize("processes", [2, 3, 4])
def test_the_batches_to_evaluate_are_those_of_one_process(processes, monkeypatch):
    from detectron2.utils import comm

    def batches():
        return list(BatchSampler(WholeBatches(11, 3), 3, drop_last=False))

    alone = batches()
    monkeypatch.setattr(comm, "get_world_size", lambda: processes)
    found = []
    for rank in range(processes):
        monkeypatch.setattr(comm, "get_rank", lambda rank=rank: rank)
        found += batches()
    assert found == alone == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10]]


def drawn(folder) -> list[str]:
    return Path(folder, "steps.txt").read_text().splitlines()


def of_rfnet(folder, iterations):
    cfg = small_config()
    cfg.merge_from_list([
        "DATASETS.TRAIN", ("phantom_train",), "DATASETS.TEST", (), "DATASETS.CHECK", False, "SEED", 1,
        "SOLVER.IMS_PER_BATCH", 6, "SOLVER.MAX_ITER", iterations, "OUTPUT_DIR", str(folder),
    ])  # fmt: skip
    return cfg


def run(five, folder, iterations, processes):
    launch(train_and_tell, (of_rfnet(folder, iterations), five, True), processes=processes, on_cpu=True)


@pytest.fixture(scope="module")
def whole(five, tmp_path_factory):
    """What a run of one process draws in four steps."""
    folder = tmp_path_factory.mktemp("whole")
    run(five, folder, 4, 1)
    assert len(set(drawn(folder))) == 4
    return drawn(folder)


@pytest.mark.slow
@pytest.mark.parametrize("first, then", [(1, 2), (3, 1)])
def test_a_run_goes_on_with_another_number_of_processes(five, whole, tmp_path, first, then):
    run(five, tmp_path, 2, first)
    run(five, tmp_path, 4, then)
    assert drawn(tmp_path) == whole


@pytest.mark.slow
def test_a_loss_of_another_process_that_is_no_number_names_all_photographs(five, tmp_path):
    with pytest.raises(FloatingPointError, match="not finite at iteration 0 .*photographs were") as raised:
        launch(lose, (of_rfnet(tmp_path, 2), five, 1), processes=2, on_cpu=True)
    assert str(raised.value).count(".jpg") == 6 and not list(tmp_path.glob("*.pth"))


@pytest.mark.slow
def test_without_norms_and_chance_the_losses_are_those_of_one_process(five, tmp_path):
    """Each process gives its share of the gradient; only the order of the additions differs."""
    losses = {}
    for processes in (1, 2, 3):
        folder = tmp_path / str(processes)
        cfg = network_config(
            "unet_drishti", "MODEL.UNET.NORM", "", "INPUT.RANDOM_FLIP", "none", "INPUT.RANDOM_FLIP_VERTICAL", False,
            "INPUT.RANDOM_ROTATE_90", False, "DATASETS.TRAIN", ("phantom_train",), "DATASETS.TEST", (), "SEED", 1,
            "SOLVER.IMS_PER_BATCH", 6, "SOLVER.MAX_ITER", 6, "SOLVER.STEPS", (), "SOLVER.WARMUP_ITERS", 0,
            "DATASETS.CHECK", False, "OUTPUT_DIR", str(folder),
        )  # fmt: skip
        launch(train_and_tell, (cfg, five), processes=processes, on_cpu=True)
        losses[processes] = [float(x) for x in (folder / "losses.txt").read_text().split()]
    assert drawn(tmp_path / "1") == drawn(tmp_path / "2") == drawn(tmp_path / "3")
    assert losses[1][-1] < losses[1][0] - 0.01  # it learns
    for several in (2, 3):  # a rounding to begin with, which grows about tenfold every five steps
        assert losses[several][:3] == pytest.approx(losses[1][:3], rel=2e-5)
        assert losses[several] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.slow
def test_two_stages_are_trained_and_one_photograph_each_is_refused_before(five, tmp_path):
    def cfg(batch, folder):
        return grading_config(
            "2sranking_cnn", "DATASETS.TRAIN", ("phantom_train_grading",), "DATASETS.TEST", ("phantom_val_grading",),
            "SOLVER.EPOCHS", 1, "MODEL.GRADING.STAGE1_EPOCHS", 1, "SOLVER.IMS_PER_BATCH", batch, "SEED", 1,
            "DATASETS.CHECK", False, "OUTPUT_DIR", str(tmp_path / folder),
        )  # fmt: skip

    with pytest.raises(ValueError, match="SOLVER.IMS_PER_BATCH 2: expected at least 2 photographs a process"):
        launch(train_and_tell, (cfg(2, "small"), five), processes=2, on_cpu=True)
    assert not (tmp_path / "small").exists()
    launch(train_and_tell, (cfg(4, "run"), five), processes=2, on_cpu=True)
    assert (tmp_path / "run" / "stage1" / "model_best.pth").is_file()
    metrics = json.loads((tmp_path / "run" / "evaluation" / "phantom_val_grading_metrics.json").read_text())
    assert metrics["images"] == 5
