"""What one process of Ray does: one model, and block after block brought up to date."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from platform import node
from typing import Any

import cv2

import fundus_plugins
from fundus_plugins.files import file_hash
from fundus_plugins.photographs.sources import Source
from fundus_plugins.prediction.cluster.blocks import SIZE
from fundus_plugins.prediction.cluster.parts import Parts
from fundus_plugins.prediction.predictor import FundusPredictor
from fundus_plugins.prediction.run.journal import line_of, remove_files
from fundus_plugins.prediction.run.run import Job, Predictors, is_done, predict_each


class Attempts:
    """Counts how often work was begun, in a process that outlives those which work; an actor of Ray."""

    def __init__(self) -> None:
        self._begun: dict[str, int] = {}

    def begin(self, name: str) -> int:
        """The number of this attempt, from 1."""
        self._begun[name] = self._begun.get(name, 0) + 1
        return self._begun[name]


class Worker:
    """Brings blocks up to date.

    A block that is begun again, for its process died, is done photograph by photograph, each counted and written: one
    at which a process died twice is recorded as lost, and costs the others nothing.

    Args:
        folder: where the run was started; relative paths are meant there.
        weights: the predictor's file; "" for the packaged one, which goes by the version.
        begin: counts an attempt at what is called so (`Attempts.begin`).

    Raises:
        ValueError: this machine has other files of that name, another version, or does not see the output folder.
    """

    def __init__(
        self,
        job: Job,
        predictor: Predictors,
        parts: Parts,
        manifest: Mapping[str, Any],
        weights: str,
        folder: str,
        begin: Callable[[str], int],
    ):
        if os.path.isdir(folder):
            os.chdir(folder)
        cv2.setNumThreads(1)
        if manifest["version"] != fundus_plugins.__version__:
            here = f"{node()} has {fundus_plugins.__version__}"
            raise ValueError(f"fundus_plugins {manifest['version']} started the run, and {here}: install one version")
        if weights and file_hash(weights)[:16] != manifest["weights"]:
            raise ValueError(f"{weights} is another file on {node()}: put the weights into a folder that all share")
        self._job, self._make, self._parts, self._manifest, self._begin = job, predictor, parts, manifest, begin
        self._predictor: FundusPredictor | None = None

    def bring_up_to_date(self, number: int, sources: Sequence[Source]) -> int:
        """Do what is not done of a block, and put it into the block's part; returns how many were done before."""
        if self._parts.manifest != self._manifest:
            raise ValueError(
                f"{self._parts.output} is another folder on {node()}, or another run writes there: "
                "--output has to be one that all machines share, or a URL"
            )
        records = {x["id"]: x for x in self._parts.read(number)}
        before = {id: line_of(x) for id, x in records.items()}
        todo = [x for x in sources if not self._is_done(x, records.get(x.id))]
        again = bool(todo) and self._begin(f"block {number}") > 1
        unwritten = 0
        for record in self._predict(todo, again):
            records[record["id"]] = record
            unwritten += 1
            if again or unwritten == SIZE:  # of a block that has grown
                self._parts.write(number, records.values())
                unwritten = 0
        if unwritten:
            self._parts.write(number, records.values())
        for id, old in before.items():
            remove_files(self._job.output, set(old.files) - set(line_of(records[id]).files))
        return len(sources) - len(todo)

    def _is_done(self, source: Source, record: Mapping[str, Any] | None) -> bool:
        return record is not None and not record.get("error") and is_done(source, line_of(record), self._job)

    def _predict(self, sources: Sequence[Source], again: bool) -> Iterator[dict[str, Any]]:
        if not sources:
            return
        if self._predictor is None:
            self._predictor = self._make()
        if not again:
            yield from predict_each(self._job, self._predictor, sources)
            return
        for source in sources:
            if self._begin(f"photograph {source.id}") > 2:
                yield self._job.lost(source)
            else:
                yield from predict_each(self._job, self._predictor, [source])
