"""What may happen to files and folders on their way: each a function of a random generator."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

Rng = np.random.Generator


def _place(rng: Rng, data: bytes) -> int:
    return int(rng.integers(0, len(data) + 1))


def _span(rng: Rng, data: bytes) -> tuple[int, int]:
    start = _place(rng, data)
    return start, min(len(data), start + int(rng.integers(1, 64)))


def truncate(rng, data):
    return data[: _place(rng, data)]


def flip_bits(rng, data):
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        if changed:
            changed[int(rng.integers(0, len(changed)))] ^= 1 << int(rng.integers(0, 8))
    return bytes(changed)


def zero_run(rng, data):
    start, end = _span(rng, data)
    return data[:start] + bytes(end - start) + data[end:]


def delete_run(rng, data):
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def repeat_run(rng, data):
    start, end = _span(rng, data)
    return data[:end] + data[start:end] * int(rng.integers(1, 20)) + data[end:]


def insert_noise(rng, data):
    place = _place(rng, data)
    return data[:place] + rng.bytes(int(rng.integers(1, 40))) + data[place:]


def append_noise(rng, data):
    return data + rng.bytes(int(rng.integers(1, 4000)))


def other_header(rng, data):
    headers = (
        b"\xff\xd8\xff\xe0",
        b"\x89PNG\r\n\x1a\n",
        b"II*\0",
        b"BM",
        b"PK\x03\x04",
        b"GIF89a",
        b"\xef\xbb\xbf",
        b"%!PS",
    )
    return headers[int(rng.integers(len(headers)))] + data[int(rng.integers(0, 9)) :]


def empty(rng, data):
    return b""


BYTES: list[Callable[[Rng, bytes], bytes]] = [
    truncate, flip_bits, flip_bits, zero_run, delete_run, repeat_run, insert_noise, append_noise, other_header, empty
]  # fmt: skip

_PIECES = [
    b'"',
    b",",
    b";",
    b"\t",
    b"\r\n",
    b"\0",
    b"\xe9",
    b"null",
    b"-1",
    b"1e999",
    b"NaN",
    b"[]",
    b"{}",
    b"\xff\xfe",
    b"\\",
]


def _lines(rng, data):
    lines = data.split(b"\n")
    one, other = (int(rng.integers(len(lines))) for _ in range(2))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines + lines[one : one + 2] if rng.random() < 0.5 else lines[:one] + lines[one + 1 :])


def _piece(rng, data):
    place, piece = _place(rng, data), _PIECES[int(rng.integers(len(_PIECES)))]
    return data[:place] + piece + data[place + int(rng.integers(0, 3)) :]


def _word(rng, data):
    """Another value for a number or a string of JSON or CSV."""
    words = [b"true", b"null", b'"x"', b"-7", b"3.5", b"1e400", b"[1]", b'{"a": 1}', b"999999999999"]
    start = _place(rng, data)
    end = start
    while end < len(data) and data[end : end + 1] not in b',\n:]}"':
        end += 1
    return data[:start] + words[int(rng.integers(len(words)))] + data[end:]


TEXT: list[Callable[[Rng, bytes], bytes]] = [*BYTES, _lines, _piece, _piece, _word, _word, _word]


def mutate_bytes(rng: Rng, data: bytes, text: bool = False) -> bytes:
    """`data` after one to three mutations."""
    kinds = TEXT if text else BYTES
    for _ in range(int(rng.integers(1, 4))):
        data = kinds[int(rng.integers(len(kinds)))](rng, data)
    return data


# Of folders. What is said to be of a photograph is then no longer known: by the stems that are given back.

_NAMES = ["Normals", "glaucoma_maybe", "suspects", "TRAIN", "Test", "images", "masks", "misc", "Ünïcode", "a b", "cups"]


def _files(root: Path) -> list[Path]:
    return sorted(x for x in root.rglob("*") if x.is_file() and not x.is_symlink())


def _folders(root: Path) -> list[Path]:
    return sorted(x for x in root.rglob("*") if x.is_dir() and not x.is_symlink())


def _one(rng: Rng, items: list):
    return items[int(rng.integers(len(items)))]


def _all(root: Path) -> set[str]:
    return {x.stem for x in _files(root)}


def damage_file(rng, root):
    file = _one(rng, _files(root))
    file.write_bytes(mutate_bytes(rng, file.read_bytes(), text=file.suffix in (".csv", ".json")))
    return _all(root) if file.suffix in (".csv", ".json", ".xlsx") else {_stem(file)}


def _stem(file: Path) -> str:
    """Of the photograph that a mask belongs to."""
    return file.stem.removesuffix("_ODsegSoftmap").removesuffix("_cupsegSoftmap").split("-1-")[0]


def rename_file(rng, root):
    file = _one(rng, _files(root))
    names = [
        file.stem.upper() + file.suffix,
        file.stem + " " + file.suffix,
        "._" + file.name,
        file.stem,
        file.stem + ".gif",
    ]
    names += [
        file.stem + "_flip" + file.suffix,
        file.stem + ".dcm",
        os.fsdecode(b"\xe9\xff") + file.suffix,
        "é" + file.suffix,
    ]
    names += [f"{file.stem}_jpg.rf.0123456789abcdef{file.suffix}", "x" * 200 + file.suffix]
    target = file.with_name(_one(rng, names))
    if not target.exists():
        file.rename(target)
    return {_stem(file), _stem(target)}


def move_file(rng, root):
    file, folder = _one(rng, _files(root)), _one(rng, _folders(root))
    if not (folder / file.name).exists():
        file.rename(folder / file.name)
    return {_stem(file)}


def copy_file(rng, root):
    file, folder = _one(rng, _files(root)), _one(rng, _folders(root))
    target = folder / _one(rng, [file.name, "copy" + file.suffix])
    if not target.exists():
        shutil.copy(file, target)
    return {_stem(file), _stem(target)}


def delete_file(rng, root):
    file = _one(rng, _files(root))
    file.unlink()
    return _all(root) | {_stem(file)} if file.suffix in (".csv", ".json", ".xlsx") else {_stem(file)}


def replace_by_folder(rng, root):
    file = _one(rng, _files(root))
    file.unlink()
    file.mkdir()
    return {_stem(file)}


def link(rng, root):
    folder = _one(rng, _folders(root))
    target = _one(rng, [root, folder, root / "nowhere", _one(rng, _files(root))])
    place = folder / _one(rng, ["link", "link.jpg", "link.png"])
    if not place.is_symlink() and not place.exists():
        place.symlink_to(target)
    return set()


def rename_folder(rng, root):
    folder = _one(rng, _folders(root))
    target = folder.with_name(_one(rng, _NAMES))
    if not target.exists():
        folder.rename(target)
    return _all(root)


def nest_folder(rng, root):
    folder = _one(rng, _folders(root))
    inner = folder.with_name("moving")
    folder.rename(inner)
    folder.mkdir()
    inner.rename(folder / folder.name)
    return set()


def empty_folder(rng, root):
    folder = _one(rng, _folders(root))
    shutil.rmtree(folder)
    folder.mkdir()
    return _all(root)


def _masks(root: Path) -> list[Path]:
    places = ("gts", "masks", "cup", "disc_cup_masks", "rim-one_dl_reference_segmentations")
    return [x for x in _files(root) if any(part.lower() in places for part in x.parts) and x.suffix in (".png", ".bmp")]


def recode_mask(rng, root):
    """Another coding of the same mask, which must be read as the same or refused."""
    masks = _masks(root)
    if not masks:
        return set()
    file = _one(rng, masks)
    try:
        codes = np.asarray(Image.open(file).convert("L"))
    except Exception:  # damaged before
        return {_stem(file)}
    values, numbers = np.unique(codes, return_inverse=True)
    if len(values) > 3:
        return {_stem(file)}
    numbers = numbers.reshape(codes.shape)
    how = int(rng.integers(5))
    if how == 0:
        image = Image.fromarray(255 - codes)
    elif how == 1:
        image = Image.fromarray(rng.permutation(3).astype(np.uint8)[numbers])
    elif how == 2:
        image = Image.fromarray(rng.integers(0, 256, (3, 3)).astype(np.uint8)[numbers])
    elif how == 3:
        image = Image.fromarray(rng.permutation(3).astype(np.uint8)[numbers]).convert("P")
        image.putpalette(rng.integers(0, 256, 9).tolist())
    else:
        image = Image.fromarray(codes.astype(np.uint16) * 257)
    image.save(file, "PNG")
    # 0, 1, 2 in an arbitrary order, and a palette whose colours happen to be greys, say nothing that can be checked.
    return {_stem(file)} if how in (2, 3) else set()


def resize_mask(rng, root):
    masks = _masks(root)
    if masks:
        file = _one(rng, masks)
        try:
            Image.open(file).resize((33, 51)).save(file)
        except Exception:  # damaged before
            return {_stem(file)}
    return set()


def swap_files(rng, root):
    one, other = _one(rng, _files(root)), _one(rng, _files(root))
    contents = one.read_bytes(), other.read_bytes()
    one.write_bytes(contents[1])
    other.write_bytes(contents[0])
    return _all(root)


FOLDERS: list[Callable[[Rng, Path], set[str]]] = [
    damage_file, damage_file, damage_file, rename_file, rename_file, move_file, copy_file, copy_file, delete_file,
    replace_by_folder, link, rename_folder, nest_folder, empty_folder, recode_mask, recode_mask, recode_mask,
    resize_mask, swap_files,
]  # fmt: skip


def mutate_folder(rng: Rng, root: Path) -> set[str]:
    """One to four mutations; the stems of photographs of which the masks or the grade may be others now."""
    unsure: set[str] = set()
    for _ in range(int(rng.integers(1, 5))):
        if _files(root) and _folders(root):
            unsure |= FOLDERS[int(rng.integers(len(FOLDERS)))](rng, root)
    return unsure
