"""What ran: processor, versions, commit; and how much memory a process uses."""

import multiprocessing
import os
import platform
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import torch

from fundus_plugins.provenance import current_commit

_BFLOAT16_CONVOLUTION = """
import torch
layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(torch.bfloat16, memory_format=torch.channels_last)
with torch.inference_mode():
    layer(torch.ones(1, 64, 32, 32).to(torch.bfloat16, memory_format=torch.channels_last))
"""


def describe_machine() -> dict:
    """Processor, threads, instructions for bfloat16 and what a bfloat16 convolution really ran on, versions, commit."""
    has = getattr(torch.cpu, "get_capabilities", dict)()
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "amx_bf16": bool(has.get("amx_bf16")),
        "avx512_bf16": bool(has.get("avx512_bf16")),
        "bfloat16_convolution": _bfloat16_kernel(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": current_commit(),
    }


def set_threads(threads: int) -> None:
    """Let torch and OpenCV use so many threads in this process; 0: as many as they like."""
    if threads:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)


def _cpu_name() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _bfloat16_kernel() -> str:
    """oneDNN's name of the kernel it takes for a bfloat16 convolution here; "unknown" where it does not tell."""
    environment = os.environ | {"ONEDNN_VERBOSE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _BFLOAT16_CONVOLUTION], env=environment, capture_output=True, text=True
    )
    found = re.search(r",cpu,convolution,([^,]+),", done.stdout)
    return found[1] if found else "unknown"


def resident_bytes() -> int:
    """Memory this process has in RAM now; where the system does not tell, as `peak_bytes`."""
    return _status("VmRSS") or _usage()


def peak_bytes() -> int:
    """The most memory this process ever had in RAM.

    Not getrusage's on Linux: a new process starts there with the memory of the one that started it.
    """
    return _status("VmHWM") or _usage()


def _status(key: str) -> int:
    try:
        found = re.search(rf"^{key}:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def _usage() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def in_own_process(function: Callable, *arguments):
    """What `function`, of a module's top level, returns (or raises) in a fresh interpreter."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()
