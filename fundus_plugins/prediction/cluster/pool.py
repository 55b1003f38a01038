"""Blocks of photographs to Ray Data's actors: one model each, and blocks of an actor that died to another."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from fundus_plugins.photographs.sources import Source
from fundus_plugins.prediction.cluster.connection import LOCAL, as_raised, count_of, portable, quiet_data
from fundus_plugins.prediction.cluster.worker import Attempts, Worker

IN_FLIGHT = 2  # blocks that an actor has, so that it waits for none


@dataclass(frozen=True)
class Place:
    """Where a run is done.

    Attributes:
        address: of Ray, as `connected` takes it.
        workers: processes with a model each; None: one for each processor, or with `gpu` for each GPU, of all machines.
        gpu: a process wants a GPU, where there are any.
        weights: the model's file, which every machine reads; "" for the packaged one.
    """

    address: str = LOCAL
    workers: int | None = None
    gpu: bool = False
    weights: str = ""

    def processes(self) -> tuple[int, dict[str, int]]:
        """How many there are, where Ray is joined already, and what each of them takes."""
        gpus = count_of("GPU") if self.gpu else 0
        return self.workers or max(1, gpus or count_of("CPU")), {"num_cpus": 1, **({"num_gpus": 1} if gpus else {})}


class _Actor:
    """What Ray Data calls, with a table of one row: a block's number, and its photographs."""

    def __init__(self, make: Callable[..., Worker], attempts: Any):
        import ray

        self._error: Exception | None = None
        try:
            self._worker = make(lambda name: ray.get(attempts.begin.remote(name)))
        except Exception as error:  # Ray would try again and again
            self._error = portable(error)

    def __call__(self, table):
        number, sources = table["block"][0].as_py(), pickle.loads(table["sources"][0].as_py())
        before, error = 0, self._error
        try:
            before = 0 if error else self._worker.bring_up_to_date(number, sources)
        except Exception as found:
            error = portable(found)
        # Ray Data does not hand on every error as it was.
        return {"photographs": [len(sources)], "before": [before], "error": [pickle.dumps(error)]}


def do_blocks(
    plan: Mapping[int, Sequence[Source]], make: Callable[..., Worker], workers: int, resources: Mapping[str, int]
) -> int:
    """Have every block brought up to date; returns how many photographs were done before."""
    import ray
    import ray.data
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    quiet_data()
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    attempts = ray.remote(Attempts).options(num_cpus=0, scheduling_strategy=here).remote()
    blocks = [{"block": number, "sources": pickle.dumps(x)} for number, x in plan.items()]
    actors = ray.data.ActorPoolStrategy(
        min_size=1, initial_size=workers, max_size=workers, max_tasks_in_flight_per_actor=IN_FLIGHT
    )
    done = ray.data.from_items(blocks, override_num_blocks=len(blocks)).map_batches(
        _Actor,
        batch_size=1,
        batch_format="pyarrow",
        compute=actors,
        fn_constructor_args=(make, attempts),
        **resources,
    )
    before = 0
    with tqdm(total=sum(map(len, plan.values())), unit="image", disable=None) as bar:
        for row in _raised(done.iter_rows()):
            if error := pickle.loads(row["error"]):
                raise error
            before += row["before"]
            bar.update(row["photographs"])
    return before


def _raised(rows: Iterable[dict]) -> Iterator[dict]:
    """The same; what went wrong in an actor is raised as it was raised there."""
    try:
        yield from rows
    except Exception as error:
        raise as_raised(error) from None
