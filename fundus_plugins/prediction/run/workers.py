"""Work on photographs in several processes: in order, a few at a time, and no process's end costs the others' work."""

import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import cv2

from fundus_plugins.children import end_with_parent, inherited

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Item], Result]  # of one item; made in each process
AHEAD = 4  # items a process, that are handed out before the first one's result is taken


def map_in_processes(
    make: Callable[[], Work], items: Sequence[Item], workers: int, lost: Callable[[Item], Result]
) -> Iterator[Result]:
    """The work's result for each item, in their order.

    Where a process ends on its own, such as killed for its memory, the items in hand are done again, each alone; one at
    which its process ends again has the result `lost` of it.

    Args:
        make: makes the work, in each process; can be pickled. What it raises is raised here.
        workers: processes.
    """
    start = 0
    while start < len(items):
        try:
            results: Iterator[Result] = _in_one_pool(make, items[start:], workers)
            for result in results:
                start += 1
                yield result
        except BrokenProcessPool:
            for item in items[start : start + AHEAD * workers]:
                yield _alone(make, item, lost)
                start += 1


def _in_one_pool(make: Callable[[], Work], items: Sequence[Item], workers: int) -> Iterator[Result]:
    with _pool(make, workers) as pool:
        waiting: deque[Future] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(_do, item))
                if len(waiting) >= AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _alone(make: Callable[[], Work], item: Item, lost: Callable[[Item], Result]) -> Result:
    try:
        with _pool(make, 1) as pool:
            return pool.submit(_do, item).result()
    except BrokenProcessPool:
        return lost(item)


_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def _pool(make: Callable[[], Work], workers: int) -> ProcessPoolExecutor:
    # Started anew, for a copy of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    with inherited(_ONE_THREAD):  # so that they do not wait for each other
        pool = ProcessPoolExecutor(workers, context, _start, (make,))
        for _ in range(workers):
            pool.submit(int)  # processes start with the first items, and then have this environment
    return pool


_work: Any  # of a process, or the exception that making it raised


def _start(make: Callable[[], Work]) -> None:
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process says when to stop
    threading.Thread(target=end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    try:
        _work = make()
    except Exception as error:  # raised where it can be told
        _work = error


def _do(item):
    if isinstance(_work, Exception):
        raise _work
    return _work(item)
