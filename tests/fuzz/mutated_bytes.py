"""What may happen to a file on its way: functions of a random generator and its bytes."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas

Rng = np.random.Generator
PNG = b"\x89PNG"


def one(rng: Rng, items: Sequence) -> Any:
    return items[int(rng.integers(len(items)))]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# Bytes.


def _span(rng: Rng, data: bytes) -> tuple[int, int]:
    start = int(rng.integers(0, len(data) + 1))
    return start, min(len(data), start + int(rng.integers(1, 64)))


def truncated(rng: Rng, data: bytes) -> bytes:
    return data[: int(rng.integers(0, len(data) + 1))]


def flipped(rng: Rng, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 9)) if data else 0):
        changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def zeroed(rng: Rng, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + bytes(end - start) + data[end:]


def deleted(rng: Rng, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def repeated(rng: Rng, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:end] + data[start:end] * int(rng.integers(1, 20)) + data[end:]


def with_noise(rng: Rng, data: bytes) -> bytes:
    start, _ = _span(rng, data)
    return data[:start] + rng.bytes(int(rng.integers(1, 40))) + data[start:]


def with_noise_behind(rng: Rng, data: bytes) -> bytes:
    return data + rng.bytes(int(rng.integers(1, 4000)))


_HEADERS = (b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"BM", b"PK\x03\x04", b"GIF89a")
_HEADERS += (b"RIFF\x10\0\0\0WEBPVP8 ", b"P6\n9 9\n255\n", b"\xd0\xcf\x11\xe0", b"\xef\xbb\xbf", b"%!PS", b"\xff\xfe")


def other_header(rng: Rng, data: bytes) -> bytes:
    return one(rng, _HEADERS) + data[int(rng.integers(0, 9)) :]


def empty(rng: Rng, data: bytes) -> bytes:
    return b""


def noise(rng: Rng, data: bytes) -> bytes:
    return rng.bytes(int(rng.integers(1, 2000)))


Mutation = Callable[[Rng, bytes], bytes]
BYTES: list[Mutation] = [truncated, flipped, flipped, zeroed, deleted, repeated, with_noise, with_noise_behind]
BYTES += [other_header, empty, noise]


# Text.

_PIECES = (b'"', b",", b";", b"\t", b"|", b"\r\n", b"\r", b"\0", b"\xe9", b"\xef\xbb\xbf", b"\xff\xfe", b"\\", b"'")
_WORDS = (b"null", b"true", b"-1", b"-7", b"1e999", b"NaN", b"Infinity", b"3.5", b"999999999999", b"[]", b"{}", b'""')
_WORDS += (b"[1]", b'{"a": 1}', b'"two\\nlines"', b'"\\udce9"', b"1" * 5000, b"x" * 300)


def lines_changed(rng: Rng, data: bytes) -> bytes:
    lines = data.split(b"\n")
    first, other = int(rng.integers(len(lines))), int(rng.integers(len(lines)))
    lines[first], lines[other] = lines[other], lines[first]
    return b"\n".join(one(rng, [lines + lines[first : first + 2], lines[:first] + lines[first + 1 :], lines]))


def piece_inserted(rng: Rng, data: bytes) -> bytes:
    start, _ = _span(rng, data)
    return data[:start] + one(rng, _PIECES) + data[start + int(rng.integers(0, 3)) :]


def word_replaced(rng: Rng, data: bytes) -> bytes:
    words = list(re.finditer(rb'"[^"\n]*"|[^\s,;:"\[\]{}]+', data))
    if not words:
        return data
    word = one(rng, words)
    return data[: word.start()] + one(rng, _WORDS) + data[word.end() :]


def line_ends(rng: Rng, data: bytes) -> bytes:
    return data.replace(b"\n", one(rng, [b"\r\n", b"\r", b"\n\n"]))


def other_encoding(rng: Rng, data: bytes) -> bytes:
    return data.decode("latin-1").encode(one(rng, ["utf-16", "utf-8-sig", "utf-16-le", "utf-32"]))


TEXT: list[Mutation] = [lines_changed, piece_inserted, piece_inserted, word_replaced, word_replaced, line_ends]
TEXT += [other_encoding]

_VALUES: tuple = (
    None,
    True,
    -1,
    0,
    1,
    1.0,
    2.5,
    1e308,
    float("nan"),
    float("inf"),
    10**12,
    10**30,
    "",
    "x",
    "1",
    [],
    {},
)
_VALUES += (
    [1],
    [[]],
    {"a": 1},
    "two\nlines",
    "\udce9",
    "\0",
    [0.0] * 4,
    {"size": [44, 40], "counts": "0"},
    [[1, 2, 3]],
)


def json_changed(rng: Rng, data: bytes) -> bytes:
    """A value replaced, copied from elsewhere, left out, or a key renamed, anywhere in a document."""
    try:
        document = json.loads(data)
    except ValueError:
        return data
    places = list(_places(document))
    for _ in range(int(rng.integers(1, 4)) if places else 0):
        holder, key = one(rng, places)
        how = int(rng.integers(5))
        if isinstance(holder, list) and key >= len(holder) or isinstance(holder, dict) and key not in holder:
            continue
        if how == 0:
            del holder[key]
        elif how == 1 and isinstance(holder, dict):
            holder[key + one(rng, ["s", " ", "_"])] = holder.pop(key)
        elif how == 1:
            holder.append(json.loads(json.dumps(holder[key])))
        elif how == 2:
            other, name = one(rng, places)
            if isinstance(other, list) and name < len(other) or isinstance(other, dict) and name in other:
                holder[key] = json.loads(json.dumps(other[name]))
        else:
            holder[key] = one(rng, _VALUES)
    return json.dumps(document).encode()


def _places(node: Any):
    for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, key
        yield from _places(node[key])


def mutate_bytes(rng: Rng, data: bytes, kind: str = "") -> bytes:
    """`data` after one to three mutations; `kind` is "text", "json" or anything else."""
    own = {"text": TEXT, "json": [json_changed]}.get(kind)
    kinds = own if own and rng.random() < 0.7 else BYTES + TEXT if own else BYTES
    for _ in range(int(rng.integers(1, 4))):
        data = one(rng, kinds)(rng, data)
    return data


# Sheets.


def xlsx(frame: pandas.DataFrame, header: bool = True) -> bytes:
    """An Excel file, of the same bytes every time."""
    made, fixed = io.BytesIO(), io.BytesIO()
    frame.to_excel(made, index=False, header=header)
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(
                zipfile.ZipInfo(name), re.sub(rb"\d{4}(-\d\d){2}T[\d:]+Z", b"2000-01-01T00:00:00Z", old.read(name))
            )
    return fixed.getvalue()


def rewritten_sheet(rng: Rng, rows: dict[str, list]) -> bytes:
    """The same table as another program would write it: it must be read as the same."""
    frame = pandas.DataFrame(rows)
    frame = frame.iloc[rng.permutation(len(frame))][[frame.columns[i] for i in rng.permutation(len(frame.columns))]]
    frame.columns = [one(rng, [x, x.upper(), f" {x} "]) for x in frame.columns]
    if rng.random() < 0.2:
        return xlsx(frame)
    text = frame.to_csv(None, index=False, sep=one(rng, ",;\t|"), quoting=int(rng.integers(2)))
    text = text.replace("\n", one(rng, ["\n", "\r\n", "\n\n"]))
    return text.encode(one(rng, ["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
