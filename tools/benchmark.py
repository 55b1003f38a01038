#!/usr/bin/env python3
"""`python -m benchmarks`, from anywhere: speed and memory of RF-Net and its peers on this machine."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
