"""DRIONS-DB: 110 photographs, 600 x 400, the disc by two experts; no cups, no grades.

    images/image_001.jpg      experts_anotation/anotExpert{1,2}_001.txt: x , y in each line

55 people, nothing tells whose is which. There are no official splits.
"""

from pathlib import Path

from fundus_plugins.data.converters import readings
from fundus_plugins.data.converters.graded import DRAW_OPTIONS
from fundus_plugins.data.converters.layout import PICTURE, SPLITS, Layout, Source, list_layout
from fundus_plugins.data.converters.readers import expert_option
from fundus_plugins.data.converters.record import Converter, Listing

READERS = ("1", "2")
LAYOUT = Layout(
    title="DRIONS-DB",
    photographs=rf"(?:^|/)images/image_(?P<id>\d+){PICTURE}",
    sources=(Source("anotExpert1_001.txt", r"(?:^|/)anotexpert(?P<reader>[12])_(?P<id>\d+)\.txt$", readings.contour),),
    looked_for="images/image_001.jpg and experts_anotation/anotExpert1_001.txt",
    readers=READERS,
)


def list_records(root: Path, *, expert: str, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Photographs with both experts' outlines of the disc, below `root`. Raises NotThisDataset."""
    listing = list_layout(LAYOUT, root, expert=expert, test_percent=test_percent, val_percent=val_percent, seed=seed)
    listing.notes.append("nothing tells which photographs are of one person: splits may part them")
    return listing


CONVERTER = Converter("drions_db", "DRIONS-DB", SPLITS, list_records, expert_option(READERS) | DRAW_OPTIONS)
