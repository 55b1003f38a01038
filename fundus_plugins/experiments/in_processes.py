"""Work in processes of this machine, such as the training runs of a table: several at a time."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any


def each_in_processes(
    work: Callable[..., Any], items: Sequence[Any], *more: Any, jobs: int
) -> Iterator[tuple[int, Any]]:
    """`work(item, *more)` of each item, `jobs` at a time; yields the item's place and the result, in the order of ends.

    Raises:
        ChildProcessError: a process was killed, which ends the others too. What the work raises is raised here.
    """
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        places = {pool.submit(work, item, *more): place for place, item in enumerate(items)}
        for future in as_completed(places):
            try:
                result = future.result()
            except BrokenProcessPool:
                raise ChildProcessError(
                    f"one of {jobs} processes was killed, maybe for memory; the same command goes on from here"
                ) from None
            yield places[future], result
