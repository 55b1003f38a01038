"""Tables' descriptions, the runs they ask for, and figures worked by hand."""

import json

import pytest
import yaml
from detectron2.data import MetadataCatalog

import fundus_plugins
from fundus_plugins.data.folds import write_folds
from fundus_plugins.engine.schedule import is_grading
from fundus_plugins.experiments.report import METRICS, report_table, to_markdown, write_report
from fundus_plugins.experiments.table import plan_runs, read_table
from tests.conftest import ROOT

TABLES = sorted((ROOT / "tables").glob("*.yaml"))
DOCUMENT = {
    "title": "Two",
    "reference": "b",
    "paper_data": "elsewhere",
    "rows": [
        {"name": "a", "config": "c.yaml", "overrides": {"MODEL.RFNET.POOLING": "pyramid"}, "paper": {"dice_od": 0.9}},
        {"name": "b", "config": "c.yaml"},
    ],
}


def write(folder, document):
    (folder / "c.yaml").write_text("VERSION: 2\n")
    path = folder / "two.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def table(tmp_path):
    return read_table(write(tmp_path, DOCUMENT))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_table_can_be_read(path):
    table = read_table(path)
    iterations = set()
    for row in table.rows:
        own = [x for pair in row.overrides.items() for x in pair]
        cfg = fundus_plugins.get_fundus_cfg(row.config, [*table.options([]), *own])
        if path.stem.startswith("grading"):  # of graders, whose schedule is in epochs
            assert is_grading(cfg) and not row.paper
            continue
        assert cfg.MODEL.ROI_HEADS.NUM_CLASSES == 2
        iterations.add(cfg.SOLVER.MAX_ITER)
        assert set(row.paper) <= set(METRICS) and all(0.7 < value < 1 for value in row.paper.values())
    assert len(iterations) == (0 if path.stem.startswith("grading") else 1)  # what is compared has the same schedule
    expected = {"table1": 5, "table3_loss": 5, "paper_drishti": 1}.get(
        path.stem, 2 if path.stem.startswith("table") else 0
    )
    assert sum(bool(row.paper) for row in table.rows) == expected


@pytest.mark.parametrize(
    "change, message",
    [
        ({"rows": None}, "expected title, reference, and rows with name and config, found TypeError"),
        ({"rows": [{"name": "a"}]}, "found KeyError: 'config'"),
        ({"rows": [{"name": "b", "config": "c.yaml", "paper": {"miou": "high"}}]}, "found ValueError"),
        ({"reference": "c"}, r"one of them 'c', found \['a', 'b'\]"),
        ({"rows": DOCUMENT["rows"][1:] * 2}, "rows of different names"),
        ({"rows": [{"name": "b", "config": "c.yaml", "overrides": {"SEED": 1}}]}, "row b: SEED is set by the table"),
    ],
)
def test_what_is_no_table(tmp_path, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_table(write(tmp_path, DOCUMENT | change))
    assert "two.yaml" in str(caught.value)


def test_a_missing_config_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="row b: no config d.yaml"):
        read_table(write(tmp_path, DOCUMENT | {"rows": [{"name": "b", "config": "d.yaml"}]}))


def test_what_all_rows_have_in_common(phantoms, tmp_path):
    """A table's own keys, then the command's, then the row's: the last one counts."""
    common = {"SOLVER.MAX_ITER": 5, "SOLVER.BASE_LR": 0.5, "MODEL.RFNET.POOLING": "fusion"}
    table = read_table(write(tmp_path, DOCUMENT | {"overrides": common}))
    fundus_plugins.register_fundus_datasets(str(phantoms))
    arguments = {"dataset": "phantom_train", "folds": 3, "fold_seed": 5, "output": tmp_path, "seeds": [0]}
    for run in plan_runs(table, **arguments, options=["SOLVER.MAX_ITER", "9"])[:2]:
        cfg = fundus_plugins.get_fundus_cfg(run.config, run.options)
        assert (cfg.SOLVER.MAX_ITER, cfg.SOLVER.BASE_LR) == (9, 0.5)
        assert cfg.MODEL.RFNET.POOLING == {"a": "pyramid", "b": "fusion"}[run.row]
        assert run.folder.parts[-3].startswith("c_")
    with pytest.raises(ValueError, match="SEED is set by the table"):
        read_table(write(tmp_path, DOCUMENT | {"overrides": {"SEED": 1}}))


def test_runs(table, phantoms, tmp_path):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    arguments = {"dataset": "phantom_train", "folds": 3, "fold_seed": 5, "output": tmp_path}
    runs = plan_runs(table, **arguments, seeds=[0, 1], options=["SOLVER.MAX_ITER", "9"])
    assert [(run.seed, run.fold, run.row) for run in runs] == [
        (seed, fold, row) for seed in (0, 1) for fold in range(3) for row in "ab"
    ]
    assert (
        len({run.folder for run in runs}) == 12
        and tuple(runs[0].files.values()) == write_folds(phantoms / "phantom" / "train.json", 3, 5)[0]
    )
    cfg = fundus_plugins.get_fundus_cfg(runs[0].config, runs[0].options)
    assert cfg.DATASETS.TRAIN == ("phantom_train_fold0of3_seed5_fit",) and cfg.SOLVER.MAX_ITER == 9
    assert cfg.DATASETS.TEST == ("phantom_train_fold0of3_seed5_val",) and cfg.OUTPUT_DIR == str(runs[0].folder)
    assert (cfg.SEED, cfg.TEST.EVAL_PERIOD, cfg.MODEL.RFNET.POOLING) == (0, 0, "pyramid")
    with pytest.raises(ValueError, match="options: OUTPUT_DIR is set"):
        plan_runs(table, **arguments, seeds=[0], options=["OUTPUT_DIR", "there"])
    with pytest.raises(ValueError, match="row a: .*Non-existent.* key: SOLVER.ITERS"):
        plan_runs(table, **arguments, seeds=[0], options=["SOLVER.ITERS", "9"])
    with pytest.raises(ValueError, match="data set coco_2017_val: not one that fundus_plugins registers"):
        plan_runs(table, **arguments | {"dataset": "coco_2017_val"}, seeds=[0])
    with pytest.raises(ValueError, match="row a: SOLVER.EPOCHS evaluates every epoch"):
        plan_runs(table, **arguments, seeds=[0], options=["SOLVER.EPOCHS", "2"])
    assert MetadataCatalog.get("phantom_train").json_file


def test_tables_share_the_runs_they_have_in_common(table, phantoms, tmp_path):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    arguments = {"dataset": "phantom_train", "folds": 2, "fold_seed": 0, "output": tmp_path / "out", "seeds": [0]}
    (tmp_path / "other").mkdir()
    rows = [DOCUMENT["rows"][1] | {"name": "the same", "config": "../c.yaml"}]
    other = read_table(write(tmp_path / "other", DOCUMENT | {"reference": "the same", "rows": rows}))
    folders = [{run.folder for run in plan_runs(x, **arguments)} for x in (table, other)]
    assert len(folders[0]) == 4 and len(folders[1]) == 2 and folders[1] < folders[0]


def result(row, seed, images, **others):
    """`images`: id -> dice_od; the other metrics are 0.5, and the cup of photograph 4 is unknown."""
    rows = [
        dict.fromkeys(METRICS, 0.5) | {"image_id": i, "dice_od": value} | ({"dice_oc": None} if i == 4 else {})
        for i, value in images.items()
    ]
    costs = {"parameters": 7, "seconds_per_iteration": 2.0, "seconds_per_image": None}
    return {"row": row, "seed": seed, "images": rows, "commits": ["abc"], "command": f"train {row}"} | costs | others


def test_figures_worked_by_hand(table, tmp_path):
    results = [
        result("a", 0, {1: 0.2, 2: 0.4}),
        result("a", 1, {1: 0.4, 2: 0.6}, seconds_per_iteration=4.0, commits=["abc", "def"]),
        result("a", 0, {3: 0.6, 4: 0.8}),
        result("a", 1, {3: 0.6, 4: 1.0}),
        result("b", 0, {1: 0.5, 2: 0.5}),
    ]
    report = report_table(table, results, dataset="eyes", folds=2, seeds=[0, 1], command="run it")
    a, b = report["rows"]
    # Means over seeds are 0.3, 0.5, 0.6, 0.9; b has photographs 1 and 2 only, with differences -0.2 and 0.
    assert a["metrics"]["dice_od"]["mean"] == pytest.approx(0.575)
    assert a["metrics"]["dice_od"]["difference_mean"] == pytest.approx(-0.1)
    assert a["metrics"]["dice_od"]["difference_low"] == pytest.approx(-0.2)
    assert a["metrics"]["dice_od"]["difference_high"] == pytest.approx(0)
    assert a["metrics"]["dice_oc"]["mean"] == 0.5 and a["metrics"]["dice_od"]["paper"] == 0.9
    assert 0.3 <= a["metrics"]["dice_od"]["low"] < 0.575 < a["metrics"]["dice_od"]["high"] <= 0.9
    assert (a["runs"], a["runs_expected"], a["images"], a["parameters"]) == (4, 4, 4, 7)
    assert (a["seconds_per_iteration"], a["seconds_per_image"], a["commits"]) == (2.0, None, ["abc", "def"])
    assert a["interruptions"] == 1
    assert (b["runs"], b["images"]) == (1, 2) and "difference_mean" not in b["metrics"]["dice_od"]
    write_report(report, to_markdown(report), tmp_path / "out", "two")
    assert json.loads((tmp_path / "out" / "two.json").read_text()) == report
    text = (tmp_path / "out" / "two.md").read_text()
    assert "| a  | 4/4    | 0.500 (0.500 to 0.500) | 0.575 (" in text and "| 0.9000  |" in text
    assert "| b  | 1/4    |" in text and "-0.100 (-0.200 to +0.000)" in text and "abc, def" in text
    assert "which choose nothing" in text and "# a\ntrain a\n" in text and "run it" in text and "elsewhere" in text


def test_a_table_with_nothing_done_is_a_table(table):
    report = report_table(table, [], dataset="eyes", folds=2, seeds=[0], command="run it")
    assert report["rows"][0]["metrics"]["miou"] == dict.fromkeys(
        ("mean", "low", "high", "difference_mean", "difference_low", "difference_high", "paper")
    )
    assert "| a  | 0/2    |" in to_markdown(report)
    assert "held out at most once" in report["method"] and "exactly once" not in report["method"]


def test_folds_of_coco_json_of_ones_own(table, tmp_path, phantoms):
    source = tmp_path / "own.json"
    source.write_text((phantoms / "phantom" / "train.json").read_text())
    runs = plan_runs(table, dataset=str(source), folds=2, fold_seed=0, seeds=[0], output=tmp_path / "out")
    options = dict(zip(runs[0].options[::2], runs[0].options[1::2]))
    assert options["DATASETS.TRAIN"] == f'("{tmp_path / "own_fold0of2_seed0_fit.json"}",)'
    assert (tmp_path / "own_fold0of2_seed0_val.json").is_file()
