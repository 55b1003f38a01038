#!/usr/bin/env python3
"""`fundus compare-grading`, for those who work in the repository."""

import sys

from fundus_plugins.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["compare-grading", *sys.argv[1:]]))
