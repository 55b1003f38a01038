"""RIGA: 750 photographs of three sources on whose copies six ophthalmologists drew the outlines of disc and cup.

    BinRushed/{BinRushed1-Corrected,BinRushed2,BinRushed3,BinRushed4}/image1prime.jpg, image1-{1..6}.jpg
    Magrabia/{MagrabiaMale,MagrabiFemale}/image1prime.tif, image1-{1..6}.tif
    MESSIDOR/image1prime.tif, image1-{1..6}.tif

Suffixes differ from file to file. Outlines are found as what differs from the photograph; of those that touch, or are
too pale, the reader is listed and left out. `BinRushed1` is left alone: `BinRushed1-Corrected` mends it. There are no
grades, no official splits, and nothing tells whose eye a photograph shows.
"""

from pathlib import Path

from fundus_plugins.data.converters.drawn import drawn_outlines
from fundus_plugins.data.converters.graded import DRAW_OPTIONS
from fundus_plugins.data.converters.layout import PICTURE, SPLITS, Layout, Source, list_layout
from fundus_plugins.data.converters.readers import expert_option
from fundus_plugins.data.converters.record import Converter, Listing

READERS = ("1", "2", "3", "4", "5", "6")
_FOLDER = r"(?:^|/)(?P<part>messidor|binrushed1-corrected|binrushed[2-9]|magrabi[a-z]+)/"
LAYOUT = Layout(
    title="RIGA",
    photographs=rf"{_FOLDER}(?P<id>image\d+)prime{PICTURE}",
    sources=(Source("image1-1.tif", rf"{_FOLDER}(?P<id>image\d+)-(?P<reader>[1-6]){PICTURE}", drawn_outlines),),
    looked_for="MESSIDOR/image1prime.tif and MESSIDOR/image1-1.tif, also BinRushed1-Corrected/, MagrabiFemale/, ...",
    readers=READERS,
    ignored=r"(?:^|/)binrushed1/",
)


def list_records(root: Path, *, expert: str, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Photographs with what the six drew, below `root`. Raises NotThisDataset."""
    return list_layout(LAYOUT, root, expert=expert, test_percent=test_percent, val_percent=val_percent, seed=seed)


CONVERTER = Converter("riga", "RIGA", SPLITS, list_records, expert_option(READERS) | DRAW_OPTIONS)
