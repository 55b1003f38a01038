"""What cannot end well is told before the first iteration: folders in use, metrics, data sets, batches."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fundus_plugins
from fundus_plugins.engine.checkpoint import checkpoints
from fundus_plugins.engine.train import train
from fundus_plugins.files import FolderLock
from tests.conftest import ROOT, grading_config
from tests.engine.faults.conftest import Stopped, changed_val


def test_two_trainings_do_not_share_a_folder(config):
    cfg = config()
    os.makedirs(cfg.OUTPUT_DIR)
    with FolderLock(cfg.OUTPUT_DIR), pytest.raises(ValueError, match=f"another run is writing to {cfg.OUTPUT_DIR}"):
        train(cfg)
    with FolderLock(cfg.OUTPUT_DIR), pytest.raises(ValueError, match="another run is writing"):
        train(cfg, resume=True)


def test_a_lock_goes_with_its_process_though_a_copy_of_it_lives_on(tmp_path):
    code = (
        "import os, sys, time\nfrom fundus_plugins.files import FolderLock\n"
        f"lock = FolderLock({str(tmp_path)!r})\n"
        "if os.fork() == 0: time.sleep(20)\n"
        "print(os.getpid(), flush=True)\nos.kill(os.getpid(), 9)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.wait()
    for _ in range(100):  # the copy takes a moment to give it up
        try:
            FolderLock(tmp_path).release()
            return
        except ValueError:
            time.sleep(0.1)
    raise AssertionError("the lock outlived its process")


def test_an_earlier_run_is_not_written_over_unasked(trained, steps):
    with pytest.raises(ValueError, match="holds an earlier run.*--resume goes on with it, --overwrite removes"):
        train(trained)
    names = {x.name for x in checkpoints(trained.OUTPUT_DIR)}
    assert "model_final.pth" in names and Path(trained.OUTPUT_DIR, "last_checkpoint").is_file() and not steps
    steps.stop_at = 1
    with pytest.raises(Stopped):
        train(trained, overwrite=True)
    assert {x.name for x in checkpoints(trained.OUTPUT_DIR)} == {"model_0000000.pth"}
    lines = Path(trained.OUTPUT_DIR, "metrics.json").read_text().splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [0]
    assert len(list(Path(trained.OUTPUT_DIR).glob("events.out.tfevents.*"))) == 1


@pytest.mark.parametrize("metric", ["disc_cup/miuo", "miou", "grading/loss"])
def test_a_misspelt_metric_is_told_before_training(config, steps, metric):
    with pytest.raises(ValueError, match=f"TEST.BEST_METRIC {metric}: expected a metric such as disc_cup/dice_oc"):
        train(config("TEST.BEST_METRIC", metric))
    assert not steps


@pytest.mark.slow
def test_what_evaluations_give_are_the_names_that_are_allowed(trained, phantoms):
    from fundus_plugins.engine.before import check_best_metric

    lines = [json.loads(line) for line in Path(trained.OUTPUT_DIR, "metrics.json").read_text().splitlines()]
    for name in (key for line in lines for key in line if key.startswith("disc_cup/")):
        trained.TEST.BEST_METRIC = name
        _takes_one_direction(trained)
    cfg = grading_config("ranking_cnn", "DATASETS.TEST", ("phantom_val_grading",), "TEST.EVAL_PERIOD", 1)
    for name in ("grading/loss", "grading/kappa"):
        cfg.TEST.BEST_METRIC = name
        assert _takes_one_direction(cfg) == (name == "grading/loss")
    cfg.TEST.BEST_METRIC = "grading/kapa"
    with pytest.raises(ValueError, match="TEST.BEST_METRIC grading/kapa: expected a metric such as grading/loss"):
        check_best_metric(cfg)


def _takes_one_direction(cfg) -> bool | None:
    """TEST.BEST_IS_LOWEST of the metric; None: it has no best."""
    from fundus_plugins.engine.before import check_best_metric

    taken = []
    for lowest in (True, False):
        cfg.TEST.BEST_IS_LOWEST = lowest
        try:
            check_best_metric(cfg)
            taken.append(lowest)
        except ValueError as error:
            told = str(error)
    if not taken:
        assert told.endswith("neither its highest nor its lowest value is best") and "vcdr_" in told
        return None
    assert len(taken) == 1 and f"expected {taken[0]} with TEST.BEST_METRIC" in told
    return taken[0]


@pytest.mark.parametrize(
    "metric, lowest",
    [
        ("vcdr_mae", True), ("hd95_oc_dd-high", True), ("asd_od", True), ("dice_oc", False), ("vcdr_auc-low", False),
        ("vcdr_pearson", False), ("detection_rate", False), ("vcdr_bias", None), ("vcdr_limit_low-low", None),
    ],
)  # fmt: skip
def test_the_worst_is_not_kept_as_the_best(config, metric, lowest):
    assert _takes_one_direction(config("TEST.BEST_METRIC", f"disc_cup/{metric}")) is lowest


def test_a_metric_of_cups_where_there_are_none_is_told(config, phantoms, tmp_path, steps):
    """It would be no number, and no weights would be kept as the best."""

    def no_cups(document):
        document["annotations"] = [x for x in document["annotations"] if x["category_id"] != 2]

    name = changed_val(phantoms, tmp_path / "val.json", no_cups)
    for metric in ("miou", "dice_oc", "hd95_oc_dd-low", "vcdr_mae"):
        with pytest.raises(ValueError, match=f"TEST.BEST_METRIC disc_cup/{metric}: .*val.json has no cup.*dice_od"):
            train(config("DATASETS.TEST", (name,), "TEST.BEST_METRIC", f"disc_cup/{metric}"))
    assert not steps
    assert _takes_one_direction(config("DATASETS.TEST", (name,), "TEST.BEST_METRIC", "disc_cup/hd95_od_dd"))


def test_a_learning_rate_that_a_resumed_run_would_not_heed_is_told(config, steps):
    steps.stop_at = 2
    with pytest.raises(Stopped):
        train(config("DATASETS.TEST", ()))
    steps.stop_at = None
    with pytest.raises(ValueError, match="SOLVER.BASE_LR 0.5: the run in .* was started with 0.01, and --resume goes"):
        train(config("DATASETS.TEST", (), "SOLVER.BASE_LR", 0.5), resume=True)
    cfg = config("DATASETS.TEST", (), "SOLVER.MAX_ITER", 3)
    train(cfg, resume=True)
    assert len(steps) == 3 and Path(cfg.OUTPUT_DIR, "model_final.pth").is_file()


def no_discs(document):
    document["annotations"] = [x for x in document["annotations"] if x["category_id"] != 1]


def a_photograph_is_gone(document):
    document["images"][1]["file_name"] = "gone.jpg"


def no_images(document):
    document["images"] = document["annotations"] = []


@pytest.mark.parametrize(
    "change, message",
    [
        (no_images, "val.json: there are no photographs in it"),
        (no_discs, "val.json: none of its 2 photographs has an annotated optic disc"),
        (a_photograph_is_gone, "val.json: there is no photograph .*gone.jpg"),
    ],
)
@pytest.mark.parametrize("role", ["TRAIN", "TEST"])
def test_sets_that_cannot_be_used_are_told_before_training(config, phantoms, tmp_path, steps, change, message, role):
    name = changed_val(phantoms, tmp_path / "val.json", change)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        train(config(f"DATASETS.{role}", (name,)))
    assert not steps


def test_masks_of_one_name_are_told_before_training(config, phantoms, tmp_path, steps):
    def twins(document):
        folder = tmp_path / "other"
        folder.mkdir()
        shutil.copy(document["images"][0]["file_name"], folder / Path(document["images"][1]["file_name"]).name)
        document["images"][0]["file_name"] = str(folder / Path(document["images"][1]["file_name"]).name)

    name = changed_val(phantoms, tmp_path / "val.json", twins)
    with pytest.raises(ValueError, match="TEST.SAVE_MASKS: .* would give one mask"):
        train(config("DATASETS.TEST", (name,), "TEST.SAVE_MASKS", "png"))
    assert not steps


def test_a_batch_of_one_is_told_before_the_first_stage(phantoms, tmp_path, steps):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    sets = ["DATASETS.TRAIN", ("phantom_train_grading",), "DATASETS.TEST", ("phantom_val_grading",)]
    options = [*sets, "SOLVER.EPOCHS", 1, "MODEL.GRADING.STAGE1_EPOCHS", 1, "DATASETS.CHECK", False]
    cfg = grading_config("2sranking_cnn", *options, "SOLVER.IMS_PER_BATCH", 1, "OUTPUT_DIR", str(tmp_path))
    with pytest.raises(ValueError, match="IMS_PER_BATCH 1: expected at least 2 photographs a process"):
        train(cfg)
    assert not steps
