"""Freed memory is kept: big tensors that come and go cause page faults once, not every time."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, torch
from fundus_plugins.memory import keep_freed_memory
kept = len(sys.argv) > 1 and keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for i in range(40):
    if i == 10:
        start = faults()
    a, b, c = (torch.zeros(4 << 20) + 1 for _ in range(3))  # 16 MB each
    del a, b, c
print(faults() - start, kept)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_page_faults():
    outputs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM, *more], capture_output=True, text=True, check=True
        ).stdout.split()
        for more in ([], ["keep"])
    ]
    if outputs[1][1] == "False":
        pytest.skip("this libc is not glibc")
    before, after = (int(x[0]) for x in outputs)
    assert after < 1000 and after < before / 10
