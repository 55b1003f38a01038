"""Grades of one's own, four in their order, through every command that reads or writes grades."""

import csv
import json

import cv2
import numpy as np
import pytest

from fundus_plugins.cli.main import main
from tests.conftest import SMALL_GRADING
from tests.prediction.run.photographs import draw

STAGES = ["healthy", "mild", "moderate", "severe"]
OPTIONS = [
    *SMALL_GRADING, "MODEL.GRADING.GRADES", STAGES, "MODEL.GRADING.FC_DIM", 0, "SOLVER.EPOCHS", 1,
    "SOLVER.IMS_PER_BATCH", 4, "SEED", 1, "DATASETS.TRAIN", ("stages_train_grading",),
]  # fmt: skip


def fundus(*words) -> int:
    return main([str(x) for x in words])


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def stages(tmp_path, monkeypatch):
    """Sixteen photographs, each grade in every split, of a sheet; its JSON in a folder for DETECTRON2_DATASETS."""
    eyes = draw(tmp_path / "in", 16, size=96)
    splits = ["train"] * 8 + ["val"] * 4 + ["test"] * 4
    lines = [f"{eye.name},{i % 4},{split}" for i, (eye, split) in enumerate(zip(eyes, splits, strict=True))]
    (tmp_path / "in" / "stages.csv").write_text("\n".join(["file,grade,split", *lines]))
    names = [f"{i}={name}" for i, name in enumerate(STAGES)]
    words = ["--sheet", tmp_path / "in" / "stages.csv", "--patient", ".+", "--grade-names", *STAGES, "--grades", *names]
    output = ["--output", tmp_path / "datasets" / "stages", "--processes", 1]
    assert fundus("convert", "graded_sheet", "--root", tmp_path / "in", *words, *output) == 0
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "datasets"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_four_grades_from_the_sheet_to_the_table(stages):
    run = stages / "run"
    more = ["DATASETS.TEST", ("stages_val_grading",), "OUTPUT_DIR", run]
    assert fundus("train", "--config-file", "ranking_cnn.yaml", *OPTIONS, *more) == 0
    model = run / "model_best.pth"

    more = ["MODEL.WEIGHTS", model, "DATASETS.TEST", ("stages_test_grading",), "OUTPUT_DIR", stages / "tested"]
    assert fundus("train", "--config-file", run / "config.yaml", "--eval-only", *more) == 0
    tested = stages / "tested" / "evaluation" / "stages_test_grading"
    found = rows(f"{tested}_images.csv")
    assert [x["truth"] for x in found] == STAGES and {x["predicted"] for x in found} <= set(STAGES)
    for row in found:
        assert sum(float(row[f"score_{name}"]) for name in STAGES) == pytest.approx(1, abs=1e-5)
        assert sum(float(row[f"p_above_{name}"]) > 0.5 for name in STAGES[:3]) == STAGES.index(row["predicted"])
    document = json.loads((stages / "tested" / "evaluation" / "stages_test_grading_metrics.json").read_text())
    assert document["grades"] == STAGES and np.array(document["confusion"]).sum(1).tolist() == [1] * 4
    assert {"sp", "se_mild", "se_severe", "kappa", "auc_moderate", "ece_above_moderate"} <= set(document["metrics"])
    for picture in ("confusion", "roc", "reliability"):
        assert cv2.imread(f"{tested}_{picture}.png").std() > 0

    words = ["--config-file", run / "config.yaml", "--weights", model, "--dataset", "stages_test_grading"]
    assert fundus("explain", *words, "--output", stages / "cam") == 0
    pictures = [cv2.imread(str(path)) for path in sorted((stages / "cam").glob("*.png"))]
    assert len(pictures) == 4 and {x.shape[1] for x in pictures} <= {64 * 3, 64 * 5}  # one map, or two and their mean

    words = ["--data", "stages_train_grading", "--folds", 2, "--methods", "softmax_cnn", "--output", stages / "out"]
    assert fundus("compare-grading", *words, *OPTIONS, "DATASETS.CHECK", False) == 0
    table = json.loads((stages / "out" / "grading.json").read_text())
    assert {"sp", "se_mild", "se_moderate", "se_severe", "auc_severe"} <= set(table["methods"]["softmax_cnn"])
    told = (stages / "out" / "grading.md").read_text()
    assert "8 photographs" in told and "the paper's" not in told
    truth = [row["truth"] for path in (stages / "out").rglob("*_test_grading_images.csv") for row in rows(path)]
    assert sorted(truth) == sorted(STAGES * 2)


def test_a_grade_that_the_model_does_not_have_is_told(stages, capsys):
    more = ["MODEL.GRADING.GRADES", STAGES[:3], "DATASETS.TEST", ("stages_val_grading",), "OUTPUT_DIR", stages / "run"]
    assert fundus("train", "--config-file", "ranking_cnn.yaml", *OPTIONS, *more) == 2
    told = capsys.readouterr().err
    assert (
        "stages_train_grading: expected the grades healthy, mild, moderate (MODEL.GRADING.GRADES), found severe" in told
    )
