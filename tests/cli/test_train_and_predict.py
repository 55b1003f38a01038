"""Each tool as a user runs it, and training that is interrupted and resumed."""

import csv
import json
from types import SimpleNamespace

import cv2
import pytest
import torch

import fundus_plugins
from fundus_plugins.engine.autocast import CPUAutocastTrainer
from fundus_plugins.engine.hooks import BestCheckpointer
from tests.cli.run import run
from tests.conftest import ROOT, SMALL

CONFIG = str(ROOT / "configs" / "Base-RFNet.yaml")
TRAINING = [
    *SMALL, "DATASETS.TRAIN", ("phantom_train",), "DATASETS.TEST", ("phantom_val",),
    "SOLVER.WARMUP_ITERS", 1, "SEED", 1,
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(phantoms, tmp_path_factory):
    """`train_net.py` run for three iterations; its output folder."""
    output = tmp_path_factory.mktemp("run")
    options = ["SOLVER.MAX_ITER", 3, "TEST.EVAL_PERIOD", 2, "SOLVER.CHECKPOINT_PERIOD", 2, "OUTPUT_DIR", output]
    done = run("train_net.py", "--config-file", CONFIG, *TRAINING, *options, datasets=phantoms)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "phantom_val, 2 images" in done.stdout and "detection_rate" in done.stdout and "95 % interval" in done.stdout
    return output


@pytest.mark.slow
def test_training_leaves_what_detectron2_users_expect(trained):
    names = {path.name for path in trained.iterdir()}
    assert {"model_final.pth", "model_0000001.pth", "model_best.pth", "last_checkpoint", "config.yaml"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    lines = [json.loads(line) for line in (trained / "metrics.json").read_text().splitlines()]
    assert any("total_loss" in line for line in lines) and "disc_cup/dice_od" in lines[-1]
    assert (trained / "evaluation" / "phantom_val_images.csv").exists()


@pytest.mark.slow
def test_eval_only_on_another_split(trained, phantoms, tmp_path):
    options = ["MODEL.WEIGHTS", trained / "model_best.pth", "DATASETS.TEST", ("phantom_test",), "OUTPUT_DIR", tmp_path]
    done = run("train_net.py", "--config-file", trained / "config.yaml", "--eval-only", *options, datasets=phantoms)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads((tmp_path / "evaluation" / "phantom_test_metrics.json").read_text())["images"] == 2


@pytest.mark.slow
def test_eval_only_without_weights_never_runs_an_untrained_model(trained, phantoms, tmp_path):
    options = ["MODEL.WEIGHTS", "nowhere.pth", "OUTPUT_DIR", tmp_path]
    done = run("train_net.py", "--config-file", trained / "config.yaml", "--eval-only", *options, datasets=phantoms)
    assert done.returncode == 2 and "error: MODEL.WEIGHTS: no file 'nowhere.pth'" in done.stderr


@pytest.mark.slow
def test_missing_data_set_is_one_clear_line(tmp_path):
    done = run("train_net.py", "--config-file", "configs/rfnet_refuge.yaml", "OUTPUT_DIR", tmp_path, datasets=tmp_path)
    assert done.returncode == 2
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("error: ") and str(tmp_path / "refuge" / "train.json") in line
    assert "fundus convert refuge" in line and "Traceback" not in done.stderr


@pytest.mark.slow
def test_predict_a_folder_with_a_broken_photograph(trained, phantoms, tmp_path):
    photographs = phantoms / "phantom" / "raw" / "Test400"
    for path in photographs.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "broken.jpg").write_bytes(b"no photograph")
    output = tmp_path / "out"
    options = ["--weights", trained / "model_best.pth", "--input", tmp_path, "--output", output]
    done = run("predict.py", "--config-file", trained / "config.yaml", *options, datasets=phantoms)
    assert done.returncode == 1 and "broken.jpg" in done.stderr
    with open(output / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["T0001.jpg", "T0002.jpg", "broken.jpg"]
    assert all((row["flagged"] == "1") == bool(row["reasons"]) for row in rows)
    assert rows[2]["status"] == "failed" and (output / "report.html").is_file()
    done = run(
        "predict.py", "--config-file", trained / "config.yaml", *options[2:], "TEST.FLIP", "none", datasets=phantoms
    )
    assert done.returncode == 2 and "Non-existent key: TEST.FLIP" in done.stderr and "Traceback" not in done.stderr
    no_weights = ["--config-file", "configs/rfnet_drishti.yaml", *options[2:-1], tmp_path / "none"]
    done = run("predict.py", *no_weights, datasets=phantoms)
    assert done.returncode == 2 and "error: MODEL.WEIGHTS" in done.stderr  # not the packaged ones
    done = run("predict.py", "--config-file", CONFIG, *options[:-1], tmp_path, datasets=phantoms)
    assert done.returncode == 2 and "choose another folder" in done.stderr
    assert cv2.imread(str(output / "overlays" / "T0001_jpg.jpg")).shape == cv2.imread(str(tmp_path / "T0001.jpg")).shape


def test_weights_that_do_not_fit_are_refused(small_cfg, trained):
    small_cfg.MODEL.FPN.OUT_CHANNELS = 8
    small_cfg.MODEL.WEIGHTS = str(trained / "model_best.pth")
    with pytest.raises(RuntimeError, match="model_best.pth does not fit"):
        fundus_plugins.FundusPredictor(small_cfg)


@pytest.mark.slow
@pytest.mark.parametrize("amp", [False, True])
def test_resuming_goes_on_where_it_stopped(phantoms, tmp_path, amp):
    fundus_plugins.register_fundus_datasets(str(phantoms))

    def build(iterations, resume):
        options = ["SOLVER.AMP.ENABLED", amp, "TEST.EVAL_PERIOD", 1, "SOLVER.MAX_ITER", iterations]
        trainer = fundus_plugins.FundusTrainer(
            fundus_plugins.get_fundus_cfg(CONFIG, [*TRAINING, *options, "OUTPUT_DIR", str(tmp_path)])
        )
        assert isinstance(trainer._trainer, CPUAutocastTrainer) == amp
        trainer.resume_or_load(resume=resume)
        return trainer

    first = build(2, resume=False)
    first.train()
    second = build(3, resume=True)
    assert second.start_iter == 2
    for a, b in zip(first.model.state_dict().values(), second.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    momentum = [[x["momentum_buffer"] for x in t._trainer.optimizer.state.values()] for t in (first, second)]
    assert momentum[0] and all(torch.equal(a, b) for a, b in zip(*momentum, strict=True))
    best = [next(x for x in t._hooks if isinstance(x, BestCheckpointer)) for t in (first, second)]
    assert 0 <= best[0].best_metric == best[1].best_metric
    kept = torch.load(tmp_path / "model_best.pth", weights_only=True)["trainer"]["hooks"]
    assert {"best_metric": best[0].best_metric} in kept.values()
    second.train()
    assert torch.load(tmp_path / "model_final.pth", weights_only=True)["iteration"] == 2


def test_best_weights_are_those_of_the_best_evaluation_across_a_resume():
    class Storage(dict):
        def latest(self):
            return self

    saved = []
    checkpointer = SimpleNamespace(save=lambda name, iteration: saved.append((name, iteration)))
    hook = BestCheckpointer(2, checkpointer, "dice")
    values = {1: 0.5, 3: float("nan"), 5: 0.8, 7: 0.7, 9: 0.75}
    for iteration in range(10):
        if iteration == 7:  # as when resumed from the checkpoint of iteration 5
            state = hook.state_dict()
            hook = BestCheckpointer(2, checkpointer, "dice")
            hook.load_state_dict(state)
        storage = Storage(dice=(values.get(iteration), iteration))
        hook.trainer = SimpleNamespace(iter=iteration, max_iter=10, storage=storage)
        hook.after_step()
    hook.after_train()
    assert saved == [("model_best", 1), ("model_best", 5)]
    hook.metric = "dise"
    with pytest.raises(KeyError, match="TEST.BEST_METRIC.*dise"):
        hook.after_train()


@pytest.mark.slow
def test_released_weights_give_the_same_prediction_without_a_config(trained, phantoms, tmp_path):
    release = tmp_path / "release.safetensors"
    done = run("release_weights.py", "--run", trained, "--output", release, "--command", "as above", datasets=phantoms)
    assert done.returncode == 0 and "MB" in done.stdout, done.stderr[-3000:]
    cfg = fundus_plugins.release_cfg(str(release), ["TEST.PRECISION", "float32"])
    assert cfg.OUTPUT_DIR == "output" and cfg.DATASETS.TRAIN == () and cfg.MODEL.DEVICE == "cpu"
    plain = fundus_plugins.get_fundus_cfg(str(trained / "config.yaml"), ["TEST.PRECISION", "float32"])
    plain.MODEL.WEIGHTS = str(trained / "model_final.pth")
    plain.MODEL.ROI_HEADS.SCORE_THRESH_TEST = cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = 0.0
    photograph = cv2.imread(str(phantoms / "phantom" / "raw" / "Test400" / "T0001.jpg"))
    scores = [fundus_plugins.FundusPredictor(x)(photograph).score for x in (cfg, plain)]
    assert scores[0] == pytest.approx(scores[1], abs=0.01)

    options = ["--weights", release, "--input", phantoms / "phantom" / "raw" / "Test400", "--output", tmp_path / "out"]
    assert run("predict.py", *options, datasets=phantoms).returncode == 0
    done = run("measure_robustness.py", "--runs", release, "--output", tmp_path / "table", datasets=phantoms)
    assert done.returncode == 2 and "release.safetensors has no test set; name one with --dataset" in done.stderr
    options[1] = trained / "model_final.pth"
    done = run("predict.py", *options, datasets=phantoms)
    assert done.returncode == 2 and "expected released weights with their config" in done.stderr
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fundus_plugins.release_cfg("nowhere.safetensors")


@pytest.mark.slow
def test_measure_robustness(trained, phantoms, tmp_path):
    options = ["--runs", trained, "--dataset", "phantom_test", "--output", tmp_path / "table"]
    done = run("measure_robustness.py", *options, "MODEL.ROI_HEADS.SCORE_THRESH_TEST", 0.0, datasets=phantoms)
    assert done.returncode == 0, done.stderr[-3000:]
    with open(tmp_path / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    levels = {(row["alteration"], row["level"]) for row in rows}
    assert len(rows) == 2 * len(levels) and ("gamma", "2.0") in levels and ("unchanged", "0") in levels
    assert "| unchanged" in (tmp_path / "table.md").read_text()
    done = run("measure_robustness.py", "--runs", tmp_path, "--output", tmp_path / "none", datasets=phantoms)
    assert done.returncode == 2 and "config.yaml" in done.stderr and not (tmp_path / "none.csv").exists()
