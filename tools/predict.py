#!/usr/bin/env python3
"""`fundus predict`, for those who work in the repository."""

import sys

from fundus_plugins.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
