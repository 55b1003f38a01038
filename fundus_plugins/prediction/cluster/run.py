"""A run of prediction on Ray: blocks of photographs to Ray Data's actors, their rows to the parts of a table."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import fundus_plugins
from fundus_plugins.files import FolderLock, remove_leftovers
from fundus_plugins.photographs.sources import Source, place_of
from fundus_plugins.prediction.cluster.blocks import block_of, in_blocks, number_of_blocks
from fundus_plugins.prediction.cluster.connection import connected
from fundus_plugins.prediction.cluster.parts import FEW, Parts, Rows
from fundus_plugins.prediction.cluster.pool import Place, do_blocks
from fundus_plugins.prediction.cluster.worker import Worker
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
        if not corrections and (known := _known(parts, sources)):
            sources = with_known_ids(sources, known)
            if options.write:
                refuse_one_name(sources, before=known.values())
        with connected(place.address, place.workers):
            workers, resources = place.processes()
            blocks = found.get("parts") or number_of_blocks(len(sources), workers)
            manifest = json.loads(json.dumps({**manifest, "parts": blocks}))  # as it is read again
            parts.manifest = manifest
            plan = in_blocks(sources, blocks)
            make = partial(Worker, job, predictor, parts, manifest, place.weights, os.getcwd())
            before = do_blocks(plan, make, workers, resources)
        parts.remove_leftovers()
        outcome = count(Outcome(before=before, unused=unused), _checked(parts, plan, blocks), {x.id for x in sources})
        if not parts.is_remote:
            kinds = options.write or (AT_THE_END if len(sources) <= FEW else ())
            wanted = replace(options, write=tuple(x for x in kinds if x != "parquet"))
            write_tables(files, Rows(parts, [x.id for x in sources]), wanted, facts, split)
        return outcome


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
            remove_files(folder, _files(parts) | {x for x in (*TABLES, JOURNAL) if not (folder / x).is_dir()})
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


def _files(parts: Parts) -> set[str]:
    """What the records name below the output folder; of a part that is damaged nothing."""
    names: set[str] = set()
    for number in parts.numbers():
        with suppress(ValueError):
            names.update(name for x in parts.read(number) for name in x.get("files", {}).values())
    return names


def _known(parts: Parts, sources: Sequence[Source]) -> dict[str, str]:
    """The ids of photographs that are done, by their paths. Raises ValueError where an id is of another photograph."""
    paths: dict[str, str] = {}
    for number in parts.numbers():
        ids, places = (x.to_pylist() for x in parts.columns(number, ["id", "path"]))
        paths.update(zip(ids, places))
    known = {path: id for id, path in paths.items()}
    for source in sources if known else ():
        at = place_of(source)
        if at not in known and paths.get(source.id, at) != at:
            raise ValueError(
                f"{parts.output} holds a photograph {source.id!r} of {paths[source.id]}, and this is {source.where}; "
                "choose another --output"
            )
    return known


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
