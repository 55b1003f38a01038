"""Training that is killed, or meets damaged files, a full disk, bad numbers, another run: nothing is lost unsaid."""

import errno
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog

import fundus_plugins
from fundus_plugins.engine.checkpoint import FundusCheckpointer, checkpoints, is_whole
from fundus_plugins.engine.train import train
from fundus_plugins.engine.trainer import FundusTrainer
from fundus_plugins.files import FolderLock
from tests.conftest import ROOT, SMALL, grading_config

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


def cut(path: Path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path):
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 2, len(data) // 2 + 64):
        data[place] ^= 0xFF
    path.write_bytes(data)


DAMAGE = {"cut": cut, "empty": lambda x: x.write_bytes(b""), "flipped": flip, "gone": Path.unlink}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_checkpoint_is_told_and_the_one_before_is_resumed(trained, damage, steps, caplog):
    before = weights(trained.OUTPUT_DIR)
    for name in ("model_final", "model_0000003"):
        damage(Path(trained.OUTPUT_DIR, f"{name}.pth"))
    Path(trained.OUTPUT_DIR, "model_best.pth").unlink()  # it would do as well
    train(trained, resume=True)
    assert len(steps) == 1 and "cannot go on from" in caplog.text and "model_final.pth" in caplog.text
    assert "going on from" in caplog.text and "model_0000002.pth" in caplog.text
    after = weights(trained.OUTPUT_DIR)
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_where_no_checkpoint_is_whole_it_does_not_begin_anew(trained):
    for path in checkpoints(trained.OUTPUT_DIR):
        path.write_bytes(b"")
    with pytest.raises(RuntimeError, match="model_final.pth cannot be read as weights"):
        train(trained, resume=True)


def test_a_torn_pointer_is_passed_over_and_one_that_is_gone_is_not_missed(trained, steps, caplog):
    pointer = Path(trained.OUTPUT_DIR, "last_checkpoint")
    for damage in (lambda: pointer.write_text(""), pointer.unlink):
        damage()
        train(trained, resume=True)
        assert not steps and is_whole(Path(trained.OUTPUT_DIR, "model_final.pth"))


def test_nothing_to_go_on_from_is_told(config, steps, caplog):
    train(config("DATASETS.TEST", (), "SOLVER.MAX_ITER", 1), resume=True)
    assert "no checkpoint to go on from; training begins at iteration 0" in caplog.text


def test_a_run_killed_after_its_last_step_still_writes_its_last_weights(trained, steps):
    Path(trained.OUTPUT_DIR, "model_final.pth").write_bytes(b"")
    Path(trained.OUTPUT_DIR, "last_checkpoint").write_text("model_0000003.pth")
    train(trained, resume=True)
    assert not steps and is_whole(Path(trained.OUTPUT_DIR, "model_final.pth"))


def test_damaged_best_weights_are_told_and_replaced(trained, caplog):
    best = Path(trained.OUTPUT_DIR, "model_best.pth")
    cut(best)
    train(trained, resume=True)
    assert "model_best.pth is gone or damaged" in caplog.text and is_whole(best)


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), Stopped()], ids=["full", "killed"])
def test_what_stops_a_checkpoint_leaves_the_one_before(config, monkeypatch, fault):
    save = torch.save

    def half(data, file):
        if data["iteration"] == 2:
            file.write(b"half of it")
            raise fault
        save(data, file)

    monkeypatch.setattr(torch, "save", half)
    cfg = config("TEST.EVAL_PERIOD", 0)
    with pytest.raises(type(fault)) as raised:
        train(cfg)
    there = {path.name for path in Path(cfg.OUTPUT_DIR).glob("*") if path.suffix in (".pth", ".part")}
    assert there == {"model_0000000.pth", "model_0000001.pth"}
    assert Path(cfg.OUTPUT_DIR, "last_checkpoint").read_text() == "model_0000001.pth"
    if isinstance(fault, OSError):
        assert "No space left on device" in str(raised.value) and "model_0000002.pth" in str(raised.value)


def test_a_real_full_disk(tmp_path):
    """A limit on a file's size fails a write as a full disk does."""
    code = (
        "import resource, signal, torch\n"
        "from fundus_plugins.engine.checkpoint import FundusCheckpointer\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"saver = FundusCheckpointer(torch.nn.Linear(400, 400), {str(tmp_path)!r})\n"
        "saver.save('model_0000000')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, -1))\n"
        "try: saver.save('model_0000001')\n"
        "except OSError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "the checkpoint before it is whole" in done.stdout and "model_0000001.pth" in done.stdout, done
    assert {x.name for x in tmp_path.iterdir()} == {"model_0000000.pth", "last_checkpoint"}
    assert (tmp_path / "last_checkpoint").read_text() == "model_0000000.pth"


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


def test_where_a_cup_alone_is_drawn_nothing_is_learned(config, phantoms, tmp_path):
    """That photograph's disc is not known; without a row it would be learned as none."""

    def no_disc_of_the_first(document):
        first = document["images"][0]["id"]
        drawn = document["annotations"]
        document["annotations"] = [x for x in drawn if (x["image_id"], x["category_id"]) != (first, 1)]

    name = changed_val(phantoms, tmp_path / "val.json", no_disc_of_the_first)
    records = records_of(name)
    assert [len(x["annotations"]) for x in records] == [1, 2]
    for kept in (True, False):
        loader = FundusTrainer.build_train_loader(
            config("DATASETS.TRAIN", (name,), "DATALOADER.FILTER_EMPTY_ANNOTATIONS", kept, "SOLVER.IMS_PER_BATCH", 1)
        )
        batches = iter(loader)
        seen = {x["file_name"] for _ in range(6) for x in next(batches)}
        assert seen == {records[1]["file_name"]}


def test_a_run_without_a_seed_goes_on_with_its_own(config, steps):
    cfg = config("SEED", -1, "DATASETS.TEST", ())
    steps.stop_at = 2
    with pytest.raises(Stopped):
        train(cfg)
    state = torch.load(Path(cfg.OUTPUT_DIR, "model_0000001.pth"), weights_only=True)["trainer"]["hooks"]
    sampler = FundusTrainer.build_train_loader(cfg).sampler
    sampler.seed = state["ContinueOrder"]["seed"]
    records = [os.path.basename(x["file_name"]) for x in records_of("phantom_train")]
    drawn = iter(sampler)
    expected = [[records[next(drawn)] for _ in range(2)] for _ in range(4)]
    steps.stop_at = None
    train(cfg, resume=True)
    assert steps == expected


def records_of(name):
    return DatasetCatalog.get(name)


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
    records = records_of("phantom_train")
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

    hook = ContinueOrder(training_sampler(config(), records_of("phantom_train"), seed=0), 4)
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


def test_weights_of_another_model_are_not_resumed(trained):
    trained.MODEL.FPN.OUT_CHANNELS = 8
    with pytest.raises(ValueError, match="model_final.pth is of another model.*tensors, such as backbone.*expected"):
        train(trained, resume=True)


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


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    model = torch.nn.Linear(2, 2)
    saver = FundusCheckpointer(model, str(tmp_path))
    saver.save("model_0000000")
    model.weight.data[0, 0] = float("inf")
    with pytest.raises(FloatingPointError, match="no longer finite .weight., and model_0000001 is not saved"):
        saver.save("model_0000001")
    assert [x.name for x in checkpoints(tmp_path)] == ["model_0000000.pth"]


def test_a_loaders_process_that_dies_is_one_line(config, monkeypatch):
    from fundus_plugins.data.mapper import DiscCupMapper

    monkeypatch.setattr(DiscCupMapper, "__call__", lambda self, record: os._exit(3))
    with pytest.raises(RuntimeError, match="a process that reads photographs ended at iteration 0") as raised:
        train(config("DATALOADER.NUM_WORKERS", 1, "DATASETS.TEST", ()))
    assert "\n" not in str(raised.value)


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


def changed_val(phantoms, path, change):
    document = json.loads((phantoms / "phantom" / "val.json").read_text())
    for image in document["images"]:
        image["file_name"] = str(phantoms / "phantom" / image["file_name"])
    change(document)
    path.write_text(json.dumps(document))
    fundus_plugins.data.registration.require_dataset(str(path))
    return str(path)


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


def test_weights_alone_are_no_checkpoint(config, caplog):
    cfg = config()
    os.makedirs(cfg.OUTPUT_DIR)
    torch.save({"model": {}}, Path(cfg.OUTPUT_DIR, "model_best.pth"))
    with pytest.raises(RuntimeError, match="model_best.pth holds weights alone, and no state of a training"):
        train(cfg, resume=True)
