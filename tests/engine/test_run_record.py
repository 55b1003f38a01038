"""What made a run is kept with it, and does it again."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from detectron2.data import DatasetCatalog

from fundus_plugins.cli.main import main
from fundus_plugins.data.registration import register_fundus_datasets
from fundus_plugins.engine.run_record import (
    FILE,
    compare_metrics,
    describe,
    list_differences,
    read_starts,
    recorded_cfg,
    refuse_other_data,
)
from tests.cli.run import run
from tests.conftest import ROOT, SMALL

CONFIG = str(ROOT / "configs" / "Base-RFNet.yaml")
OPTIONS = [
    *SMALL, "DATASETS.TRAIN", ("phantom_train",), "DATASETS.TEST", ("phantom_val",), "SOLVER.MAX_ITER", 4,
    "TEST.EVAL_PERIOD", 2,
]  # fmt: skip


@pytest.fixture(scope="module")
def data(phantoms, tmp_path_factory):
    """A copy of the phantoms, which a test may change."""
    root = tmp_path_factory.mktemp("data")
    shutil.copytree(phantoms, root / "datasets")
    return root / "datasets"


@pytest.fixture(scope="module")
def first(data, tmp_path_factory):
    """A run of four iterations without a seed; its folder."""
    output = tmp_path_factory.mktemp("runs") / "first"
    done = run("train_net.py", "--config-file", CONFIG, *OPTIONS, "OUTPUT_DIR", output, datasets=data)
    assert done.returncode == 0, done.stderr[-2000:]
    return output


@pytest.mark.slow
def test_a_run_is_done_again_to_the_bit(first, data, tmp_path):
    second = tmp_path / "second"
    done = run("train_net.py", "--from-run", first, "OUTPUT_DIR", second, datasets=data)
    assert done.returncode == 0, done.stderr[-2000:]
    told = done.stdout + done.stderr
    assert "is done again. Everything is as it was" in told
    assert "the same to the bit" in told
    weights = [torch.load(x / "model_final.pth", weights_only=True)["model"] for x in (first, second)]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def test_the_record_says_what_made_the_run(first):
    (start,) = read_starts(first)
    assert "train_net.py" in start["command"] and start["processes"] == 1
    assert set(start["data"]) == {"phantom_train", "phantom_val"}
    assert {"torch", "numpy", "Python", "processor"} <= start["environment"].keys()
    seed = next(line for line in start["config"].splitlines() if line.startswith("SEED:"))
    assert int(seed.split()[1]) >= 0


@pytest.mark.slow
def test_a_resumed_run_keeps_its_seed_and_both_starts(first, data, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(first, again)
    options = ["OUTPUT_DIR", again, "SOLVER.MAX_ITER", 5]
    done = run("train_net.py", "--config-file", CONFIG, "--resume", *OPTIONS, *options, datasets=data)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Not as at the start before: SOLVER.MAX_ITER: 4, now 5" in done.stdout + done.stderr
    starts = read_starts(again)
    assert len(starts) == 2 and len({x["config"].partition("SEED:")[2].split()[0] for x in starts}) == 1


def test_other_photographs_are_refused(first, data, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(data))
    register_fundus_datasets()
    (start,) = read_starts(first)
    cfg = recorded_cfg(first, ["OUTPUT_DIR", "elsewhere"])
    assert refuse_other_data(first, start | {"data": describe(cfg)["data"]}) == []
    photograph = Path(DatasetCatalog.get("phantom_train")[-1]["file_name"])
    before = photograph.read_bytes()
    photograph.write_bytes(before + b"\0")
    try:
        with pytest.raises(ValueError, match="data set phantom_.*: it is not what it was for the run in"):
            refuse_other_data(first, describe(cfg))
    finally:
        photograph.write_bytes(before)
        register_fundus_datasets(str(ROOT / "datasets"))


WRONG = {
    "no run": (["--from-run", "{empty}", "OUTPUT_DIR", "x"], "expected a training run with its run.json"),
    "something else": (["--from-run", "{other}", "OUTPUT_DIR", "x"], "found another content"),
    "no other folder": (["--from-run", "{first}"], "expected OUTPUT_DIR and another folder"),
    "the same folder": (["--from-run", "{first}", "OUTPUT_DIR", "{first}"], "expected OUTPUT_DIR and another"),
    "both": (["--from-run", "{first}", "--config-file", CONFIG], "give --config-file or --from-run, one of them"),
    "neither": ([], "give --config-file or --from-run, one of them"),
    "evaluation": (["--from-run", "{first}", "--eval-only"], "--from-run trains"),
    "an unknown key": (["--from-run", "{first}", "SOLVER.NONE", "1"], "SOLVER.NONE"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_words(first, tmp_path, what, capsys):
    words, told = WRONG[what]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / FILE).write_text('{"starts": [{"config": 3}]}')
    words = [x.format(first=first, empty=tmp_path / "empty", other=tmp_path / "other") for x in words]
    assert main(["train", *words]) == 2
    assert told in capsys.readouterr().err.strip().splitlines()[-1]


def test_metrics_are_compared_where_both_have_them(tmp_path):
    for name, lines in {
        "a": ['{"iteration": 19, "total_loss": 2.0, "time": 1.0}', '{"iteration": 39, "total_loss": 1.0}', '{"iter'],
        "b": ['{"iteration": 19, "total_loss": 2.0, "time": 9.0}', '{"iteration": 39, "total_loss": 1.25}'],
        "c": ['{"iteration": 5, "total_loss": 2.0}'],
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text("\n".join(lines))
    assert compare_metrics(tmp_path / "a", tmp_path / "a") == "the same to the bit: all 2 values of metrics.json"
    told = compare_metrics(tmp_path / "a", tmp_path / "b")
    assert told.startswith("1 of 2 values") and told.endswith("is 0.2 (total_loss, iteration 39)")
    assert compare_metrics(tmp_path / "a", tmp_path / "c").startswith("nothing to compare")


def test_what_is_no_number_is_the_same_only_in_both(tmp_path):
    for name, value in {"a": "NaN", "b": "NaN", "c": "0.25"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(f'{{"iteration": 3, "hd95": {value}, "dice": 0.5}}')
    assert compare_metrics(tmp_path / "a", tmp_path / "b").startswith("the same to the bit: all 2")
    for one, other in ("ac", "ca"):
        told = compare_metrics(tmp_path / one, tmp_path / other)
        assert told.startswith("1 of 2 values") and told.endswith("is inf (hd95, iteration 3)")


def test_differences_of_every_kind_are_listed(first):
    (start,) = read_starts(first)
    other = json.loads(json.dumps(start))
    other["environment"]["torch"] = "1.0"
    other["commit"] = "another"
    other["command"] = "another"
    del other["data"]["phantom_val"]
    lines = list_differences(start, other)
    assert [line.partition(":")[0] for line in lines] == ["commit", "environment.torch", "data.phantom_val"]
