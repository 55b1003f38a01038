"""Files at URLs, such as s3://bucket/folder/eye.jpg: whatever fsspec opens.

A URL is read because somebody named it, or the list that they named; a config cannot name one.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from .problems import reason

NEEDED = "addresses such as s3://bucket/folder need fsspec: pip install 'fundus-plugins[ray]'"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # of one letter it is a drive of Windows


def is_url(text: object) -> bool:
    """Whether a text begins as a URL does.

    >>> is_url("s3://bucket/eye.jpg"), is_url("C://eyes"), is_url("eyes/a.jpg")
    (True, False, False)
    """
    return isinstance(text, str) and bool(_URL.match(text))


def filesystem(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path there.

    Raises ImportError for what is not installed, ValueError for a protocol that nobody knows, or several in one URL.
    """
    try:
        import fsspec.core
    except ImportError:
        raise ImportError(NEEDED) from None
    if "::" in url:
        raise ValueError(f"{url}: expected a URL of one protocol, found several")
    try:
        return fsspec.core.url_to_fs(url)
    except ValueError as error:
        raise ValueError(f"{url}: {reason(error)}") from None


def is_folder(url: str) -> bool:
    """Whether there are files below a URL. Raises FileNotFoundError where nothing is at it."""
    system, path = filesystem(url)
    if system.isdir(path):
        return True
    if not system.exists(path):
        raise FileNotFoundError(f"no photographs at {url}")
    return False


def files_below(url: str, recursive: bool) -> Iterator[tuple[str, str]]:
    """The names of files below a folder, with slashes, and their URLs, sorted; hidden ones are left out."""
    system, path = filesystem(url)
    root = system._strip_protocol(path).rstrip("/") + "/"
    for found in sorted(system.find(path, maxdepth=None if recursive else 1)):
        name = found.removeprefix(root)
        if not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts):
            yield name, system.unstrip_protocol(found)


def read_url(url: str, most: int) -> bytes:
    """All of a file. Raises OSError for what is no file, ValueError for one of more than `most` bytes."""
    system, path = filesystem(url)
    about = system.info(path)
    if about["type"] != "file":
        raise OSError(f"a file was expected, and this is a {about['type']}")
    size = about["size"]
    if size is not None and size > most:
        raise ValueError(f"{size >> 20} MiB; at most {most >> 20} are read")
    data = system.cat_file(path)
    if len(data) > most:  # of a server that did not tell
        raise ValueError(f"more than {most >> 20} MiB")
    return data


def version_of(url: str) -> str:
    """Changes with the file: its size, time or tag, as the file system tells them."""
    system, path = filesystem(url)
    return system.ukey(path)
