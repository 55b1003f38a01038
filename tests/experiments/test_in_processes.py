"""Work in processes of this machine."""

import os
import signal
import subprocess
import sys
import time

import pytest

from fundus_plugins.experiments.in_processes import each_in_processes
from tests.conftest import ROOT


def half(number, more):
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2 + more


@pytest.mark.slow
def test_each_has_its_result():
    assert dict(each_in_processes(half, [4, 0, 2], 10, jobs=2)) == {0: 12, 1: 10, 2: 11}


def test_an_error_is_raised_as_it_was():
    with pytest.raises(ValueError, match="^3 is odd$"):
        list(each_in_processes(half, [3], 0, jobs=2))


def note(path):
    if path.name == "0":
        raise ValueError("the first is wrong")
    time.sleep(0.2)
    path.touch()


@pytest.mark.slow
def test_what_was_not_begun_before_an_error_is_not_done(tmp_path):
    with pytest.raises(ValueError, match="the first is wrong"):
        list(each_in_processes(note, [tmp_path / str(number) for number in range(40)], jobs=1))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="no SIGKILL")
def test_a_process_that_is_killed_is_one_line():
    with pytest.raises(ChildProcessError, match="one of 2 processes was killed"):
        list(each_in_processes(half, [-1], 0, jobs=2))


def sleep_long(path):
    path.write_text(str(os.getpid()))
    time.sleep(120)


PARENT = """
import sys
from pathlib import Path
from fundus_plugins.experiments.in_processes import each_in_processes
from tests.experiments.test_in_processes import sleep_long
if __name__ == "__main__":
    list(each_in_processes(sleep_long, [Path(sys.argv[1])], jobs=1))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what runs")
def test_none_outlives_a_killed_parent(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    told, environment = tmp_path / "pid", os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, tmp_path / "parent.py", told], env=environment) as parent:
        wait_until(lambda: told.exists() and told.read_text())
        parent.kill()
    wait_until(lambda: not runs(int(told.read_text())))


def wait_until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def threads(_):
    return os.environ["OMP_NUM_THREADS"]


@pytest.mark.slow
def test_processes_share_the_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("fundus_plugins.experiments.in_processes.cores", lambda: 6)
    assert dict(each_in_processes(threads, [0, 1], jobs=2)) == {0: "3", 1: "3"}
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert dict(each_in_processes(threads, [0], jobs=2)) == {0: "5"}
