"""How the process keeps memory between photographs and between training steps."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # glibc's malloc.h
KEPT = 1 << 29  # bytes


def keep_freed_memory(*, of_any_size: bool = False) -> bool:
    """Let glibc keep freed memory for the next tensors, process-wide; otherwise it goes back at once.

    A feature map of 17 MB that is mapped anew for every photograph or step costs thousands of page faults, which in a
    virtual machine take longer than the convolution that fills it. Blocks up to 32 MB are kept, and up to 512 MB of
    them at the heap's end. `of_any_size`, for training, whose steps ask for the same sizes again: larger blocks too,
    without limit, so the process stays as large as its largest step. Returns whether it took effect: False without
    glibc.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    if of_any_size:
        return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, -1))  # -1: never trimmed
    return bool(mallopt(_MMAP_THRESHOLD, 1 << 25) and mallopt(_TRIM_THRESHOLD, KEPT))
