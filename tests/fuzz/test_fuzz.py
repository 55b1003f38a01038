"""A few of the mutated files and folders; FUNDUS_FUZZ=1000 tries a thousand of each (so does run.py)."""

import os

import pytest

from .run import attempt

MORE = int(os.environ.get("FUNDUS_FUZZ", 0))


@pytest.mark.parametrize("kind, number", [("files", 40), ("folders", 12), ("public", 30)])
def test_mutated(kind, number):
    for n in range(max(number, MORE)):
        assert attempt(kind, n)  # "JPEG: refused"; raises Failure, with its number in the traceback
