"""A run of prediction: photographs to records, as they come, and to tables and a report at the end."""

import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

import fundus_plugins
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.sources import Known, Source, place_of, read_source
from fundus_plugins.prediction.looks import Prepared
from fundus_plugins.prediction.predictor import FundusPredictor
from fundus_plugins.prediction.result import CUPLESS, MISSED, UNGRADABLE
from fundus_plugins.prediction.run.journal import Journal, Line
from fundus_plugins.prediction.run.options import Options
from fundus_plugins.prediction.run.person import PERSON, person_first
from fundus_plugins.prediction.run.record import FAILED, failed_record, make_record
from fundus_plugins.prediction.run.stamps import stamp
from fundus_plugins.prediction.run.tables import CsvTable, write_tables
from fundus_plugins.prediction.run.workers import map_in_processes
from fundus_plugins.prediction.run.writers import output_name, write_files

if TYPE_CHECKING:
    from fundus_plugins.data.corrected import Correction

READ_AHEAD = 2  # photographs
Predictors = Callable[[], FundusPredictor]  # can be pickled where there are several processes


@dataclass
class Outcome:
    """How a run went: numbers of photographs, those done before with them, and a line for each that failed.

    `corrected` photographs have a person's outlines; `unused` corrections are of no photograph of the run.
    """

    predicted: int = 0
    missed: int = 0
    ungradable: int = 0
    flagged: int = 0
    before: int = 0
    failures: list[str] = field(default_factory=list)
    corrected: int = 0
    unused: int = 0
    cupless: int = 0


@dataclass(frozen=True)
class Read:
    """A photograph that was read, or why it was not; its stamp from before, and the seconds that it took."""

    found: tuple[np.ndarray, Known, Prepared] | Exception
    stamp: str
    seconds: float


@dataclass(frozen=True)
class Job:
    """What is done with one photograph, in whichever process; can be pickled.

    Attributes:
        output: the folder to write to.
        facts: fields of every record, such as the weights.
        corrections: a person's outlines, by the photographs' ids.
    """

    output: Path
    options: Options
    facts: Mapping[str, Any]
    corrections: "Mapping[str, Correction]" = field(default_factory=dict)

    def read(self, predictor: FundusPredictor, source: Source) -> Read:
        """The photograph, what is known of it, and what the model reads; or why not. May run in another thread."""
        began, stamp = time.perf_counter(), self.stamp(source)  # before it is read: what changes it then, shows later
        found: tuple[np.ndarray, Known, Prepared] | Exception
        try:
            image, known = read_source(source)
            if known.mm_per_pixel is None and self.options.mm_per_pixel is not None:
                known = replace(known, mm_per_pixel=self.options.mm_per_pixel, scale_source="option")
            found = image, known, predictor.prepare(image)
        except Exception as error:  # one bad file must not cost the others
            found = error
        return Read(found, stamp, time.perf_counter() - began)

    def finish(self, predictor: FundusPredictor, source: Source, read: Read) -> dict[str, Any]:
        """The record of a photograph, whose files are written then."""
        began = time.perf_counter()
        try:
            if isinstance(read.found, Exception):
                raise read.found
            image, known, prepared = read.found
            (prediction,) = predictor.predict_prepared([prepared])
            prediction, about = person_first(prediction, self.corrections.get(source.id))
            if about["outlines"] == PERSON:
                prediction = predictor.graded(prediction, image)
            record = {**make_record(source, known, image, prediction), **about, **self.facts}
            failures = write_files(self.output, source, record, image, prediction, self.options)
            if failures:  # what was measured stays, and the files are tried again by the same command
                record["error"] = "; ".join(failures)
        except Exception as error:  # one bad file must not cost the others
            named = isinstance(error, BadInput)  # which names the file itself
            text = str(error) if named else f"{source.where}: {type(error).__name__}: {error}"
            record = failed_record(source, text)
        seconds = round(read.seconds + time.perf_counter() - began, 4)
        return {**record, **self.facts, "stamp": read.stamp, "seconds": seconds}

    def stamp(self, source: Source) -> str:
        """Of the photograph and its corrections."""
        return stamp(source, self.corrections.get(source.id))

    def lost(self, source: Source) -> dict[str, Any]:
        """The record of a photograph whose process ended."""
        failed = failed_record(source, f"{source.where}: a process ended before it was done, twice")
        return {**failed, **self.facts, "stamp": self.stamp(source), "seconds": None}


def predict_sources(
    predictor: Predictors,
    sources: Sequence[Source],
    output: Path,
    options: Options = Options(),  # noqa: B008 - frozen
    *,
    made: Mapping[str, Any],
    workers: int = 1,
    overwrite: bool = False,
    split: bool | None = None,
) -> Outcome:
    """Predict every photograph; write a line of predictions.jsonl for each as it comes, and what `options` ask for.

    One bad file does not cost the others. Where the folder holds lines of the same kind of run, their photographs are
    not done again, unless they failed or have changed since. The results do not depend on `workers`.

    Args:
        predictor: makes one, in each process.
        made: how records are made: `weights`, their hash, which every record has; the engine, the config.
        workers: processes; 1: this one alone.
        overwrite: begin anew.
        split: of the report, see `write_report`.

    Raises:
        OSError: something cannot be written.
        ValueError: the folder holds a run of another kind (`Journal`), files of two photographs would have one name, or
            a person's outlines cannot be used at all (`read_corrections`), or lie in the folder.
    """
    refuse_one_name(sources)
    facts = {"weights": made.get("weights", ""), "version": fundus_plugins.__version__}
    manifest = {**made, **facts, "options": options.as_dict()}
    corrections, unused = match_corrections(sources, output, options)
    outcome = Outcome(unused=unused)
    job = Job(output, options, facts, corrections)
    with Journal(output, manifest, overwrite=overwrite) as journal:
        done, paths = journal.done.lines, journal.paths
        if not corrections:  # which know photographs by their ids
            sources = with_known_ids(sources, {path: id for id, path in paths.items()})
        for source in sources:
            refuse_taken(source, paths.get(source.id), output)
        refuse_one_name(sources, before=paths)
        todo = [x for x in sources if not is_done(x, done.get(x.id), job)]
        outcome.before = len(sources) - len(todo)
        if workers == 1:
            run = predict_each(job, predictor(), todo) if todo else iter(())
        else:
            run = map_in_processes(partial(_make_work, job, predictor), todo, workers, job.lost)
        with CsvTable(output, journal.done, "csv" in options.write) as table:
            for record in tqdm(run, total=len(todo), unit="image", disable=None):
                journal.add(record)
                table.add(record)
        records = journal.in_order([x.id for x in sources])
        write_tables(output, records, options, facts, split)
        return count(outcome, records, {x.id for x in sources})


def match_corrections(sources: Sequence[Source], output: Path, options: Options) -> "tuple[dict[str, Correction], int]":
    """By the photographs' ids, and the number of those that are of no photograph."""
    if options.masks_from is None:
        return {}, 0
    from fundus_plugins.data.corrected import read_corrections

    theirs, ours = Path(options.masks_from).resolve(), output.resolve()
    if theirs.is_relative_to(ours) or ours.is_relative_to(theirs):  # one would be written over, or read, as the other
        raise ValueError(f"{output} and {options.masks_from} are in each other: choose another --output")
    corrections = read_corrections(Path(options.masks_from))
    found = corrections.match(sources, output_name)
    return found, len(corrections.every) - len(found)


def count(outcome: Outcome, records: Iterable[Mapping[str, Any]], ids: Container[str]) -> Outcome:
    """The outcome with what the records of these photographs say."""
    for record in records:
        if record["id"] not in ids:
            continue
        if record["status"] == FAILED:
            outcome.failures.append(record["error"])
            continue
        if record.get("error"):
            outcome.failures.append(record["error"])
        outcome.predicted += 1
        outcome.missed += record["status"] == MISSED
        outcome.cupless += record["status"] == CUPLESS
        outcome.ungradable += record["status"] == UNGRADABLE
        outcome.flagged += record["flagged"]
        outcome.corrected += record.get("outlines") == PERSON
    return outcome


def with_known_ids(sources: Sequence[Source], ids: Mapping[str, str]) -> list[Source]:
    """A photograph that has another id by its path, since other folders were named before, keeps that one.

    Raises ValueError where a list gives it a new one.
    """
    known = [replace(x, id=ids.get(place_of(x), x.id)) for x in sources]
    for source, old in zip(sources, known):
        if source.named and source.id != old.id:
            raise ValueError(
                f"{source.where} was predicted as {old.id!r}, and a list calls it {source.id!r} now; choose another "
                "--output, or --overwrite to begin anew"
            )
    return known


def refuse_taken(source: Source, path: str | None, output: Path) -> None:
    """Raise ValueError where the record of a photograph's id, failed or not, is of another photograph."""
    if path not in (None, place_of(source)):
        raise ValueError(
            f"{output} holds a photograph {source.id!r} of {path}, and this is {source.where}; choose another --output"
        )


def is_done(source: Source, done: Line | None, job: Job) -> bool:
    """Whether a record is there that still counts. Raises ValueError where it is of another photograph."""
    if done is None:
        return False
    refuse_taken(source, done.path, job.output)
    return done.stamp == job.stamp(source) and all((job.output / x).exists() for x in done.files)


def refuse_one_name(sources: Sequence[Source], before: Iterable[str] = ()) -> None:
    """Raise ValueError where files of two photographs would have one name, or that of one done `before`, by its id."""
    names: dict[str, Source] = {}
    for source in sources:
        other = names.setdefault(output_name(source.id).lower(), source)  # some disks know no other
        if other is not source:
            raise ValueError(f"{other.where} and {source.where} would give files of one name: predict them one by one")
    ids = {source.id for source in sources}
    for id in before:
        if id not in ids and (taken := names.get(output_name(id).lower())):
            raise ValueError(
                f"{taken.where} would give files of the name that those of the photograph {id!r} have; choose another "
                "--output"
            )


def predict_each(job: Job, predictor: FundusPredictor, sources: Sequence[Source]) -> Iterator[dict[str, Any]]:
    """The records of photographs, in this process; the next ones are read meanwhile."""
    with ThreadPoolExecutor(1) as reader:
        waiting: deque[tuple[Source, Future]] = deque()
        for source in sources:
            waiting.append((source, reader.submit(job.read, predictor, source)))
            if len(waiting) > READ_AHEAD:
                first, future = waiting.popleft()
                yield job.finish(predictor, first, future.result())
        while waiting:
            first, future = waiting.popleft()
            yield job.finish(predictor, first, future.result())


def _make_work(job: Job, predictor: Predictors) -> Callable[[Source], dict[str, Any]]:
    made = predictor()
    return lambda source: job.finish(made, source, job.read(made, source))
