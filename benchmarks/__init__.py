"""Speed and memory of RF-Net and its peers on this machine; `python -m benchmarks` runs it."""
