"""G1020: 1,020 photographs with LabelMe outlines of disc and cup; where no cup was seen, none is drawn.

    Images/image_0.jpg      Images/image_0.json (LabelMe: disc, cup, discLoc)      G1020.csv: imageID, binaryLabels
    Images/image_0.jpg      Masks/image_0.png: 0, 1 rim, 2 cup                      (repacks)

LabelMe's files go before the masks, which were made of them. The photographs are of 432 people; which are whose,
nothing tells. The numbers have gaps, and the grades come in blocks, so photographs whose numbers follow one another
count as one patient: a person's stay together where they were numbered in a row.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fundus_plugins.data.converters import readings
from fundus_plugins.data.converters.graded import DRAW_OPTIONS
from fundus_plugins.data.converters.label_sheets import read_labels
from fundus_plugins.data.converters.layout import PICTURE, SPLITS, About, Key, Layout, Source, keys_of, list_layout
from fundus_plugins.data.converters.record import Converter, Listing

LAYOUT = Layout(
    title="G1020",
    photographs=rf"(?:^|/)images/(?:images/)?(?P<id>image_\d+){PICTURE}",
    sources=(
        Source("image_0.json", r"(?:^|/)(?P<id>image_\d+)\.json$", readings.labelme),
        Source("Masks/image_0.png", rf"(?:^|/)masks/(?P<id>image_\d+){PICTURE}", readings.disc_and_cup),
    ),
    looked_for="Images/image_0.jpg and Images/image_0.json or Masks/image_0.png",
    ignored=r"_(?:cropped|square)/|(?:^|/)nerveremoved_",
)


def list_records(root: Path, *, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Photographs with their outlines and grades below `root`. Raises NotThisDataset."""
    return list_layout(LAYOUT, root, _about, test_percent=test_percent, val_percent=val_percent, seed=seed)


def _about(root: Path, files: Sequence[Path], listing: Listing) -> dict[Key, About]:
    told = read_labels(
        root,
        files,
        listing,
        title="G1020.csv",
        pattern=r"(?:^|/)g1020\.",
        names={"imageid"},
        grades={"binarylabels"},
        values={"0": "normal", "1": "glaucoma"},
    )
    patients = runs_of([int(key[2].removeprefix("image_")) for key in keys_of(LAYOUT, files)])
    return {
        ("", "", f"image_{number}"): replace(told.get(("", "", f"image_{number}"), About()), patient=f"from {first}")
        for number, first in patients.items()
    }


def runs_of(numbers: Sequence[int]) -> dict[int, int]:
    """The first number of the run that each is in.

    >>> runs_of([3, 4, 9, 5])
    {3: 3, 4: 3, 5: 3, 9: 9}
    """
    first: dict[int, int] = {}
    for number in sorted(set(numbers)):
        first[number] = first.get(number - 1, number)
    return first


CONVERTER = Converter("g1020", "G1020", SPLITS, list_records, DRAW_OPTIONS)
