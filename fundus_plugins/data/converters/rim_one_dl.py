"""RIM-ONE DL: 485 square photographs of the disc, with masks, in the official random split.

    partitioned_randomly/{training_set,test_set}/{normal,glaucoma}/r1_Im001.png
    partitioned_randomly/images/{train,test}/[{normal,glaucoma}/]r1_Im001.png     (a repack)
    RIM-ONE_DL_reference_segmentations/{normal,glaucoma}/r1_Im001-1-{Disc,Cup}-T.png

`partitioned_by_hospital` holds the same photographs and is left alone where both are there. Grades are the folders',
of the photograph or of its masks; where the name says r3_N, r3_S or r3_G (normal, suspect, glaucoma) it is that, for
the folders file suspects under glaucoma; `--grades two` leaves them there. (r3 has one eye of each patient.) Masks are
255 inside, or 0 inside: the border of the picture tells.
"""

import re
from functools import partial
from pathlib import Path

import numpy as np

from fundus_plugins.data.converters.record import Converter, Listing, NotThisDataset, Record
from fundus_plugins.photographs.folders import MASK_SUFFIXES, first_entries, folder_names, unused_pictures, walk_files
from fundus_plugins.photographs.masks import read_structure
from fundus_plugins.photographs.problems import Problem

_SPLITS = {"training_set": "train", "train": "train", "test_set": "test", "test": "test"}
_PHOTOGRAPH = re.compile(r"^r[123]_", re.IGNORECASE)
_MASK = re.compile(r"^(?P<stem>r[123]_.+)-1-(?P<structure>disc|cup)-t$", re.IGNORECASE)
_LETTERS = {"n": "normal", "s": "suspicious", "g": "glaucoma"}


def list_records(root: Path, *, part: str, grades: str) -> Listing:
    """Photographs of `part` ("all", "r1", "r2" or "r3"), graded "three" or "two" ways, that have a disc mask.

    Those without one become problems. Raises NotThisDataset.
    """
    files = [file for file in walk_files(root) if file.suffix.lower() in MASK_SUFFIXES]
    masks: dict[tuple[str, str], Path] = {}
    photographs: list[tuple[str, Path]] = []
    twice: dict[str, tuple[Path, Path]] = {}  # photographs with two masks that differ
    for file in files:
        folders = folder_names(file)
        match = _MASK.match(file.stem)
        split = next((_SPLITS[folder] for folder in folders if folder in _SPLITS), None)
        if match and "rim-one_dl_reference_segmentations" in folders:
            first = masks.setdefault((match["stem"].lower(), match["structure"].lower()), file)
            if first != file and (root / first).read_bytes() != (root / file).read_bytes():
                twice[match["stem"].lower()] = file, first
        elif split and not match and _PHOTOGRAPH.match(file.stem):
            photographs.append((split, file))
    if any("partitioned_randomly" in folder_names(file) for _, file in photographs):
        photographs = [x for x in photographs if "partitioned_by_hospital" not in folder_names(x[1])]
    if not photographs or not masks:
        raise NotThisDataset(
            f"{root} does not hold RIM-ONE DL: looked for photographs partitioned_randomly/{{training_set,test_set}}/"
            f"{{normal,glaucoma}}/r*.png and masks RIM-ONE_DL_reference_segmentations/{{normal,glaucoma}}/*-Disc-T.png"
            f", found {len(photographs)} and {len(masks)}; the folder holds: {first_entries(root)}"
        )
    listing = Listing()
    # Of photographs and of masks there may be several copies, by hospital and at random.
    masked = [file for file in files if "rim-one_dl_reference_segmentations" in folder_names(file)]
    copies = [file for file in files if "partitioned_by_hospital" in folder_names(file)]
    known = [*masked, *copies, *(file for _, file in photographs)]
    listing.problems += unused_pictures(root, files, known, "names such as r1_Im001.png and r1_Im001-1-Disc-T.png")
    seen: dict[str, Path] = {}
    for split, file in photographs:
        stem = file.stem.lower()
        if part not in ("all", stem[:2]):
            continue
        disc, cup = (masks.get((stem, structure)) for structure in ("disc", "cup"))
        if stem in seen:
            listing.problems.append(
                Problem("duplicate id", root / file, f"one {file.name}", f"also {root / seen[stem]}")
            )
        elif stem in twice:
            mask, other = (root / path for path in twice[stem])
            listing.problems.append(Problem("duplicate id", mask, f"one {mask.name}", f"also {other}, which differs"))
        elif disc is None:
            listing.problems.append(Problem("missing mask", root / file, f"a mask {file.stem}-1-Disc-T.png", "none"))
        else:
            seen[stem] = file
            paths = (root / disc, None if cup is None else root / cup)
            listing.records.append(Record(split, root / file, _grade(file, disc, grades), partial(read_masks, *paths)))
    listing.facts |= {"part": part, "grades": grades}
    return listing


def read_masks(disc: Path, cup: Path | None, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
    """Disc and cup, boolean (H, W); None for a cup without a mask. Raises BadInput."""
    return read_structure(disc, shape), None if cup is None else read_structure(cup, shape)


def _grade(photograph: Path, mask: Path, grades: str) -> str | None:
    match = re.match(r"^r3_([nsg])[-_]", photograph.stem, re.IGNORECASE)
    if match and grades == "three":
        return _LETTERS[match[1].lower()]
    folders = folder_names(photograph) + folder_names(mask)
    return next((folder for folder in folders if folder in ("normal", "glaucoma")), None)


CONVERTER = Converter(
    name="rim_one_dl",
    title="RIM-ONE DL",
    splits=("train", "test"),
    list_records=list_records,
    options={
        "part": {
            "choices": ("all", "r1", "r2", "r3"),
            "default": "all",
            "help": "only photographs of this release; r3 alone has three grades",
        },
        "grades": {
            "choices": ("three", "two"),
            "default": "three",
            "help": "two: suspects of r3 count as glaucoma, as the data set's folders have them",
        },
    },
)
