"""What may happen to folders on their way: functions of a random generator, and what is then still known."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from .mutated_bytes import PNG, Rng, digest, mutate_bytes, one, rewritten_sheet


@dataclass(frozen=True)
class Eye:
    """One photograph as it was drawn."""

    stem: str
    split: str
    grade: str | None
    masks: dict[str, np.ndarray]  # "disc", "cup"
    readers: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)  # the same of each, where there are several


@dataclass(frozen=True)
class Truth:
    """What a mask file shows: the masks of one eye, or one of them."""

    eye: Eye
    structures: tuple[str, ...]
    exact: bool = True
    vague: bool = False  # damaged, in a format that cannot tell
    reader: str = ""

    def masks(self) -> list[np.ndarray]:
        masks = self.eye.readers[self.reader] if self.reader else self.eye.masks
        return [masks[structure] for structure in self.structures]


@dataclass
class Known:
    """What is known of the files below a root, by the digests of their bytes.

    `moved`: names, places or contents were exchanged, so that a name may rightly lead to another eye's mask or grade.
    `relabelled`: a sheet of text was damaged, so that it may rightly say another grade.
    """

    root: Path
    eyes: dict[str, Eye] = field(default_factory=dict)
    masks: dict[str, Truth] = field(default_factory=dict)
    labels: dict[str, set[str]] = field(default_factory=dict)  # stem or relative path, lower case -> grades of sheets
    sheet: dict[str, list] | None = None  # of graded_sheet
    moved: bool = False
    relabelled: bool = False
    sound: bool = False  # nothing was done
    sheets: list[str] = field(default_factory=list)  # below the root, that are missed where they are gone
    done: list[str] = field(default_factory=list)

    def files(self) -> list[Path]:
        return sorted(x for x in self.root.rglob("*") if x.is_file() and not x.is_symlink())

    def unsorted(self) -> bool:
        """Whether the sheets that tell splits are gone, or may say others."""
        return self.relabelled or not all(map(self.is_there, self.sheets))

    def is_there(self, sheet: str) -> bool:
        """Whether a file of that name is anywhere below the root."""
        return any(x.is_file() for x in self.root.rglob(Path(sheet).name))

    def folders(self) -> list[Path]:
        return sorted(x for x in self.root.rglob("*") if x.is_dir() and not x.is_symlink())

    def mask_files(self) -> list[tuple[Path, Truth]]:
        found = ((x, self.masks.get(digest(x))) for x in self.files())
        return [(x, truth) for x, truth in found if truth and not truth.vague]


_SHEETS = (".csv", ".json", ".xlsx", ".xls", ".tsv")


def damage_file(rng: Rng, known: Known) -> None:
    file = one(rng, known.files())
    data, before = file.read_bytes(), digest(file)
    kind = {".csv": "text", ".json": "json", ".txt": "text"}.get(file.suffix, "")
    changed = mutate_bytes(rng, data, kind)
    file.write_bytes(changed)
    after = digest(file)
    known.relabelled |= file.suffix in (".csv", ".json")
    if before in known.eyes:
        known.eyes.setdefault(after, known.eyes[before])
    if before in known.masks and before != after:
        checked = data.startswith(PNG) and changed.startswith(
            PNG
        )  # a PNG has checksums: what was damaged is not to be read as another
        known.masks.setdefault(after, replace(known.masks[before], vague=known.masks[before].vague or not checked))


def damage_sheet(rng: Rng, known: Known) -> None:
    sheets = [x for x in known.files() if x.suffix in _SHEETS and digest(x) not in known.masks]
    if sheets:
        file = one(rng, sheets)
        kind = {".csv": "text", ".json": "json"}.get(file.suffix, "")
        file.write_bytes(mutate_bytes(rng, file.read_bytes(), kind))
        known.relabelled |= bool(kind)


def rewrite_sheet(rng: Rng, known: Known) -> None:
    sheets = [x for x in known.files() if x.suffix == ".csv" and x.stem == "grades"]
    if known.sheet and sheets and not known.relabelled:
        sheets[0].write_bytes(rewritten_sheet(rng, known.sheet))


def _names(rng: Rng, file: Path) -> str:
    stem, suffix = file.stem, file.suffix
    names = [stem.upper() + suffix, f"{stem} {suffix}", f" {stem}{suffix}", "._" + file.name, stem, stem + ".gif"]
    names += [stem + suffix.upper(), stem + ".dcm", stem + "_flip" + suffix, os.fsdecode(b"\xe9\xff") + suffix]
    names += ["é" + suffix, f"{stem}_jpg.rf.0123456789abcdef{suffix}", "x" * 200 + suffix, f"{stem}\u202e{suffix}"]
    names += [f"two\nlines{suffix}", f"12_left{suffix}", f"{stem}.{suffix}", f"_12_345{suffix}", f"{stem}.tif"]
    return one(rng, names)


def rename_file(rng: Rng, known: Known) -> None:
    file = one(rng, known.files())
    target = file.with_name(_names(rng, file))
    if not target.exists():
        file.rename(target)
    known.moved = True


def move_file(rng: Rng, known: Known) -> None:
    file, folder = one(rng, known.files()), one(rng, known.folders())
    if not (folder / file.name).exists():
        file.rename(folder / file.name)
    known.moved = True


def copy_file(rng: Rng, known: Known) -> None:
    file, folder = one(rng, known.files()), one(rng, known.folders())
    target = folder / one(rng, [file.name, file.name, "other" + file.suffix, "copy" + file.suffix, _names(rng, file)])
    if not target.exists():
        shutil.copy(file, target)
    known.moved = True


def delete_file(rng: Rng, known: Known) -> None:
    one(rng, known.files()).unlink()


def replace_by_folder(rng: Rng, known: Known) -> None:
    file = one(rng, known.files())
    file.unlink()
    file.mkdir()


def replace_by_link(rng: Rng, known: Known) -> None:
    """A broken one, one that leads to itself, to a folder above, or to another file of the kind."""
    file = one(rng, known.files())
    others = [x for x in known.files() if x.suffix == file.suffix]
    target = one(rng, [file.with_name("nowhere"), file, known.root, file.parent, one(rng, others)])
    known.moved |= target in others and target != file
    file.unlink()
    file.symlink_to(target)


def add_link(rng: Rng, known: Known) -> None:
    folder = one(rng, known.folders())
    target = one(rng, [known.root, folder, known.root / "nowhere", one(rng, known.folders()), one(rng, known.files())])
    place = folder / one(rng, ["link", "link.jpg", "link.png", "images", "normal", "Masks"])
    if not place.is_symlink() and not place.exists():
        place.symlink_to(target)
    known.moved = True


_FOLDERS = (
    "Normals",
    "glaucoma_maybe",
    "suspects",
    "glaucoma",
    "TRAIN",
    "Test",
    "val",
    "images",
    "masks",
    "misc",
    "cups",
)
_FOLDERS += ("Ünïcode", "a b", "two\nlines", "disc", os.fsdecode(b"\xe9\xff"), "__MACOSX", ".hidden", "Non-Glaucoma")


def rename_folder(rng: Rng, known: Known) -> None:
    folder = one(rng, known.folders())
    target = folder.with_name(one(rng, [*_FOLDERS, folder.name + "s", folder.name.upper(), f"{folder.name} "]))
    if not target.exists():
        folder.rename(target)
    known.moved = True


def swap_folders(rng: Rng, known: Known) -> None:
    first, other = one(rng, known.folders()), one(rng, known.folders())
    if first not in (other, *other.parents) and other not in first.parents:
        aside = first.with_name("moving")
        first.rename(aside)
        other.rename(first)
        aside.rename(other)
    known.moved = True


def nest_folder(rng: Rng, known: Known) -> None:
    folder = one(rng, known.folders())
    aside = folder.with_name("moving")
    folder.rename(aside)
    folder.mkdir()
    aside.rename(folder / folder.name)


def empty_folder(rng: Rng, known: Known) -> None:
    folder = one(rng, known.folders())
    shutil.rmtree(folder)
    folder.mkdir()


def swap_files(rng: Rng, known: Known) -> None:
    first = one(rng, known.files())
    other = one(rng, [x for x in known.files() if x.suffix == first.suffix])
    contents = first.read_bytes(), other.read_bytes()
    first.write_bytes(contents[1])
    other.write_bytes(contents[0])
    known.moved = True


def recode_mask(rng: Rng, known: Known) -> None:
    """Another coding of the same mask, which must be read as the same or refused."""
    masks = known.mask_files()
    if not masks:
        return
    file, truth = one(rng, masks)
    try:
        codes = np.asarray(Image.open(file).convert("L"))
    except Exception:  # damaged before
        return
    _, numbers = np.unique(codes, return_inverse=True)
    numbers = numbers.reshape(codes.shape)
    if numbers.max() > 2:
        return
    how = one(
        rng, ["inverted", "permuted", "0/1/2", "greys", "colours", "palette", "16 bits", "JPEG", "resized", "RGBA"]
    )
    if how == "greys" and "segsoftmap" in file.name.lower():
        how = "inverted"  # greys of a soft map count experts
    greys = rng.choice(256, 3, replace=False).astype(np.uint8)
    image = {
        "inverted": lambda: Image.fromarray(255 - codes),
        "permuted": lambda: Image.fromarray(np.unique(codes)[rng.permutation(numbers.max() + 1)][numbers]),
        "0/1/2": lambda: Image.fromarray(rng.permutation(3).astype(np.uint8)[numbers]),
        "greys": lambda: Image.fromarray(greys[numbers]),
        "colours": lambda: Image.fromarray(rng.integers(0, 256, (3, 3)).astype(np.uint8)[numbers]),
        "palette": lambda: Image.fromarray(rng.permutation(3).astype(np.uint8)[numbers]).convert("P"),
        "16 bits": lambda: Image.fromarray(codes.astype(np.uint16) * 257),
        "JPEG": lambda: Image.fromarray(codes),
        "resized": lambda: Image.fromarray(codes).resize((33, 51)),
        "RGBA": lambda: Image.fromarray(codes).convert("RGBA"),
    }[how]()
    if how == "palette":
        image.putpalette(rng.integers(0, 256, 9).tolist())
    known.done.append(f"{how} {truth.structures}")
    image.save(file, "JPEG" if how == "JPEG" else "PNG", **({"quality": 95} if how == "JPEG" else {}))
    known.masks[digest(file)] = replace(truth, exact=truth.exact and how != "JPEG")


FOLDERS: list[Callable[[Rng, Known], None]] = [
    *(3 * [damage_file]), damage_sheet, damage_sheet, rewrite_sheet, rewrite_sheet, rename_file, rename_file, move_file,
    copy_file, copy_file, delete_file, replace_by_folder, replace_by_link, add_link, rename_folder, swap_folders,
    nest_folder, empty_folder, swap_files, *(5 * [recode_mask]),
]  # fmt: skip


def mutate_folder(rng: Rng, known: Known, number: int) -> None:
    for _ in range(number):
        if known.files() and known.folders():
            mutation = one(rng, FOLDERS)
            known.done.append(mutation.__name__)
            mutation(rng, known)
