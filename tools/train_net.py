#!/usr/bin/env python3
"""`fundus train`, for those who work in the repository."""

import sys

from fundus_plugins.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
