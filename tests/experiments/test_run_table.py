"""tools/run_table.py as a user runs it: Mask R-CNN on phantoms, killed in the middle and run again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from tests.conftest import ROOT, SMALL

OPTIONS = [
    *SMALL,
    "SOLVER.WARMUP_ITERS",
    1,
    "SOLVER.MAX_ITER",
    8,
    "SOLVER.CHECKPOINT_PERIOD",
    2,
    "TEST.SAVE_MASKS",
    "png",
]


def wait_for(path, process, seconds=240):
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None and time.monotonic() < end, f"{path} never came; exit code {process.poll()}"
        time.sleep(0.005)


@pytest.mark.slow
def test_killed_and_run_again(phantoms, tmp_path):
    config = str(ROOT / "configs" / "baselines" / "mask_rcnn_refuge.yaml")
    table = {"title": "One", "reference": "Mask R-CNN", "rows": [{"name": "Mask R-CNN", "config": config}]}
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(table))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DETECTRON2_DATASETS": str(phantoms), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "tools" / "run_table.py"), "--table", str(tmp_path / "one.yaml")]
    command += ["--dataset", "phantom_train", "--folds", "2", "--output", str(tmp_path / "out"), *map(str, OPTIONS)]
    options = {"cwd": ROOT, "env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}

    folds = [tmp_path / "out/runs/mask_rcnn_refuge/seed0" / f"train_fold{fold}of2_seed0" for fold in (0, 1)]
    with subprocess.Popen(command, start_new_session=True, **options) as process:
        wait_for(folds[1] / "last_checkpoint", process)
        os.killpg(process.pid, signal.SIGKILL)
    assert (folds[0] / "result.json").exists() and not (folds[1] / "result.json").exists()
    assert json.loads((tmp_path / "out" / "one.json").read_text())["rows"][0]["runs"] == 1
    before = (folds[0] / "result.json").stat().st_mtime_ns

    done = subprocess.run([*command, "--jobs", "2"], timeout=300, **options)
    assert done.returncode == 0 and "fold 0: was there" in done.stdout and "fold 1: done" in done.stdout, done.stdout
    assert (folds[0] / "result.json").stat().st_mtime_ns == before
    log = (folds[1] / "train.log").read_text()
    assert log.count("Starting training from iteration 0") == 1 and "Starting training from iteration 2" in log
    results = [json.loads((fold / "result.json").read_text()) for fold in folds]
    assert [len(result["commits"]) for result in results] == [1, 2]
    assert all(result["seconds_per_iteration"] > 0 and result["seconds_per_image"] > 0 for result in results)
    held_out = sorted(image["image_id"] for result in results for image in result["images"])
    assert held_out == [1, 2, 3, 4, 5, 6]
    row = json.loads((tmp_path / "out" / "one.json").read_text())["rows"][0]
    assert (row["runs"], row["runs_expected"], row["images"]) == (2, 2, 6) and row["parameters"] > 3e6
    dice = np.mean([image["dice_od"] for result in results for image in result["images"]])
    assert row["metrics"]["dice_od"]["mean"] == float(dice)
    images = json.loads((phantoms / "phantom" / "train.json").read_text())["images"]
    sizes = {Path(image["file_name"]).stem: (image["height"], image["width"]) for image in images}
    for fold, result in zip(folds, results):
        assert {path.name for path in fold.glob("*.pth")} == {"model_final.pth"}
        masks = list((fold / "masks").glob("*/*.png"))
        assert {path.stem for path in masks} == {os.path.splitext(image["file_name"])[0] for image in result["images"]}
        assert all(cv2.imread(str(path)).shape[:2] == sizes[path.stem] for path in masks)
