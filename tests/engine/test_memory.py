"""Freed memory is kept: big tensors that come and go cause page faults once, not every time."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, torch
from fundus_plugins.engine.memory import keep_freed_memory
kept = keep_freed_memory(of_any_size=sys.argv[1] == "True")
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for i in range(40):
    if i == 10:
        start = faults()
    a, b, c = (torch.zeros(int(sys.argv[2]) << 18) + 1 for _ in range(3))
    del a, b, c
print(faults() - start, kept)
"""


def faults(of_any_size: bool, megabytes: int) -> int:
    command = [sys.executable, "-c", PROGRAM, str(of_any_size), str(megabytes)]
    faults, kept = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    if kept == "False":
        pytest.skip("this libc is not glibc")
    return int(faults)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
@pytest.mark.parametrize(("of_any_size", "megabytes"), [(False, 16), (True, 16), (True, 64)])
def test_page_faults(of_any_size, megabytes):
    # a heap that grows late has some 8,000; without keeping there are 40,000 (of 16 MB) and 2,900,000 (of 64 MB)
    assert faults(of_any_size, megabytes) < 20_000
