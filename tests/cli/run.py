"""A script of tools/ as a user runs it."""

import os
import subprocess
import sys

from tests.conftest import ROOT


def run(tool, *arguments, datasets):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DETECTRON2_DATASETS": str(datasets), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "tools" / tool), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
