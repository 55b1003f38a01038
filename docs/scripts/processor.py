"""The processor that made a figure, for the scripts beside this one."""

import os
import platform
import re
from pathlib import Path


def processor() -> str:
    """Its name, cores, and instructions that matter for speed."""
    text = Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
    name = re.search(r"model name\s*: (.*)", text)
    wanted = [x for x in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16") if f" {x} " in text]
    return f"{name[1] if name else platform.machine()}, {os.cpu_count()} cores, {', '.join(wanted)}"
