"""Training of the grading models as a user runs it: two stages in one command, resumed in either, compared."""

import csv
import json
import shutil
import subprocess
import sys

import cv2
import pytest
import torch

import fundus_plugins
from fundus_plugins.engine.schedule import in_iterations, training_stages
from fundus_plugins.engine.train import train
from fundus_plugins.evaluation.plots import read_curve
from tests.cli.run import run
from tests.conftest import SMALL_GRADING, grading_config

SETS = ["DATASETS.TRAIN", ("phantom_train_grading",), "DATASETS.TEST", ("phantom_val_grading",)]
SHORT = ["SOLVER.EPOCHS", 2, "MODEL.GRADING.STAGE1_EPOCHS", 1, "SEED", 1]


@pytest.fixture(scope="module")
def trained(phantoms, tmp_path_factory):
    """`train_net.py` with both stages of 2sRanking-CNN; its output folder."""
    output = tmp_path_factory.mktemp("grading") / "run"
    options = [*SMALL_GRADING, *SETS, *SHORT, "SOLVER.AMP.ENABLED", True, "OUTPUT_DIR", output]
    done = run("train_net.py", "--config-file", "configs/2sranking_cnn.yaml", *options, datasets=phantoms)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "phantom_val_grading, 2 photographs" in done.stdout and "truth \\ predicted" in done.stdout
    return output


@pytest.mark.slow
def test_one_command_trains_both_stages(trained):
    for folder, epochs in ((trained / "stage1", 1), (trained, 2)):
        names = {path.name for path in folder.iterdir()}
        assert {"model_best.pth", "model_final.pth", "loss_curves.png", "loss_curves.json", "evaluation"} <= names
        assert [row["iteration"] for row in read_curve(folder / "loss_curves.json")] == [
            3 * (i + 1) for i in range(epochs)
        ]
    best = torch.load(trained / "stage1" / "model_best.pth", weights_only=True)["model"]
    whole = torch.load(trained / "model_best.pth", weights_only=True)["model"]
    assert all(torch.equal(whole[f"stage1.{key}"], value) for key, value in best.items())


@pytest.mark.slow
def test_eval_only_and_pictures(trained, phantoms, tmp_path):
    weights = ["MODEL.WEIGHTS", trained / "model_best.pth", "DATASETS.TEST", ("phantom_test_grading",)]
    config = trained / "config.yaml"
    done = run(
        "train_net.py", "--config-file", config, "--eval-only", *weights, "OUTPUT_DIR", tmp_path, datasets=phantoms
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with open(tmp_path / "evaluation" / "phantom_test_grading_images.csv", newline="") as file:
        assert len([row["stage1_grade"] for row in csv.DictReader(file)]) == 2
    options = [
        "--weights",
        trained / "model_best.pth",
        "--dataset",
        "phantom_test_grading",
        "--output",
        tmp_path / "cam",
    ]
    done = run("draw_cam.py", "--config-file", config, *options, datasets=phantoms)
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads((tmp_path / "cam" / "cam_overlap.json").read_text())
    assert summary["images"] == 2 and 0 < summary["disc_chance"]["mean"] < summary["near_chance"]["mean"] < 1
    picture = cv2.imread(str(tmp_path / "cam" / "T0001.png"))
    assert picture.shape[0] == 64 + 16 and picture.shape[1] in (64 * 3, 64 * 5)
    single = ["--weights", trained / "model_best.pth", "MODEL.META_ARCHITECTURE", "RankingCNN"]
    done = run("draw_cam.py", "--config-file", config, *options[2:], *single, datasets=phantoms)
    assert done.returncode == 2 and "does not fit the model" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_comparison_goes_on_where_it_stopped(phantoms, tmp_path):
    sets = [f"--{x}" for x in ("train", "val", "test")]
    names = ["phantom_train_grading", "phantom_val_grading", "phantom_test_grading"]
    options = ["--methods", "softmax_cnn", "ranking_cnn", *(x for pair in zip(sets, names) for x in pair)]
    options += ["--output", tmp_path]
    short = [*SMALL_GRADING, "SOLVER.EPOCHS", 1]
    done = run("compare_grading.py", *options, *short, datasets=phantoms)
    assert done.returncode == 0, done.stderr[-3000:]
    text = (tmp_path / "grading.md").read_text()
    assert "| ranking_cnn" in text and "| softmax_cnn" in text and "Commit " in text
    assert (tmp_path / "loss_curves.png").exists() and (tmp_path / "confusion_ranking_cnn.png").exists()
    shutil.rmtree(tmp_path / "ranking_cnn" / "seed0" / "evaluation")  # as if interrupted before the test
    weights = (tmp_path / "softmax_cnn" / "seed0" / "model_best.pth").stat().st_mtime_ns
    done = run("compare_grading.py", *options, *short, datasets=phantoms)
    assert done.returncode == 0 and (tmp_path / "grading.md").read_text() == text
    assert (tmp_path / "softmax_cnn" / "seed0" / "model_best.pth").stat().st_mtime_ns == weights
    done = run("compare_grading.py", *options, *short, "SOLVER.BASE_LR", 0.1, datasets=phantoms)
    assert done.returncode == 2 and "other options" in done.stderr


class Interrupted(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("stage, iteration", [("stage1", 4), ("", 4)])
def test_resuming_in_either_stage_gives_a_whole_run(phantoms, tmp_path, monkeypatch, stage, iteration):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    options = [*SETS, "SOLVER.EPOCHS", 2, "MODEL.GRADING.STAGE1_EPOCHS", 2, "SEED", 1, "OUTPUT_DIR", str(tmp_path)]
    cfg = grading_config("2sranking_cnn", *options)
    step = fundus_plugins.FundusTrainer.run_step
    begun = []

    def interrupted(self):
        if self.cfg.OUTPUT_DIR == str(tmp_path / stage if stage else tmp_path) and self.iter == iteration:
            raise Interrupted
        step(self)

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(fundus_plugins.FundusTrainer, "run_step", interrupted)
        train(cfg)
    start = fundus_plugins.FundusTrainer.train
    with monkeypatch.context() as patch:
        patch.setattr(fundus_plugins.FundusTrainer, "train", lambda self: (begun.append(self.start_iter), start(self)))
        train(cfg, resume=True)
    assert begun == ([3, 0] if stage else [6, 3])  # from the end of the first epoch; stage 1 is not trained again
    for folder in (tmp_path / "stage1", tmp_path):
        assert [row["iteration"] for row in read_curve(folder / "loss_curves.json")] == [3, 6]


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [1, 2])
def test_an_interrupted_evaluation_is_made_up_for(phantoms, tmp_path, monkeypatch, epochs):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    options = [*SETS, "SOLVER.EPOCHS", 1, "MODEL.GRADING.STAGE1_EPOCHS", epochs, "OUTPUT_DIR", str(tmp_path)]
    cfg = grading_config("2sranking_cnn", *options)
    test, calls = fundus_plugins.FundusTrainer.test, []

    def interrupted(cls, cfg, model, evaluators=None):
        calls.append(cfg)
        if len(calls) == epochs:  # stage 1's last
            raise Interrupted
        return test(cfg, model, evaluators)

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(fundus_plugins.FundusTrainer, "test", classmethod(interrupted))
        train(cfg)
    assert (tmp_path / "stage1" / "model_best.pth").exists() == (epochs == 2)
    train(cfg, resume=True)
    rows = read_curve(tmp_path / "stage1" / "loss_curves.json")
    assert [row["iteration"] for row in rows] == [3 * (i + 1) for i in range(epochs)]
    assert rows[-1]["train_loss"] is None and rows[-1]["val_loss"] > 0
    best = torch.load(tmp_path / "stage1" / "model_best.pth", weights_only=True)
    assert best["iteration"] == min(range(epochs), key=lambda i: rows[i]["val_loss"]) * 3 + 2
    assert (tmp_path / "model_best.pth").exists()


def test_a_two_stage_model_is_not_trained_by_half(phantoms, tmp_path):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    cfg = grading_config("2sranking_cnn", *SETS, "OUTPUT_DIR", str(tmp_path))
    with pytest.raises(ValueError, match="fundus_plugins.train trains both stages"):
        fundus_plugins.FundusTrainer(cfg)
    cfg = grading_config("2sranking_cnn", *SETS, "MODEL.WEIGHTS", "model_best.pth")
    with pytest.raises(ValueError, match="MODEL.WEIGHTS model_best.pth: a two-stage model"):
        training_stages(cfg)


def test_epochs_become_iterations(phantoms):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    given = grading_config("ranking_cnn", *SETS, "SOLVER.EPOCHS", 4, "SOLVER.IMS_PER_BATCH", 4)
    cfg = in_iterations(given)
    assert (cfg.SOLVER.MAX_ITER, cfg.SOLVER.STEPS) == (8, (2, 4, 6))  # 6 photographs: 2 iterations an epoch
    assert (cfg.TEST.EVAL_PERIOD, cfg.SOLVER.CHECKPOINT_PERIOD) == (2, 2)
    trainer = fundus_plugins.FundusTrainer(given)
    assert trainer.max_iter == 8
    assert trainer._trainer.optimizer.param_groups[0]["lr"] == pytest.approx(1e-4)
    rates = [trainer.scheduler.get_last_lr()[0]]
    for _ in range(7):
        trainer._trainer.optimizer.step()
        trainer.scheduler.step()
        rates.append(trainer.scheduler.get_last_lr()[0])
    assert rates == pytest.approx([1e-4 * 0.9**epoch for epoch in (0, 0, 1, 1, 2, 2, 3, 3)])


def test_stage_1_that_is_there_is_not_trained_again(phantoms, trained):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    weights = str(trained / "stage1" / "model_best.pth")
    (only,) = training_stages(grading_config("2sranking_cnn", *SETS, "MODEL.GRADING.STAGE1_WEIGHTS", weights))
    assert only.MODEL.META_ARCHITECTURE == "TwoStageRankingCNN"
    with pytest.raises(ValueError, match="STAGE1_EPOCHS must be at least 1"):
        training_stages(grading_config("2sranking_cnn", *SETS, "MODEL.GRADING.STAGE1_EPOCHS", 0))
    with pytest.raises(ValueError, match="DATASETS.TEST must name a set"):
        training_stages(grading_config("2sranking_cnn", *SETS, "DATASETS.TEST", ()))


@pytest.mark.slow
def test_discs_are_found_and_folds_compared_in_two_processes(phantoms, tmp_path):
    datasets = tmp_path / "datasets"
    shutil.copytree(phantoms, datasets)
    graded = datasets / "phantom" / "train_grading.json"
    command = [sys.executable, "-m", "fundus_plugins", "find-discs", str(graded)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0 and "discs -> " in found.stdout, found.stderr[-2000:]
    document = json.loads(graded.read_text())
    boxes = [x.get("disc_box") for x in document["images"]]
    assert document["info"]["discs"]["weights_sha256"] and sum(x is not None for x in boxes) >= 4
    before = graded.stat().st_mtime_ns
    for image in document["images"]:  # phantoms of 128 pixels may be missed
        image.setdefault("disc_box", [40.0, 40.0, 30.0, 30.0])
        image.pop("disc_looked_for", None)
    graded.write_text(json.dumps(document))
    again = subprocess.run(command, capture_output=True, text=True)
    assert "6 discs" in again.stdout and graded.stat().st_mtime_ns > before

    table = tmp_path / "table.yaml"
    table.write_text(
        "title: Graders\nreference: whole\nrows:\n- {name: whole, config: ranking_cnn.yaml}\n"
        "- {name: about the disc, config: 2sranking_cnn.yaml, "
        "overrides: {MODEL.GRADING.MASK: crop, MODEL.GRADING.DISC_DIAMETERS: 2.5}}\n"
    )
    options = ["--data", "phantom_train_grading", "--folds", 2, "--with-disc", "--table", table, "--jobs", 2]
    options += ["--output", tmp_path / "out", *SMALL_GRADING, "SOLVER.EPOCHS", 1, "DATASETS.CHECK", False]
    done = run("compare_grading.py", *options, datasets=datasets)
    assert done.returncode == 0, done.stderr[-3000:]
    text = (tmp_path / "out" / "grading.md").read_text()
    assert "# Graders: phantom_train_grading" in text and "6 photographs" in text
    assert "about the disc - whole" in text and "whole - about" not in text
    left = {path.name for path in (tmp_path / "out").rglob("*.pth")}
    assert left == {"model_best.pth"}
    wrong = run("compare_grading.py", "--data", "x", "--train", "y", "--output", tmp_path, datasets=datasets)
    assert wrong.returncode == 2 and "either --data, or --train, --val and --test" in wrong.stderr


def test_maps_are_held_against_the_boxes_of_discs(phantoms, tmp_path):
    from fundus_plugins.prediction.explanation import explain

    datasets = tmp_path / "boxes"
    shutil.copytree(phantoms, datasets)
    path = datasets / "phantom" / "test_grading.json"
    document = json.loads(path.read_text())
    height = document["images"][0]["height"]
    document["images"][0]["disc_box"] = [32.0, height / 2, 32.0, height / 8]
    path.write_text(json.dumps(document))
    fundus_plugins.register_fundus_datasets(str(datasets))
    cfg = grading_config("ranking_cnn", "MODEL.GRADING.FC_DIM", 0)
    found = list(explain(fundus_plugins.FundusTrainer.build_model(cfg), cfg, "phantom_test_grading"))
    disc = found[0].disc  # photographs 128 pixels wide, as squares of 64
    rows, columns = disc.any(1).nonzero()[0], disc.any(0).nonzero()[0]
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (32, 39, 16, 31)
    assert abs(disc.sum() - 3.14159 * 8 * 4) < 8
    assert found[1].disc is not None and found[1].disc.sum() != disc.sum()  # of the masks beside the grades
    fundus_plugins.register_fundus_datasets(str(phantoms))


def test_a_run_on_other_folds_is_not_gone_on_with(phantoms, tmp_path):
    from fundus_plugins.experiments.grading_runs import Split, _refuse_other_photographs

    datasets = tmp_path / "folds"
    shutil.copytree(phantoms, datasets)
    fundus_plugins.register_fundus_datasets(str(datasets))
    split = Split(*(f"phantom_{part}_grading" for part in ("train", "val", "test")))
    for _ in range(2):
        _refuse_other_photographs(tmp_path / "sets.json", split)
    path = datasets / "phantom" / "test_grading.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"images": document["images"][:1], "annotations": []}))
    with pytest.raises(ValueError, match="sets.json is of a run on other photographs"):
        _refuse_other_photographs(tmp_path / "sets.json", split)
    fundus_plugins.register_fundus_datasets(str(phantoms))
