"""Runs of a table as tasks of Ray, with a trainer that only pretends."""

import dataclasses
import os
import time
from pathlib import Path

import pytest

from fundus_plugins.experiments.on_ray import each_on_ray
from fundus_plugins.experiments.runs import RunFailed, attempt, execute
from tests.experiments.test_runs import run, trainer  # noqa: F401 - fixtures

pytest.importorskip("ray", reason="--ray needs Ray")
pytest.importorskip("ray.data", reason="--ray needs Ray Data")

from fundus_plugins.prediction.cluster.connection import LOCAL, connected  # noqa: E402

DEADLY = """
import os, pathlib, signal
marker = folder / "died"
if (folder / "deadly").exists() and not marker.exists():
    marker.touch()
    os.kill(os.getppid(), signal.SIGKILL)
    sys.exit("its parent died")
"""


@pytest.fixture(scope="module", autouse=True)
def on_ray():
    with connected(LOCAL, 2):
        yield


def half(number, log):
    (Path(log) / f"{number}-{os.getpid()}-{time.monotonic_ns()}").touch()
    if number % 2:
        raise ValueError(f"{number} is odd")
    return os.getcwd(), number // 2


@pytest.mark.slow
def test_each_has_its_result_and_an_error_is_raised_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = dict(each_on_ray(half, [4, 0, 2], str(tmp_path), address=LOCAL))
    assert found == {0: (str(tmp_path), 2), 1: (str(tmp_path), 0), 2: (str(tmp_path), 1)}
    with pytest.raises(ValueError, match="^3 is odd$"):
        list(each_on_ray(half, [3], str(tmp_path), address=LOCAL))


@pytest.mark.slow
def test_runs_are_done_side_by_side_and_one_whose_process_dies_again(run, trainer, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    script = Path(trainer[1])
    before, after = script.read_text().split('with open(folder / "calls"')
    script.write_text(before + DEADLY + 'with open(folder / "calls"' + after)
    runs = []
    for name in ("good", "failing", "deadly"):
        options = [str(tmp_path / name) if x == str(run.folder) else x for x in run.options]
        runs.append(dataclasses.replace(run, row=name, folder=tmp_path / name, options=tuple(options)))
        runs[-1].folder.mkdir()
    (runs[1].folder / "fail").touch()
    (runs[2].folder / "deadly").touch()
    found = dict(each_on_ray(attempt, runs, trainer, address=LOCAL))
    assert isinstance(found[1], RunFailed) and "exit code 1" in str(found[1])
    for place in (0, 2):
        result, done = found[place]
        assert done and result["row"] == runs[place].row and (runs[place].folder / "calls").read_text() == "1"
        assert execute(runs[place], trainer) == (result, False)
    assert (runs[2].folder / "died").exists() and len(found[2][0]["commits"]) == 2
