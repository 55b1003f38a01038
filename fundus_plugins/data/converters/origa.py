"""ORIGA(-light): 650 photographs with disc and cup, in two official sets.

    Images/001.jpg      Masks/001.png: 0, 1 rim, 2 cup      OrigaList.csv: Eye, Filename, ExpCDR, Set, Glaucoma
    Images/001.jpg      Semi-automatic-annotations/001.mat: the array mask, of the same values

Set A is train, set B test. Whose eye a photograph shows nothing tells. `Images_Cropped`, `Images_Square` and their
masks are left alone, and so are the MATLAB files where there are PNG masks.
"""

from pathlib import Path

from fundus_plugins.data.converters import readings
from fundus_plugins.data.converters.graded import DRAW_OPTIONS
from fundus_plugins.data.converters.label_sheets import read_labels
from fundus_plugins.data.converters.layout import PICTURE, SPLITS, Layout, Source, list_layout
from fundus_plugins.data.converters.record import Converter, Listing

LAYOUT = Layout(
    title="ORIGA",
    photographs=rf"(?:^|/)images/(?P<id>\d+){PICTURE}",
    sources=(
        Source("Masks/001.png", rf"(?:^|/)masks/(?P<id>\d+){PICTURE}", readings.disc_and_cup),
        Source(
            "Semi-automatic-annotations/001.mat",
            r"(?:^|/)semi-automatic-annotations/(?P<id>\d+)\.mat$",
            readings.matlab,
        ),
    ),
    looked_for="Images/001.jpg and Masks/001.png or Semi-automatic-annotations/001.mat",
    ignored=r"_(?:cropped|square)/|semi-automatic-annotations/",
)


def list_records(root: Path, *, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Photographs with their masks, grades and sets below `root`. Raises NotThisDataset."""
    return list_layout(LAYOUT, root, _about, test_percent=test_percent, val_percent=val_percent, seed=seed)


def _about(root, files, listing):
    return read_labels(
        root,
        files,
        listing,
        title="OrigaList.csv",
        pattern=r"(?:^|/)origalist\.",
        names={"filename"},
        grades={"glaucoma"},
        values={"0": "normal", "1": "glaucoma"},
        splits=({"set"}, {"a": "train", "b": "test"}),
    )


CONVERTER = Converter("origa", "ORIGA", SPLITS, list_records, DRAW_OPTIONS)
