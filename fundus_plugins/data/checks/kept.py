"""What was examined of a set before, kept beside its JSON."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from fundus_plugins.data.cache import file_state
from fundus_plugins.data.checks.examine import Examined, as_row, from_row
from fundus_plugins.files import atomic_write
from fundus_plugins.photographs.photograph import READING

VERSION = 2  # of what is examined: another one makes what was kept void


class Kept:
    """What was examined before, in a hidden file beside the set's JSON, under a hash of everything it depends on."""

    def __init__(self, json_file: Path | None, key: list, records: Sequence[dict]):
        self.path = json_file and json_file.with_name(f".{json_file.stem}.check.json")
        self.key = ""
        if self.path:
            states = [_state(record["file_name"]) for record in records]
            text = json.dumps([READING, key, file_state(str(json_file)), states])
            self.key = hashlib.sha256(text.encode()).hexdigest()

    def read(self) -> list[Examined] | None:
        if not self.path:
            return None
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            return [from_row(row) for row in document["photographs"]] if document["key"] == self.key else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, found: Sequence[Examined]) -> None:
        if not self.path:
            return
        try:
            with atomic_write(self.path) as file:
                json.dump({"key": self.key, "photographs": [as_row(x) for x in found]}, file)
        except OSError:  # a folder that cannot be written to: looked at again the next time
            pass


def _state(file_name: str) -> list:
    try:
        return file_state(file_name)
    except OSError:
        return [file_name]
