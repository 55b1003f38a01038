"""Work in processes: in order, a few at a time, whatever ends on its own."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from fundus_plugins.prediction.run.workers import AHEAD, map_in_processes
from tests.prediction.run.work import lost, make_deadly, make_double, make_nothing

ROOT = Path(__file__).parents[3]


def test_results_come_in_order():
    assert list(map_in_processes(make_double, range(40), 2, lost)) == [2 * x for x in range(40)]
    assert list(map_in_processes(make_double, [], 2, lost)) == []


def test_a_process_that_ends_costs_the_one_item_at_which_it_ends(tmp_path):
    found = list(map_in_processes(partial(make_deadly, {3, 11}, str(tmp_path)), range(14), 2, lost))
    assert found == [f"lost {x}" if x in (3, 11) else 2 * x for x in range(14)]


def test_what_making_the_work_raises_is_raised_here():
    with pytest.raises(FileNotFoundError, match="no weights"):
        list(map_in_processes(make_nothing, range(3), 2, lost))


def test_no_more_than_a_few_items_are_handed_out(tmp_path):
    results = map_in_processes(partial(make_deadly, (), str(tmp_path)), range(100), 2, lost)
    next(results)
    time.sleep(1)
    assert len(list(tmp_path.iterdir())) <= 2 * AHEAD
    results.close()


ORPHANS = """
import sys, time
from fundus_plugins.prediction.run.workers import map_in_processes
from tests.prediction.run.work import lost, make_sleeper
if __name__ == "__main__":
    list(map_in_processes(make_sleeper, range(4), 2, lost))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_processes_end_with_the_one_that_started_them(tmp_path):
    (tmp_path / "orphans.py").write_text(ORPHANS)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(tmp_path / "orphans.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        workers = [int(process.stdout.readline()) for _ in range(2)]
        process.kill()
    deadline = time.monotonic() + 20
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, workers))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
