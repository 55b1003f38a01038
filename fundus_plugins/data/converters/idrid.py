"""IDRiD's part A: 81 photographs of diabetic eyes with discs; no cups, no grades of glaucoma.

    A. Segmentation/1. Original Images/{a. Training Set,b. Testing Set}/IDRiD_01.jpg
    A. Segmentation/2. All Segmentation Groundtruths/{a. Training Set,b. Testing Set}/5. Optic Disc/IDRiD_01_OD.tif

The official split is in the folders. Masks of lesions are left alone.
"""

from pathlib import Path

from fundus_plugins.data.converters import readings
from fundus_plugins.data.converters.graded import DRAW_OPTIONS
from fundus_plugins.data.converters.layout import PICTURE, SPLITS, Layout, Source, list_layout
from fundus_plugins.data.converters.record import Converter, Listing

_SPLIT = r"(?:[ab]\. ?)?(?P<split>training|testing) set/"
LAYOUT = Layout(
    title="IDRiD's discs",
    photographs=rf"(?:^|/)1\. original images/{_SPLIT}(?P<id>idrid_\d+){PICTURE}",
    sources=(
        Source(
            "5. Optic Disc/IDRiD_01_OD.tif",
            rf"(?:^|/)2\. all segmentation groundtruths/{_SPLIT}5\. optic disc/(?P<id>idrid_\d+)_od{PICTURE}",
            readings.structure,
        ),
    ),
    looked_for="1. Original Images/a. Training Set/IDRiD_01.jpg and the same set's 5. Optic Disc/IDRiD_01_OD.tif",
    ignored=r"/[1-4]\. (?:microaneurysms|haemorrhages|hard exudates|soft exudates)/",
)


def list_records(root: Path, *, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Photographs with their discs below `root`. Raises NotThisDataset."""
    return list_layout(LAYOUT, root, test_percent=test_percent, val_percent=val_percent, seed=seed)


CONVERTER = Converter("idrid", "IDRiD's discs", SPLITS, list_records, DRAW_OPTIONS)
