"""predictions.parquet, a folder with a part for each block: whole or not there, on this machine's disk or at a URL."""

import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pyarrow
import pyarrow.parquet

from fundus_plugins.files import atomic_write, remove_leftovers
from fundus_plugins.photographs.problems import reason
from fundus_plugins.photographs.remote import filesystem, is_url
from fundus_plugins.prediction.run.journal import MANIFEST
from fundus_plugins.prediction.run.tables import PARQUET, as_table

RECORD = "record"  # the column that holds a record as JSON, with its outlines; before it are the table's own
FEW = 20_000  # records that are held at once, to be put in order
_NAME = re.compile(r"part-(\d+)\.parquet")


class Parts:
    """The parts of a table in an output folder, or at a URL. Can be pickled.

    Args:
        output: a folder that every process sees under this name, or a URL.
    """

    def __init__(self, output: Path | str):
        self.output = output if is_url(output) else os.path.abspath(output)
        self.is_remote = is_url(output)

    def __str__(self) -> str:
        return self._at(PARQUET)

    def numbers(self) -> list[int]:
        """Of the blocks that have a part."""
        system, path = self._find(PARQUET)
        names = [x.rpartition("/")[2] for x in system.ls(path, detail=False)] if system.isdir(path) else []
        return sorted(int(x[1]) for x in map(_NAME.fullmatch, names) if x)

    def read(self, number: int) -> list[dict[str, Any]]:
        """The records of a block; none where it has no part. Raises ValueError for a part that is damaged."""
        columns = self.columns(number, [RECORD])
        return [json.loads(x) for x in columns[0].to_pylist()] if columns else []

    def columns(self, number: int, names: Sequence[str]) -> list[Any]:
        """Arrow columns of a block's rows, of these names; none where it has no part. Raises ValueError as `read`."""
        system, path = self._find(self._name(number))
        try:
            data = system.cat_file(path)
        except FileNotFoundError:
            return []
        with self._named(number):
            table = pyarrow.parquet.read_table(io.BytesIO(data), columns=list(names))
            return [table[name] for name in names]

    def write(self, number: int, records: Iterable[Mapping[str, Any]]) -> None:
        """Put these records in the place of a block's part."""
        records = list(records)
        whole = pyarrow.array([json.dumps(x, separators=(",", ":")) for x in records], pyarrow.string())
        data = io.BytesIO()
        pyarrow.parquet.write_table(as_table(records).append_column(RECORD, whole), data, compression="zstd")
        self._put(self._name(number), data.getvalue())

    @property
    def manifest(self) -> dict[str, Any]:
        """How the records are made; nothing where no run was here, or this process does not see the folder."""
        system, path = self._find(MANIFEST)
        try:
            return json.loads(system.cat_file(path))
        except (FileNotFoundError, ValueError):
            return {}

    @manifest.setter
    def manifest(self, value: Mapping[str, Any]) -> None:
        self._put(MANIFEST, json.dumps(value, indent=1).encode() + b"\n")

    def remove(self) -> None:
        """All parts, and how they were made."""
        system, path = self._find(PARQUET)
        if system.exists(path):
            system.rm(path, recursive=True)
        system, path = self._find(MANIFEST)
        if system.exists(path):
            system.rm(path)

    def remove_leftovers(self) -> None:
        """What processes left half-written that were killed. At a URL there is nothing: a file is put there whole."""
        if not self.is_remote:
            remove_leftovers(Path(str(self)), below=False)

    def _put(self, name: str, data: bytes) -> None:
        if not self.is_remote:
            with atomic_write(self._at(name), "wb", durable=True) as file:
                file.write(data)
            return
        system, path = self._find(name)
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
        system.pipe_file(path, data)  # of an object store: there as a whole, or not at all

    def _name(self, number: int) -> str:
        return f"{PARQUET}/part-{number:06}.parquet"

    def _at(self, name: str) -> str:
        return f"{str(self.output).rstrip('/')}/{name}"

    def _find(self, name: str) -> tuple[Any, str]:
        system, path = filesystem(self._at(name)) if self.is_remote else (fsspec.filesystem("file"), self._at(name))
        system.invalidate_cache()  # other processes write there
        return system, path

    @contextmanager
    def _named(self, number: int) -> Iterator[None]:
        try:
            yield
        except (pyarrow.ArrowException, ValueError, KeyError, OSError) as error:
            found = f"{self._at(self._name(number))} is damaged: {reason(error)}"
            raise ValueError(f"{found}; delete it, and its photographs are done again") from None


class Rows:
    """The records of all parts, read as they are wanted.

    Args:
        ids: the order of the photographs; records of others come first. Of more than FEW the order is the parts'.
    """

    def __init__(self, parts: Parts, ids: Iterable[str]):
        self.parts = parts
        self._order = {id: place for place, id in enumerate(ids)}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        records = (x for number in self.parts.numbers() for x in self.parts.read(number))
        if len(self._order) > FEW:
            return records
        return iter(sorted(records, key=lambda x: self._order.get(x["id"], -1)))
