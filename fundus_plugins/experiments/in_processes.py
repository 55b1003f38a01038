"""Work in processes of this machine, such as the training runs of a table: several at a time."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from fundus_plugins.children import end_with_parent


def each_in_processes(
    work: Callable[..., Any], items: Sequence[Any], *more: Any, jobs: int
) -> Iterator[tuple[int, Any]]:
    """`work(item, *more)` of each item, `jobs` at a time; yields the item's place and the result, in the order of ends.

    Raises:
        ChildProcessError: a process was killed, which ends the others too. What the work raises is raised here; what
            was not begun before is not done.
    """
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _watch_parent) as pool:
        places = {pool.submit(work, item, *more): place for place, item in enumerate(items)}
        try:
            for future in as_completed(places):
                yield places[future], _result(future, jobs)
        finally:
            pool.shutdown(cancel_futures=True)


def _watch_parent() -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()


def _result(future: Future, jobs: int) -> Any:
    try:
        return future.result()
    except BrokenProcessPool:
        raise ChildProcessError(
            f"one of {jobs} processes was killed, maybe for memory; the same command goes on from here"
        ) from None
