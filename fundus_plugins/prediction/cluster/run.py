"""A run of prediction on Ray: blocks of photographs to Ray Data's actors, their rows to the parts of a table."""

import json
import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

import fundus_plugins
from fundus_plugins.files import FolderLock, remove_leftovers
from fundus_plugins.photographs.sources import Source
from fundus_plugins.prediction.cluster.blocks import block_of, in_blocks, number_of_blocks
from fundus_plugins.prediction.cluster.connection import LOCAL, cause_of, connected, count_of, quiet_data
from fundus_plugins.prediction.cluster.parts import FEW, Parts, Rows
from fundus_plugins.prediction.cluster.worker import Attempts, Worker
from fundus_plugins.prediction.run.journal import JOURNAL, TABLES, refuse_another, remove_files
from fundus_plugins.prediction.run.options import FOLDERS, Options
from fundus_plugins.prediction.run.run import (
    Job,
    Outcome,
    Predictors,
    count,
    match_corrections,
    refuse_one_name,
    with_known_ids,
)
from fundus_plugins.prediction.run.tables import write_tables

AT_THE_END = ("csv", "report")  # tables that are written of FEW photographs without being asked for
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


def predict_on_ray(
    predictor: Predictors,
    sources: Sequence[Source],
    output: Path | str,
    options: Options,
    place: Place,
    *,
    made: Mapping[str, Any],
    overwrite: bool = False,
    split: bool | None = None,
) -> Outcome:
    """As `predict_sources`, on Ray; a row for each photograph in predictions.parquet, a folder of parts.

    A process, a machine or this process may die at any moment: what its blocks had not put into their parts is done
    again, by Ray or by the same command, and no row is lost or there twice.

    Args:
        output: a folder that all machines share, or a URL.
        options: with `write` empty, tables are written at the end where the photographs are FEW.

    Raises:
        ImportError: Ray is not installed. OSError: it is not at the address, or something cannot be written.
        ValueError: as `predict_sources`; or the machines differ (`Worker`).
        RuntimeError: rows are missing at the end.
    """
    facts = {"weights": made.get("weights", ""), "version": fundus_plugins.__version__}
    parts = Parts(output)
    files = Path(output) if not parts.is_remote else Path()
    if options.write:
        refuse_one_name(sources)
    with _lock(parts):
        manifest = {**made, **facts, "options": options.as_dict()}
        found = _open(parts, manifest, overwrite)
        corrections, unused = match_corrections(sources, files, options)
        job = Job(files.absolute(), options, facts, corrections)
        if not corrections:
            sources = with_known_ids(sources, _known(parts, sources))
        with connected(place.address, place.workers):
            workers, resources = _workers(place)
            blocks = found.get("parts") or number_of_blocks(len(sources), workers)
            manifest = json.loads(json.dumps({**manifest, "parts": blocks}))  # as it is read again
            parts.manifest = manifest
            plan = in_blocks(sources, blocks)
            make = partial(Worker, job, predictor, parts, manifest, place.weights, os.getcwd())
            before = _run(plan, make, workers, resources)
        parts.remove_leftovers()
        outcome = count(Outcome(before=before, unused=unused), _checked(parts, plan, blocks), {x.id for x in sources})
        if not parts.is_remote:
            kinds = options.write or (AT_THE_END if len(sources) <= FEW else ())
            wanted = replace(options, write=tuple(x for x in kinds if x != "parquet"))
            write_tables(files, Rows(parts, [x.id for x in sources]), wanted, facts, split)
        return outcome


class _Actor:
    """What Ray Data calls, with a table of one row: a block's number, and its photographs."""

    def __init__(self, make: Callable[..., Worker], attempts: Any):
        import ray

        self._worker = make(lambda name: ray.get(attempts.begin.remote(name)))

    def __call__(self, table):
        number, sources = table["block"][0].as_py(), pickle.loads(table["sources"][0].as_py())
        return {"photographs": [len(sources)], "before": [self._worker.bring_up_to_date(number, sources)]}


def _lock(parts: Parts) -> AbstractContextManager:
    """On the output folder; at a URL nobody can hold one."""
    if parts.is_remote:
        return nullcontext()
    os.makedirs(parts.output, exist_ok=True)
    return FolderLock(parts.output)


def _open(parts: Parts, manifest: Mapping[str, Any], overwrite: bool) -> dict[str, Any]:
    """How the records that are there were made. Raises ValueError for those that were made in another way."""
    if not parts.is_remote:
        folder = Path(parts.output)
        if overwrite:
            written = (x for number in parts.numbers() for x in parts.read(number))
            remove_files(folder, {name for x in written for name in x.get("files", {}).values()})
            remove_files(folder, {x for x in (*TABLES, JOURNAL) if not (folder / x).is_dir()})
        elif (folder / JOURNAL).exists():
            raise ValueError(f"{folder} holds a run without --ray; choose another --output, or --overwrite")
        parts.remove_leftovers()
        for kind in FOLDERS:
            remove_leftovers(folder / kind, below=True)
    if overwrite:
        parts.remove()
    found = parts.manifest if parts.numbers() else {}
    if found or parts.numbers():
        refuse_another(str(parts.output), found, manifest)
    return found


def _known(parts: Parts, sources: Sequence[Source]) -> dict[str, str]:
    """The ids of photographs that are done, by their paths. Raises ValueError where an id is of another photograph."""
    from fundus_plugins.photographs.sources import place_of

    paths: dict[str, str] = {}
    for number in parts.numbers():
        ids, places = (x.to_pylist() for x in parts.columns(number, ["id", "path"]))
        paths.update(zip(ids, places))
    known = {path: id for id, path in paths.items()}
    for source in sources:
        at = place_of(source)
        if at not in known and paths.get(source.id, at) != at:
            raise ValueError(
                f"{parts.output} holds a photograph {source.id!r} of {paths[source.id]}, and this is {source.where}; "
                "choose another --output"
            )
    return known


def _workers(place: Place) -> tuple[int, dict[str, int]]:
    """How many processes, and what each of them takes."""
    gpus = count_of("GPU") if place.gpu else 0
    return place.workers or max(1, gpus or count_of("CPU")), {"num_cpus": 1, **({"num_gpus": 1} if gpus else {})}


def _run(
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
            before += row["before"]
            bar.update(row["photographs"])
    return before


def _raised(rows: Iterable[dict]) -> Iterator[dict]:
    """The same; what went wrong in an actor is raised as it was raised there."""
    try:
        yield from rows
    except Exception as error:
        cause = cause_of(error)
        if isinstance(cause, OSError | ValueError | RuntimeError | ImportError):
            raise cause from None
        raise RuntimeError(f"Ray: {type(cause).__name__}: {cause}") from None


def _checked(parts: Parts, plan: Mapping[int, Sequence[Source]], blocks: int) -> Iterator[dict[str, Any]]:
    """Of every row what the outcome counts. Raises RuntimeError where one is missing, or there twice."""
    names = ("id", "status", "flagged", "error", "outlines")
    for number in sorted({*parts.numbers(), *plan}):
        rows = [dict(zip(names, x)) for x in zip(*(x.to_pylist() for x in parts.columns(number, names)))]
        ids = [x["id"] for x in rows]
        wanted = {x.id for x in plan.get(number, ())}
        if missing := wanted.difference(ids):
            raise RuntimeError(
                f"{parts}: {len(missing)} rows of block {number} are missing; give the same command again"
            )
        if len(set(ids)) < len(ids) or any(block_of(x, blocks) != number for x in ids):
            raise RuntimeError(
                f"{parts}: block {number} has rows twice; delete its part, and give the same command again"
            )
        yield from rows
