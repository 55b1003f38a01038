#!/usr/bin/env python3
"""`fundus evaluate`, for those who work in the repository."""

import sys

from fundus_plugins.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
