"""Processes that this one starts: what they inherit, and that none outlives it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import connection, parent_process


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def inherited(values: Mapping[str, str]) -> Iterator[None]:
    """What is started meanwhile has these in its environment; afterwards it is as it was."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def end_with_parent() -> None:
    """For a thread: waits for the end of the process that started this one, and ends this one.

    A killed parent cannot say that it is over: its pipes stay open between the processes that it started, and
    PyTorch's own signal for this, SIGINT, is ignored where a shell has started the parent with `&`.
    """
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
