"""PALM: 1,200 photographs, half of pathologically myopic eyes, with discs; no cups, no grades of glaucoma.

    {Training,Validation,Testing}/Images/P0001.jpg      .../Disc Masks/P0001.bmp       0 inside, 255 outside
    PALM-Training400/.../P0001.jpg                      .../Disc_Masks/P0001.bmp       the challenge's archives
    PALM-Validation400/V0001.jpg                        PALM-Validation-GT/Disc_Masks/V0001.bmp
    optic_disc_seg/JPEGImages/P0001.jpg                 optic_disc_seg/Annotations/P0001.png (a repack)

A photograph without a disc, or without a mask of it, is listed and left out. Masks of lesions are left alone.
"""

from pathlib import Path

from fundus_plugins.data.converters import readings
from fundus_plugins.data.converters.graded import DRAW_OPTIONS
from fundus_plugins.data.converters.layout import PICTURE, SPLITS, Layout, Source, list_layout
from fundus_plugins.data.converters.record import Converter, Listing

_SPLIT = r"(?:palm-)?(?P<split>training|validation|testing|test)\d*(?:-gt|-annotation[^/]*)?"
_ID = rf"(?P<id>[a-z]?\d+){PICTURE}"
LAYOUT = Layout(
    title="PALM",
    photographs=rf"^(?!.*(?:masks|illustration|-gt|-annotation[^/]*)/)(?:.*/)?(?:{_SPLIT}|jpegimages)/(?:.*/)?{_ID}",
    sources=(
        Source("Disc Masks/P0001.bmp", rf"(?:^|/){_SPLIT}/(?:.*/)?disc[ _]masks/{_ID}", readings.structure),
        Source("Annotations/P0001.png", rf"(?:^|/)annotations/{_ID}", readings.structure),
    ),
    looked_for="Training/Images/P0001.jpg and Training/Disc Masks/P0001.bmp (PALM-Training400/, .../Disc_Masks/)",
    ignored=r"lesion[ _]masks/|illustration/",
)


def list_records(root: Path, *, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Photographs with their discs below `root`. Raises NotThisDataset."""
    return list_layout(LAYOUT, root, test_percent=test_percent, val_percent=val_percent, seed=seed)


CONVERTER = Converter("palm", "PALM", SPLITS, list_records, DRAW_OPTIONS)
