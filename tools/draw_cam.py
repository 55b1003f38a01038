#!/usr/bin/env python3
"""`fundus explain`, for those who work in the repository."""

import sys

from fundus_plugins.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["explain", *sys.argv[1:]]))
