"""Whether a photograph is still the one that was done."""

import os
import zlib
from typing import TYPE_CHECKING, Any

from fundus_plugins.photographs.remote import version_of
from fundus_plugins.photographs.sources import Source

if TYPE_CHECKING:
    from fundus_plugins.data.corrected import Correction


def stamp(source: Source, correction: "Correction | None" = None) -> str:
    """Changes with the size and time of a photograph's file, what a list says of it, and a person's outlines of it."""
    file: tuple
    try:
        state: Any = None if source.url else os.stat(source.path)
        file = (version_of(source.url),) if state is None else (state.st_size, state.st_mtime_ns)
    except Exception:  # told when it is read; every file system has its own
        file = (0, 0)
    said: tuple = (source.member, source.number, source.eye, source.patient, source.mm_per_pixel, source.fovea)
    if correction:
        said += (correction.stamp(),)
    return f"{zlib.crc32(repr((file, said)).encode()):08x}"
