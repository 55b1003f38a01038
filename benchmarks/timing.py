"""Wall-clock times of things that take turns, so that whatever else the machine does falls on all of them alike."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import nn
from tqdm import tqdm


def interleave(
    runs: dict[str, Callable[[], object]],
    repeats: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
    description: str = "",
) -> dict[str, list[float]]:
    """Seconds of each of `repeats` calls of every run, in rounds of one call each; they should be warm."""
    seconds = {name: [] for name in runs}
    with tqdm(total=repeats * len(runs), desc=description, unit="run", disable=None) as bar:
        for _ in range(repeats):
            for name, run in runs.items():
                start = clock()
                run()
                seconds[name].append(clock() - start)
                bar.update()
    return seconds


def ratio(seconds: list[float], others: list[float]) -> float:
    """The median of the ratios `seconds / others` within each round."""
    return statistics.median(a / b for a, b in zip(seconds, others, strict=True))


@contextmanager
def spans(modules: dict[str, nn.Module]) -> Iterator[dict[str, list[tuple[float, float]]]]:
    """When each call of each module began and ended, in seconds of `time.perf_counter`, for as long as this is open."""
    found = {name: [] for name in modules}
    started, handles = {}, []
    for name, module in modules.items():

        def begin(module, inputs, name=name):
            started[name] = time.perf_counter()

        def end(module, inputs, outputs, name=name):
            found[name].append((started.pop(name), time.perf_counter()))

        handles += [module.register_forward_pre_hook(begin), module.register_forward_hook(end)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
