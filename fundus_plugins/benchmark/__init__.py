"""Speed and memory of RF-Net and its peers on this machine; `tools/benchmark.py` runs it."""

from .command import main

__all__ = ["main"]
