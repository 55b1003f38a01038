#!/usr/bin/env python3
"""Measure speed and memory of RF-Net, plain and fast, and of its peers, on this machine.

    python tools/benchmark.py --output results/benchmark
    python tools/benchmark.py --only many --many 1000

Every contender runs in the same process on the same photographs, one call of each in turn. Exit code: 0 all measured,
1 something failed (listed at the end; the rest is reported), 2 wrong arguments.
"""

import sys

from fundus_plugins.benchmark import main

if __name__ == "__main__":
    sys.exit(main(description=__doc__))
