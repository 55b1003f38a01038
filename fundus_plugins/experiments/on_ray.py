"""Work as tasks of Ray, such as the training runs of a table: side by side, each again where its process died."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from platform import node
from typing import Any

from fundus_plugins.prediction.cluster.connection import as_raised, connected, count_of, portable

RETRIES = 3  # of a task whose process or machine died
_HANDED_ON = ("DETECTRON2_DATASETS", "FUNDUS_PHOTOGRAPHS")


def each_on_ray(
    work: Callable[..., Any], items: Sequence[Any], *more: Any, address: str, cpus: int = 1
) -> Iterator[tuple[int, Any]]:
    """`work(item, *more)` of each item as a task; yields the item's place and the result, in the order of their ends.

    A task has `cpus` processors, and a GPU where there are any. It works in the folder that this process is in, which
    all machines have to share.

    Raises:
        ImportError, OSError: as `connected`. What the work raises is raised here; the others are stopped.
    """
    with connected(address):
        import ray

        gpus = min(1, count_of("GPU"))
        task = ray.remote(_in_folder).options(num_cpus=cpus, num_gpus=gpus, max_retries=RETRIES)
        environment = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
        folder = os.getcwd()
        places = {task.remote(folder, environment, work, x, *more): place for place, x in enumerate(items)}
        while places:
            (ready,), _ = ray.wait(list(places))
            try:
                yield places.pop(ready), ray.get(ready)
            except ray.exceptions.RayError as error:
                raise as_raised(error) from None


def _in_folder(folder: str, environment: dict[str, str], work: Callable[..., Any], *given: Any) -> Any:
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"{node()} has no {folder}: start it in a folder that all machines share")
    os.chdir(folder)
    os.environ.update(environment)
    try:
        return work(*given)
    except Exception as error:
        raise portable(error) from None
