"""Work in processes of this machine."""

import os
import signal
import time

import pytest

from fundus_plugins.experiments.in_processes import each_in_processes


def half(number, more):
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2 + more


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


def test_what_was_not_begun_before_an_error_is_not_done(tmp_path):
    with pytest.raises(ValueError, match="the first is wrong"):
        list(each_in_processes(note, [tmp_path / str(number) for number in range(40)], jobs=1))
    assert len(list(tmp_path.iterdir())) < 10


@pytest.mark.skipif(os.name != "posix", reason="no SIGKILL")
def test_a_process_that_is_killed_is_one_line():
    with pytest.raises(ChildProcessError, match="one of 2 processes was killed"):
        list(each_in_processes(half, [-1], 0, jobs=2))
