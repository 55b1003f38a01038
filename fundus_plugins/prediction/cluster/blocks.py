"""A list of photographs cut into blocks: which photograph is in which is decided by its id alone.

So a block is the same in every run, whatever else is in the list and however many processes there are.
"""

import os
import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from fundus_plugins.photographs.sources import Source

SIZE = 256  # photographs of a block, of long lists: what a death costs at most, and one file
_SMALL = 8  # of short lists: enough that a block's own cost is nothing
_AT_ONCE = 64  # blocks that a short list gets, so that no process waits for the others' last


def number_of_blocks(photographs: int, workers: int) -> int:
    """How many blocks a new list is cut into.

    >>> number_of_blocks(12, 2), number_of_blocks(400, 2), number_of_blocks(1_000_000, 64)
    (2, 50, 3907)
    """
    few = min(-(-photographs // _SMALL), max(_AT_ONCE, 8 * workers))
    return max(-(-photographs // SIZE), few, 1)


def block_of(id: str, blocks: int) -> int:
    """The block of a photograph, from 0."""
    return zlib.crc32(id.encode("utf-8", "surrogateescape")) % blocks


def in_blocks(sources: Iterable[Source], blocks: int) -> dict[int, list[Source]]:
    """The photographs of each block that has any, in their order, with paths that are the same for every process."""
    cut: dict[int, list[Source]] = {}
    for source in sources:
        there = source if source.url else replace(source, path=Path(os.path.abspath(source.path)))
        cut.setdefault(block_of(source.id, blocks), []).append(there)
    return dict(sorted(cut.items()))
