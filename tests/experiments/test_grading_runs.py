"""Grading runs side by side: what one that fails costs the others."""

import os
import signal

import pytest
import torch

import fundus_plugins
from fundus_plugins.data.registration import require_dataset
from fundus_plugins.evaluation import GradingEvaluator
from fundus_plugins.experiments import grading_runs
from fundus_plugins.experiments.table import Row
from tests.conftest import grading_config

GRADES = ["normal", "suspicious", "glaucoma"]


class Study(grading_runs.GradingStudy):
    """Runs of which "done" is there, and the others end before they begin."""

    def config(self, row, seed, split):
        if row.name == "diverges":
            raise FloatingPointError("the loss is nan")
        if row.name == "is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if row.name == "is another":
            raise ValueError("is of a run with other options")
        return grading_config("ranking_cnn")

    def result(self, row, seed, split):
        return {"acc": 0.5} if row == "done" else None


@pytest.fixture
def results(phantoms, tmp_path, monkeypatch):
    """A function of rows, jobs and a list for failures: all that `run_all` gives."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(phantoms))
    fundus_plugins.register_fundus_datasets()
    split = grading_runs.Split(*(f"phantom_{x}_grading" for x in ("train", "val", "test")))

    def run(rows, jobs, failures):
        study = Study("Study", [Row(x, "", {}, {}) for x in rows], [split], tmp_path)
        return list(grading_runs.run_all(study, [0], failures, jobs))

    return run


def test_a_run_that_diverges_does_not_cost_the_others(results, tmp_path):
    failures = []
    assert results(["diverges", "done"], 1, failures) == [{"done": {0: [{"acc": 0.5}]}}] * 2
    assert failures == ["diverges, seed 0, split 0: the loss is nan"]
    assert (tmp_path / "done" / "seed0" / "sets.json").is_file()  # it was come to


@pytest.mark.slow
def test_nor_does_it_in_a_process_of_its_own(results):
    failures = []
    assert results(["diverges"], 2, failures) == [{}]
    assert failures == ["diverges, seed 0, split 0: the loss is nan"]


def test_a_set_may_be_a_path(phantoms, tmp_path):
    """What the evaluator writes of it is found again, whatever the path holds."""
    path = tmp_path / "my set+" / "test.json"
    path.parent.mkdir()
    path.write_bytes((phantoms / "phantom" / "test_grading.json").read_bytes())
    require_dataset(str(path))
    study = grading_runs.GradingStudy(
        "Study", [Row("a", "", {}, {})], [grading_runs.Split("x", "y", str(path))], tmp_path
    )
    folder = study.folder("a", 0, 0)
    assert study.result("a", 0, 0) is None
    evaluator = GradingEvaluator(str(path), GRADES, str(folder / "evaluation"))
    evaluator.reset()
    for number in range(len(GRADES)):
        record = {"image_id": number, "file_name": f"{number}.png", "grade": number}
        scores, above = torch.eye(3)[number], torch.tensor([number > 0, number > 1]).float()
        evaluator.process([record], [{"grade": number, "scores": scores, "above": above, "loss": torch.tensor(0.0)}])
    evaluator.evaluate()
    (folder / "started.json").write_text('["abc"]')
    assert study.result("a", 0, 0)["commits"] == ["abc"]


def test_another_error_is_raised(results):
    with pytest.raises(ValueError, match="other options"):
        results(["is another", "done"], 1, [])


@pytest.mark.skipif(os.name != "posix", reason="no SIGKILL")
def test_a_process_that_is_killed_is_one_line(results):
    with pytest.raises(ChildProcessError, match="one of 2 processes was killed, .*the same command goes on"):
        results(["is killed"], 2, [])
