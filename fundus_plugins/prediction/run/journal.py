"""The journal of a run, predictions.jsonl: a line a photograph, kept as it comes, so that the same command goes on.

Beside it run.json says how the lines were made; lines that were made in another way do not mix with them.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from fundus_plugins.files import FolderLock, atomic_write, remove_leftovers
from fundus_plugins.prediction.run.options import FOLDERS

MANIFEST, JOURNAL = "run.json", "predictions.jsonl"
TABLES = ("predictions.csv", "predictions.parquet", "predictions.coco.json", "report.html", MANIFEST)
_SYNC_EVERY = 1.0  # seconds


@dataclass(frozen=True)
class Line:
    """Where a record is in the journal, and what is needed of it to go on."""

    place: int
    error: bool
    path: str
    stamp: str
    files: tuple[str, ...]


class Records:
    """The records of a journal, read as they are wanted, so that a million of them need little memory.

    Args:
        file: opened to be read.
        lines: those that count, by id, in the order in which they are given.
    """

    def __init__(self, file: IO[bytes], lines: Mapping[str, Line]):
        self._file = file
        self.lines = lines

    def __len__(self) -> int:
        return len(self.lines)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line in self.lines.values():
            self._file.seek(line.place)
            yield json.loads(self._file.readline())


class Journal:
    """The journal in a folder, opened to be added to; no other run can open it meanwhile.

    What a power cut left of the last lines is cut off. A photograph that failed is done again; its new line counts.

    Args:
        output: made where it is not there.
        manifest: plain values that say how records are made.
        overwrite: begin anew, whatever is there: the tables and the files that the old records name are removed.

    Raises:
        ValueError: the folder holds records that were made in another way, a file of this name that is no journal or is
            damaged within, or another run is writing there.
    """

    def __init__(self, output: Path, manifest: Mapping[str, Any], *, overwrite: bool = False):
        output.mkdir(parents=True, exist_ok=True)
        self.output = output
        self._lock = FolderLock(output)
        self._synced = time.monotonic()
        try:
            self._file: IO[bytes] = open(output / JOURNAL, "ab+")
            self._lines, self._end = _scan(self._file, output / JOURNAL, damaged=overwrite)
            if overwrite:
                remove_files(output, {name for line in self._lines.values() for name in line.files} | set(TABLES))
                self._lines, self._end = {}, 0
            elif self._lines:
                refuse_another(str(output), _found(output), manifest)
            self._file.truncate(self._end)
            remove_leftovers(output, below=False)
            for folder in FOLDERS:
                remove_leftovers(output / folder, below=True)
        except BaseException:
            self._lock.release()
            raise
        self._manifest = None if self._lines else manifest  # until the first record is there

    @property
    def done(self) -> Records:
        """The records of photographs of which everything was done."""
        return Records(self._file, {id: line for id, line in self._lines.items() if not line.error})

    @property
    def paths(self) -> dict[str, str]:
        """Where the photograph of every record is, failed ones, too, by its id."""
        return {id: line.path for id, line in self._lines.items()}

    def add(self, record: Mapping[str, Any]) -> None:
        """Write a record's line; it survives the end of this process, and at most a second later a power cut."""
        if self._manifest is not None:
            with atomic_write(self.output / MANIFEST) as file:
                json.dump(self._manifest, file, indent=1)
                file.write("\n")
            self._manifest = None
        data = _data(record)
        self._file.write(data)
        self._file.flush()
        line = line_of(record, self._end)
        before = self._lines.pop(record["id"], None)
        self._lines[record["id"]] = line
        if before is not None:  # of a photograph that changed
            remove_files(self.output, set(before.files) - set(line.files))
        self._end += len(data)
        if time.monotonic() - self._synced > _SYNC_EVERY:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def in_order(self, ids: Sequence[str]) -> Records:
        """All records, those of other photographs first, then these in this order; the file is put in this order."""
        known = set(ids)
        order = [id for id in self._lines if id not in known] + [id for id in ids if id in self._lines]
        places = [self._lines[id].place for id in order]
        if places != sorted(places) or len(order) < self._count():
            with atomic_write(self.output / JOURNAL, "wb") as file:
                file.writelines(map(_data, Records(self._file, {id: self._lines[id] for id in order})))
                self._file.close()  # some systems do not replace an open file
            self._file = open(self.output / JOURNAL, "ab+")
            self._lines, self._end = _scan(self._file, self.output / JOURNAL)
        return Records(self._file, {id: self._lines[id] for id in order})

    def close(self) -> None:
        """Bring everything to the disk, and let another run in."""
        os.fsync(self._file.fileno())
        self._file.close()
        self._lock.release()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _count(self) -> int:
        self._file.seek(0)
        return sum(1 for _ in self._file)


def _scan(file: IO[bytes], path: Path, *, damaged: bool = False) -> tuple[dict[str, Line], int]:
    """The last line of each id, to the first line that is no record's; and where that begins.

    Where a record comes after that, or nothing before it and no run was here, ValueError, unless it may be `damaged`.
    """
    file.seek(0)
    lines: dict[str, Line] = {}
    end, broken = 0, 0
    for number, data in enumerate(file, start=1):
        record = _record(data)
        if record is None:
            broken = broken or number
        elif broken and not damaged:
            raise ValueError(f"{path}: line {broken} is damaged; mend it, choose another --output, or --overwrite")
        elif not broken:
            lines.pop(record["id"], None)
            lines[record["id"]] = line_of(record, end)
            end += len(data)
    if broken and not lines and not damaged and not (path.parent / MANIFEST).exists():
        raise ValueError(f"{path} is no journal of fundus predict; choose another --output, or --overwrite")
    return lines, end


def _record(data: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(data)
    except ValueError:
        return None
    there = data.endswith(b"\n") and isinstance(record, dict) and {"id", "status", "path"} <= record.keys()
    return record if there else None


def _data(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def line_of(record: Mapping[str, Any], place: int = 0) -> Line:
    """What is needed of a record to go on."""
    files = tuple(record.get("files", {}).values())
    return Line(place, bool(record.get("error")), record["path"], record.get("stamp", ""), files)


def _found(output: Path) -> dict[str, Any]:
    try:
        return json.loads((output / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def refuse_another(output: str, found: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
    """Raise ValueError where records were made, as `found` says, in another way than by the manifest."""
    found, wanted = _flat(found), _flat(json.loads(json.dumps(manifest)))
    different = [name for name in wanted if found.get(name) != wanted[name]]
    if different:
        name = different[0]
        raise ValueError(
            f"{output} holds a run with other {name}: {_short(found.get(name))}, now {_short(wanted[name])}; "
            "choose another --output, or --overwrite to begin anew"
        )


def _flat(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """With the options among the rest, so that the one which differs can be named."""
    return {**manifest, **(manifest.get("options") or {}), "options": None}


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) < 100 else f"{text[:97]}..."


def remove_files(output: Path, names: Iterable[str]) -> None:
    """Remove what records name of an output folder, if it is there, and nothing outside of that folder."""
    root = output.resolve()
    for name in names:
        path = root / name
        if path.resolve().is_relative_to(root):  # whatever the journal says
            path.unlink(missing_ok=True)
