"""Runs of a table with a trainer that only pretends: skipping, resuming, failing, waiting, refusing."""

import dataclasses
import fcntl
import json
import sys
import threading
import time

import pytest
from detectron2.modeling import build_model

import fundus_plugins
from fundus_plugins.experiments.runs import Run, RunFailed, execute
from tests.conftest import ROOT, SMALL

# Writes what tools/train_net.py leaves, and notes that it was called.
TRAINER = """
import json, os, pathlib, sys
options = dict(zip(sys.argv[4::2], sys.argv[5::2]))
assert sys.argv[1:4:2] == ["--config-file", "--resume"], sys.argv
folder = pathlib.Path(options["OUTPUT_DIR"])
with open(folder / "calls", "a") as file:
    file.write("1")
if (folder / "fail").exists():
    sys.exit("no memory left")
(folder / "evaluation").mkdir(exist_ok=True)
(folder / "evaluation" / "here_images.csv").write_text(
    "file_name,image_id,score,dice_od,dice_oc\\r\\n/data/a.png,1,nan,0.0,0.0\\r\\n/data/b.png,2,0.9,0.8,nan\\r\\n"
)
(folder / "metrics.json").write_text('{"time": 0.5}\\n{"time": 0.3}\\n{"time": 9.0}\\n{"ti')
(folder / "log.txt").write_text(
    "Total inference pure compute time: 0:00:01 (0.900000 s / iter per device, on 1 devices)\\n"
    "Total inference time: 0:00:09 (8.000000 s / iter per device, on 1 devices)\\n"
    "Total inference pure compute time: 0:00:01 (0.250000 s / iter per device, on 1 devices)\\n"
)
for name in ("model_0000009.pth", "model_final.pth"):
    (folder / name).write_text("")
"""


@pytest.fixture
def trainer(tmp_path):
    path = tmp_path / "trainer.py"
    path.write_text(TRAINER)
    return [sys.executable, str(path)]


@pytest.fixture
def run(tmp_path):
    files = {"fit": tmp_path / "fit.json", "val": tmp_path / "val.json"}
    for path in files.values():
        path.write_text("{}")
    folder = tmp_path / "run"
    options = [*SMALL, "DATASETS.TEST", ("here",), "SOLVER.MAX_ITER", 7, "OUTPUT_DIR", folder]
    config = str(ROOT / "configs" / "Base-RFNet.yaml")
    return Run("a row", 0, 1, folder, config, tuple(map(str, options)), files)


def calls(run):
    return len((run.folder / "calls").read_text())


def test_a_result_holds_what_the_table_needs(run, trainer, small_cfg):
    result, done = execute(run, trainer)
    assert done and (result["row"], result["seed"], result["fold"], result["iterations"]) == ("a row", 0, 1, 7)
    assert result["images"] == [
        {"file_name": "a.png", "image_id": 1, "score": None, "dice_od": 0.0, "dice_oc": 0.0},
        {"file_name": "b.png", "image_id": 2, "score": 0.9, "dice_od": 0.8, "dice_oc": None},
    ]
    assert result["seconds_per_iteration"] == 0.5 and result["seconds_per_image"] == 0.25
    assert result["parameters"] == sum(p.numel() for p in build_model(small_cfg).parameters())
    assert result["command"].startswith("fundus train --config-file") and len(result["commits"]) == 1
    assert {path.name for path in run.folder.glob("*.pth")} == {"model_final.pth"}


def test_a_finished_run_is_not_done_again(run, trainer):
    first, _ = execute(run, trainer)
    before = run.result_file.stat().st_mtime_ns
    assert execute(run, trainer) == (first, False)
    assert calls(run) == 1 and run.result_file.stat().st_mtime_ns == before


def test_a_failed_run_says_so_and_can_be_done_later(run, trainer):
    run.folder.mkdir()
    (run.folder / "fail").touch()
    with pytest.raises(RunFailed, match=r"exit code 1; see .*train\.log"):
        execute(run, trainer)
    assert not run.result_file.exists() and "no memory left" in (run.folder / "train.log").read_text()
    (run.folder / "fail").unlink()
    result, done = execute(run, trainer)
    assert done and calls(run) == 2 and len(result["commits"]) == 2


@pytest.mark.parametrize("finished", [True, False])
def test_other_settings_are_refused(run, trainer, finished):
    execute(run, trainer)
    if not finished:
        run.result_file.unlink()
    other = dataclasses.replace(run, options=(*run.options, "SOLVER.MAX_ITER", "8"))
    with pytest.raises(RunFailed, match="other settings: SOLVER.MAX_ITER is 7 there and 8 now; choose another"):
        execute(other, trainer)
    run.files["val"].write_text("{ }")
    with pytest.raises(RunFailed, match="other settings: val sha256"):
        execute(run, trainer)
    assert calls(run) == 1


def test_a_file_that_the_config_names_is_a_setting(run, trainer, tmp_path):
    """Discs that were looked for anew are not those of before."""
    (tmp_path / "discs.json").write_text("{}")
    options = (*run.options, "INPUT.DISC_CROP.DISCS", str(tmp_path / "discs.json"))
    run = dataclasses.replace(run, options=options)
    execute(run, trainer)
    assert execute(run, trainer)[1] is False
    (tmp_path / "discs.json").write_text("{ }")
    with pytest.raises(RunFailed, match="other settings: INPUT.DISC_CROP.DISCS sha256"):
        execute(run, trainer)
    started = json.loads((run.folder / "started.json").read_text())
    del started["settings"]["INPUT.DISC_CROP.DISCS sha256"]  # as runs of before
    (run.folder / "started.json").write_text(json.dumps(started))
    assert execute(run, trainer)[1] is False


def test_a_training_that_outlived_its_starter_is_waited_for(run, trainer, capsys):
    run.folder.mkdir()
    with open(run.folder / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        thread = threading.Thread(target=execute, args=(run, trainer))
        thread.start()
        time.sleep(0.5)
        assert not (run.folder / "calls").exists()
    thread.join(60)
    assert calls(run) == 1 and "waiting for the process that trains there" in capsys.readouterr().out


def test_the_lock_goes_on_to_the_trainer(run, tmp_path):
    """The training process itself holds it, so it is held even when its starter is gone."""
    script = tmp_path / "holder.py"
    script.write_text(
        "import fcntl, sys\nfile = open(sys.argv[sys.argv.index('OUTPUT_DIR') + 1] + '/.lock')\n"
        "import os\nopen_here = [os.path.realpath(f'/proc/self/fd/{x}') for x in os.listdir('/proc/self/fd')]\n"
        "sys.exit(7 if open_here.count(os.path.realpath(file.name)) == 2 else 8)\n"
    )
    with pytest.raises(RunFailed, match="exit code 7"):
        execute(run, [sys.executable, str(script)])


def test_settings_are_the_whole_config(run, trainer):
    execute(run, trainer)
    settings = json.loads((run.folder / "started.json").read_text())["settings"]
    assert settings["SOLVER.MAX_ITER"] == "7" and settings["MODEL.RFNET.POOLING"] == "'fusion'"
    assert "OUTPUT_DIR" not in settings and fundus_plugins.get_fundus_cfg().keys() <= {
        x.split(".")[0] for x in settings
    } | {"OUTPUT_DIR"}


def test_a_run_from_before_a_key_is_known_again(run, trainer):
    execute(run, trainer)
    started = json.loads((run.folder / "started.json").read_text())
    del started["settings"]["DATASETS.CHECK"]
    (run.folder / "started.json").write_text(json.dumps(started))
    assert execute(run, trainer)[1] is False
    other = dataclasses.replace(run, options=(*run.options, "DATASETS.CHECK", "False"))
    with pytest.raises(RunFailed, match="DATASETS.CHECK is True there and False now"):
        execute(other, trainer)
