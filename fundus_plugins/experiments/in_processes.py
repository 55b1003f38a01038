"""Work in processes of this machine, such as the training runs of a table: several at a time."""

import itertools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from fundus_plugins.children import cores, end_with_parent, inherited


def each_in_processes(
    work: Callable[..., Any], items: Sequence[Any], *more: Any, jobs: int
) -> Iterator[tuple[int, Any]]:
    """`work(item, *more)` of each item, `jobs` at a time; yields the item's place and the result, in the order of ends.

    Each process has its share of the cores, where OMP_NUM_THREADS says nothing else. They end with this one.

    Raises:
        ChildProcessError: a process was killed, and so the others are ended. What the work raises is raised here, when
            what was begun before has ended; nothing more is begun.
    """
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, cores() // jobs))
    waiting = iter(enumerate(items))
    running: dict[Future, int] = {}
    spawn = multiprocessing.get_context("spawn")
    with inherited({"OMP_NUM_THREADS": threads}), ProcessPoolExecutor(jobs, spawn, _watch_parent) as pool:
        try:
            while True:
                for place, item in itertools.islice(waiting, jobs - len(running)):
                    running[pool.submit(work, item, *more)] = place
                if not running:
                    return
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    yield running.pop(future), future.result()
        except BrokenProcessPool:
            raise ChildProcessError(
                f"one of {jobs} processes was killed, maybe for memory; the same command goes on from here"
            ) from None


def _watch_parent() -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
