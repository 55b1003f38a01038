"""RIM-ONE r3 as it was published: 159 stereo pairs, 2144 x 1424, disc and cup by two experts.

    {Healthy,Glaucoma and suspects}/Stereo Images/N-1-L.jpg
    {Healthy,Glaucoma and suspects}/Expert{1,2}_masks/N-1-L[-1]-{Disc,Cup}-exp{1,2}.png

The left view is the photograph: it is written to `photographs/` beside the JSON, 1072 x 1424. Masks are of the pair or
of its left view. Names begin with the grade: N normal, S suspect, G glaucoma. RIM-ONE DL has discs of the same eyes.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fundus_plugins.data.converters.graded import DRAW_OPTIONS
from fundus_plugins.data.converters.layout import PICTURE, SPLITS, About, Key, Layout, Source, keys_of, list_layout
from fundus_plugins.data.converters.readers import expert_option
from fundus_plugins.data.converters.record import Converter, Listing
from fundus_plugins.photographs.masks import read_structure
from fundus_plugins.photographs.problems import BadInput

READERS = ("1", "2")
_GRADES = {"n": "normal", "s": "suspicious", "g": "glaucoma"}
_FOLDER = r"(?:^|/)(?P<part>healthy|glaucoma and suspects)/"
_ID = r"(?P<id>[ngs]-\d+-[lr])"


def left_structure(mask: Path, photograph: Path, shape: tuple[int, int]) -> np.ndarray:
    """One structure of the left view, (H, W) bool, of a mask of that view or of the pair. Raises BadInput."""
    found = read_structure(mask, None)
    height, width = shape
    if found.shape not in ((height, width), (height, 2 * width)):
        expected, there = f"{width} or {2 * width} x {height} pixels", f"{found.shape[1]} x {found.shape[0]}"
        raise BadInput("size mismatch", mask, expected, there)
    return found[:, :width]


LAYOUT = Layout(
    title="RIM-ONE r3",
    photographs=rf"{_FOLDER}stereo images/{_ID}{PICTURE}",
    sources=(
        Source(
            "Expert1_masks/N-1-L-1-Disc-exp1.png",
            rf"{_FOLDER}expert(?P<reader>[12])_masks/{_ID}(?:-\d)?-(?P<structure>disc|cup)-exp[12]{PICTURE}",
            left_structure,
        ),
    ),
    looked_for="Healthy/Stereo Images/N-1-L.jpg and Healthy/Expert1_masks/N-1-L-1-Disc-exp1.png",
    readers=READERS,
    stereo=True,
    ignored=r"(?:^|/)(?:average_masks|test|scripts)/|\.mat$",
    patient=lambda key: key[2][:-2],
)


def list_records(root: Path, *, expert: str, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Stereo pairs with both experts' masks below `root`, graded by their names. Raises NotThisDataset."""
    return list_layout(
        LAYOUT, root, _about, expert=expert, test_percent=test_percent, val_percent=val_percent, seed=seed
    )


def _about(root: Path, files: Sequence[Path], listing: Listing) -> dict[Key, About]:
    return {key: About(_GRADES[key[2][0]]) for key in keys_of(LAYOUT, files)}


CONVERTER = Converter("rim_one_r3_stereo", "RIM-ONE r3", SPLITS, list_records, expert_option(READERS) | DRAW_OPTIONS)
