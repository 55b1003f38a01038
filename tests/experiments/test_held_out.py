"""Holding a whole set out, or a fold of each: what is trained on, what is measured, and figures worked by hand."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import yaml

from fundus_plugins.config import get_fundus_cfg
from fundus_plugins.data.registration import register_fundus_datasets
from fundus_plugins.experiments import runs
from fundus_plugins.experiments.held_out import HeldOut, folds_of_each, without_each
from fundus_plugins.experiments.held_out_report import held_out_markdown, report_held_out
from fundus_plugins.experiments.table import Row, Table, plan_held_out, read_table
from tests.conftest import ROOT, SMALL

TRAIN = [
    "DATASETS.TRAIN",
    ("a", "b"),
    "DATASETS.SHARES",
    ["a=1", "b=3"],
    "MODEL.RFNET.READERS",
    ["x=a", "y=b"],
    "TEST.READERS",
    ["x", "y"],
]


def test_a_set_is_left_out_with_its_share_and_its_reader():
    options = HeldOut("without a", {"a": None}, {"a": "a"}).options(get_fundus_cfg("", TRAIN))
    assert options == {
        "DATASETS.TRAIN": ("b",),
        "DATASETS.SHARES": ["b=3"],
        "MODEL.RFNET.READERS": ["y=b"],
        "TEST.READERS": ["y"],
    }
    cfg = get_fundus_cfg("", [*TRAIN, *(str(x) for pair in options.items() for x in pair)])
    assert cfg.DATASETS.TRAIN == ("b",) and cfg.MODEL.RFNET.READERS == ["y=b"]


def test_a_fold_takes_over_its_sets_share_and_reader():
    options = HeldOut("fold 0", {"a": "a_fit", "b": "b_fit"}, {}).options(get_fundus_cfg("", TRAIN))
    assert options["DATASETS.TRAIN"] == ("a_fit", "b_fit")
    assert options["DATASETS.SHARES"] == ["a_fit=1", "b_fit=3"]
    assert options["MODEL.RFNET.READERS"] == ["x=a_fit", "y=b_fit"]


@pytest.mark.parametrize(
    "replaced, message",
    [({"c": None}, "c is to be held out, and DATASETS.TRAIN is a, b"), ({"a": None, "b": None}, "nothing is left")],
)
def test_what_cannot_be_held_out(replaced, message):
    with pytest.raises(ValueError, match=message):
        HeldOut("", replaced, {}).options(get_fundus_cfg("", TRAIN))


def test_cuts(phantoms):
    register_fundus_datasets(str(phantoms))
    cuts = without_each([["phantom_train"], ["phantom_val", "phantom_train"]], ["phantom_test"])
    assert [cut.name for cut in cuts] == ["without phantom_train", "without phantom_val and phantom_train"]
    assert [list(cut.measured) for cut in cuts] == [
        ["phantom_train", "phantom_test"],
        ["phantom_val", "phantom_train", "phantom_test"],
    ]
    assert cuts[1].replaced == {"phantom_val": None, "phantom_train": None}


def table(config, **changes):
    return Table("T", "one", "", [Row("one", config, {}, {})], **changes)


def test_folds_of_each_and_the_runs(phantoms, tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(phantoms))
    register_fundus_datasets()
    cuts = folds_of_each([["phantom_train"], ["phantom_val"]], ["phantom_test"], 2, 0)
    path = tmp_path / "c.yaml"
    path.write_text("DATASETS:\n  TRAIN: ('phantom_train', 'phantom_val')\n")
    one = table(str(path), held_out=(("phantom_train", "phantom_val"),), always=("phantom_test",))
    runs = plan_held_out(one, cuts, seeds=[0, 1], output=tmp_path)
    assert [(run.seed, run.held_out) for run in runs] == [(s, f"fold {f} of 2, seed 0") for s in (0, 1) for f in (0, 1)]
    cfg = get_fundus_cfg(runs[0].config, runs[0].options)
    assert cfg.DATASETS.TRAIN == ("phantom_train_fold0of2_seed0_fit", "phantom_val_fold0of2_seed0_fit")
    assert cfg.DATASETS.TEST == () and cfg.TEST.EVAL_PERIOD == 0
    assert runs[0].measured["phantom_val"] == "phantom_val_fold0of2_seed0_val"
    assert get_fundus_cfg(runs[0].config, runs[0].options).TEST.READERS == []
    assert set(runs[0].files) == {*cfg.DATASETS.TRAIN, *runs[0].measured.values()}
    assert all(file.is_file() for file in runs[0].files.values())
    with pytest.raises(ValueError, match="row one: it trains on phantom_val, which no run may"):
        plan_held_out(table(str(path), always=("phantom_val",)), cuts, seeds=[0], output=tmp_path)


def test_no_photograph_is_trained_on_and_measured(phantoms, tmp_path, monkeypatch):
    """By their files, whatever the sets are called."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(phantoms))
    register_fundus_datasets()
    copy = phantoms / "phantom" / "copy.json"
    copy.write_text((phantoms / "phantom" / "val.json").read_text())
    path = tmp_path / "c.yaml"
    path.write_text("DATASETS:\n  TRAIN: ('phantom_train', 'phantom_val')\n")
    with pytest.raises(ValueError, match=r"row one: .*jpg is in .*copy.json, which is measured, and in phantom_val"):
        cuts = without_each([["phantom_train"]], [str(copy)])
        plan_held_out(table(str(path)), cuts, seeds=[0], output=tmp_path)
    cuts = without_each([["phantom_train", "phantom_val"]], [str(copy)])
    with pytest.raises(ValueError, match="nothing is left"):
        plan_held_out(table(str(path)), cuts, seeds=[0], output=tmp_path)
    copy.unlink()


def test_sets_that_are_not_there_say_what_makes_them(phantoms, tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(phantoms))
    register_fundus_datasets()
    with pytest.raises(FileNotFoundError, match="data set hemo_train: nothing is registered under this name"):
        without_each([["hemo_train"]], [])
    with pytest.raises(FileNotFoundError, match="make it with: fundus convert refuge"):
        folds_of_each([["refuge_train"]], [], 2, 0)


def test_folds_of_a_path(phantoms, tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(phantoms))
    register_fundus_datasets()
    own = phantoms / "phantom" / "mine.json"
    own.write_text((phantoms / "phantom" / "train.json").read_text())
    path = tmp_path / "c.yaml"
    path.write_text(f"DATASETS:\n  TRAIN: ('{own}', 'phantom_val')\n")
    cuts = folds_of_each([[str(own)]], [], 2, 0)
    runs = plan_held_out(table(str(path)), cuts, seeds=[0], output=tmp_path)
    assert len(runs) == 2 and all(file.is_file() for run in runs for file in run.files.values())
    for file in [own, *(phantoms / "phantom").glob("mine_fold*")]:
        file.unlink()


def image(name, dice, place=1.0, flagged=0.0, bias=0.1, cup=0.5, agreement=0.97, ellipse=0.97):
    vcdr = {"vcdr_mae": None if bias is None else abs(bias), "vcdr_bias": bias, "dice_oc": cup, "detection_rate": 1.0}
    signals = {"agreement": agreement, "ellipse": ellipse, "flagged": flagged}
    return (
        {"set": "s", "image_id": int(name), "file_name": "same.png", "dice_od": dice, "right_place": place}
        | signals
        | vcdr
    )


def result(row, held_out, *images):
    about = {"seed": 0, "command": "fundus train", "commits": ["c"], "measured_commit": "d"}
    return {"row": row, "held_out": held_out, "images": images} | about


def test_figures_by_hand():
    two = Table("T", "old", "", [Row("old", "rfnet_refuge.yaml", {}, {}), Row("new", "rfnet_refuge.yaml", {}, {})])
    results = [
        result("old", "all", image("1", 0.5), image("2", 0.7, place=0.0, bias=None, cup=None)),
        result("new", "a", image("1", 0.6, bias=-0.1), image("2", 0.8, place=0.0, flagged=1.0, bias=None, cup=None)),
        result("new", "b", image("1", 0.8, bias=0.3), image("2", 1.0, bias=None, cup=None)),
    ]
    report = report_held_out(two, results, seeds=[0], command="fundus table")
    old, new = report["rows"]
    assert (old["photographs"], old["measured"], new["measured"]) == (2, 2, 4)
    assert old["metrics"]["dice_od"]["of"][0] == pytest.approx(0.6)
    assert new["metrics"]["dice_od"]["of"][0] == pytest.approx(0.8)  # of 0.7 and 0.9, means over two runs
    assert new["metrics"]["dice_od"]["less"][0] == pytest.approx(0.2)
    assert new["metrics"]["vcdr_bias"]["of"][0] == pytest.approx(0.1)
    assert new["metrics"]["vcdr_mae"]["of"][0] == pytest.approx(0.2)
    assert math.isclose(new["metrics"]["right_place"]["of"][0], 0.75)
    assert old["unflagged"] == 1 and new["unflagged"] == 0
    text = held_out_markdown(report)
    text = " ".join(text.split())
    assert "| s | new | 2 | 0.800 (" in text and "1 of 2" in text and "+0.200" in text
    assert json.loads(json.dumps(report))["rows"][1]["set"] == "s"


def test_limits_chosen_afterwards_flag_what_was_measured():
    limits = {"TEST.FLAG_BELOW": 0.9, "TEST.FLAG_ELLIPSE_BELOW": 0.95}
    one = Table("T", "r", "", [Row("r", "rfnet_refuge.yaml", limits, {})])
    images = [image("1", 1, agreement=0.89), image("2", 1, ellipse=0.9), image("3", 1), image("4", 1, agreement=None)]
    (row,) = report_held_out(one, [result("r", "all", *images)], seeds=[0], command="c")["rows"]
    assert row["metrics"]["flagged"]["of"][0] == 0.5
    higher = ["TEST.FLAG_BELOW", "0.99"]  # the row's own keys come last
    none = Table("T", "r", "", [Row("r", "rfnet_refuge.yaml", {}, {})])
    for asked, flagged in ((one, 0.5), (none, 0.75)):
        (row,) = report_held_out(asked, [result("r", "all", *images)], seeds=[0], command="c", options=higher)["rows"]
        assert row["metrics"]["flagged"]["of"][0] == flagged


@pytest.mark.parametrize("limit, judged", [(0.9, True), (0.0, False)])
def test_photographs_are_judged_where_the_row_flags(tmp_path, monkeypatch, limit, judged):
    """The limits are left to whoever reads the figures, but for whether there is one."""
    asked = []
    monkeypatch.setattr(runs, "FundusPredictor", lambda cfg: asked.append(cfg.TEST))
    found = {"file_name": "/x/a.jpg", "vcdr": 0.5, "alteration": "", "level": 0}
    monkeypatch.setattr(runs, "measure", lambda *_: [found])
    options = ["TEST.FLAG_BELOW", limit, "TEST.FLAG_ELLIPSE_BELOW", 0.95, "TEST.VCDR_MARGIN", 0.1]
    run = runs.Run("r", 0, 0, tmp_path, "rfnet_refuge.yaml", tuple(options), {}, "all", {"phantom": "phantom_test"})
    assert runs._measured(run) == [{"set": "phantom", "file_name": "a.jpg", "vcdr": 0.5}]
    (test,) = asked
    assert (0 < test.FLAG_BELOW < 1e-6) == judged
    assert test.FLAG_ELLIPSE_BELOW == test.VCDR_MARGIN == 0
    (tmp_path / "test.json").write_text("{}")  # and it is measured anew where that changes
    measured_with = runs._measuring(replace(run, files={"phantom_test": tmp_path / "test.json"}))
    assert ("gradability sha256" in measured_with) == judged


def test_the_interval_of_the_reference_over_sets():
    one = Table("T", "r", "", [Row("r", "rfnet_refuge.yaml", {}, {})])
    sets = {
        "a": [image(str(i), 0.9, bias=0.01 * i) for i in range(20)],
        "b": [image(str(i), 0.9, bias=0.3) for i in range(20)],
    }
    images = [x | {"set": name} for name, same in sets.items() for x in same]
    images.append(image("99", 0.0, bias=-0.9) | {"set": "b", "detection_rate": 0.0})  # a missed disc has no interval
    report = report_held_out(one, [result("r", "all", *images)], seeds=[0], command="c")
    assert report["intervals"] == {"margin": pytest.approx(0.3), "worst": "b", "covered": {"a": 1.0, "b": 0.0}}
    assert "With the margin of the others it holds, of each: a 100%, b 0%." in held_out_markdown(report)


def test_the_interval_is_of_one_prediction_however_many_there_are():
    """Errors of 0 to 0.19 in each of two runs, whose mean is 0.095 everywhere."""
    one = Table("T", "r", "", [Row("r", "rfnet_refuge.yaml", {}, {})])
    errors = [[0.01 * i for i in range(20)], [0.01 * (19 - i) for i in range(20)]]
    several = [result("r", "all", *(image(str(i), 0.9, bias=x) for i, x in enumerate(run))) for run in errors]
    report = report_held_out(one, several, seeds=[0, 1], command="c")
    assert 0.17 <= report["intervals"]["margin"] <= 0.19


def test_one_set_alone_has_an_interval_and_no_coverage():
    images = [image(str(i), 0.9, bias=0.01 * i) for i in range(12)]
    one = Table("T", "r", "", [Row("r", "rfnet_refuge.yaml", {}, {})])
    report = report_held_out(one, [result("r", "all", *images)], seeds=[0], command="c")
    assert report["intervals"]["margin"] is not None and report["intervals"]["covered"] == {"s": None}
    json.dumps(report, allow_nan=False)
    assert "nan" not in held_out_markdown(report)


def test_a_table_names_its_sets(tmp_path):
    path = tmp_path / "t.yaml"
    row = {"name": "r", "config": "rfnet_refuge.yaml"}
    document = {"title": "t", "reference": "r", "rows": [row], "held_out": ["a", ["b", "d"]], "always": ["c"]}
    path.write_text(yaml.safe_dump(document))
    found = read_table(path)
    assert found.held_out == (("a",), ("b", "d")) and found.always == ("c",)


@pytest.mark.slow
def test_as_a_process(phantoms, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(
        "_BASE_: " + str(ROOT / "configs" / "Base-RFNet.yaml") + "\nDATASETS:\n"
        "  TRAIN: ('phantom_train', 'phantom_val')\n  SHARES: ['phantom_train=1', 'phantom_val=1']\n"
    )
    sets = {"held_out": ["phantom_val"], "always": ["phantom_test"]}
    path = tmp_path / "sources.yaml"
    row = {"name": "r", "config": str(config)}
    path.write_text(yaml.safe_dump({"title": "t", "reference": "r", "rows": [row]} | sets))
    options = [*SMALL, "SOLVER.MAX_ITER", 2, "SOLVER.WARMUP_ITERS", 1]
    command = [sys.executable, "-m", "fundus_plugins", "table", "--table", str(path), "--output", str(tmp_path / "out")]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DETECTRON2_DATASETS": str(phantoms)}
    command += map(str, options)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = json.loads((tmp_path / "out" / "sources.json").read_text())["rows"]
    assert [(row["set"], row["photographs"], row["measured"]) for row in rows] == [
        ("phantom_val", 2, 2),
        ("phantom_test", 2, 2),
    ]
    folder = next((tmp_path / "out" / "runs").glob("*/*/*"))
    trained = (folder / "model_final.pth").stat().st_mtime_ns
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0 and again.stdout.count("was there") == 1
    # With other keys of the measurement it is measured anew, not trained; with others of the training it is refused.
    again = subprocess.run(
        [*command, "TEST.ELLIPSE_WEIGHT", "1.0"], env=environment, capture_output=True, text=True, timeout=300
    )
    assert again.returncode == 0 and again.stdout.count(": done") == 1, again.stderr[-3000:]
    assert (folder / "model_final.pth").stat().st_mtime_ns == trained
    measured_with = json.loads((folder / "result.json").read_text())["measured_with"]
    assert measured_with["TEST.ELLIPSE_WEIGHT"] == "1.0"
    assert "torch.float" in measured_with["TEST.PRECISION"]  # what auto came to on this machine
    again = subprocess.run(
        [*command, "SOLVER.BASE_LR", "0.1"], env=environment, capture_output=True, text=True, timeout=300
    )
    assert again.returncode == 1 and "holds a run with other settings: SOLVER.BASE_LR" in again.stderr
