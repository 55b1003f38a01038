"""How the process keeps memory between photographs and between training steps."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
KEPT = 1 << 29  # bytes


def keep_freed_memory() -> bool:
    """Let glibc keep up to 512 MB of freed memory for the next tensors, process-wide; otherwise it goes back at once.

    A feature map of 17 MB that is mapped anew for every photograph or step costs thousands of page faults, which in a
    virtual machine take longer than the convolution that fills it. Blocks up to 32 MB are kept. Returns whether it took
    effect: False without glibc.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, 1 << 25) and mallopt(_TRIM_THRESHOLD, KEPT))
