"""A few of the mutated files and folders; FUNDUS_FUZZ=1000 tries a thousand of each (so does tests/fuzz/run.py)."""

import os

import pytest

from tests.fuzz.run import attempt

MORE = int(os.environ.get("FUNDUS_FUZZ", 0))


@pytest.mark.parametrize("kind, number", [("files", 52), ("folders", 18)])
def test_mutated(kind, number):
    outcomes = [attempt(kind, n) for n in range(max(number, MORE))]
    assert len(outcomes) == max(number, MORE)
