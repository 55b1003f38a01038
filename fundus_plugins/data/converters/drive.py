"""DRIVE: 40 photographs, 565 x 584, with discs that the authors of easytorch drew; no cups, no grades.

    [{training,test}/]images/21_training.tif      OD_Segmentation/21_training_gt.tif: 0 and 255

The official split is in the names.
"""

from pathlib import Path

from fundus_plugins.data.converters import readings
from fundus_plugins.data.converters.graded import DRAW_OPTIONS
from fundus_plugins.data.converters.layout import PICTURE, SPLITS, Layout, Source, list_layout
from fundus_plugins.data.converters.record import Converter, Listing

_NAME = r"(?P<id>\d+)_(?P<split>training|test)"
LAYOUT = Layout(
    title="DRIVE with discs",
    photographs=rf"(?:^|/)images/{_NAME}{PICTURE}",
    sources=(
        Source(
            "OD_Segmentation/21_training_gt.tif", rf"(?:^|/)od_segmentation/{_NAME}_gt{PICTURE}", readings.structure
        ),
    ),
    looked_for="images/21_training.tif and OD_Segmentation/21_training_gt.tif",
    ignored=r"(?:^|/)(?:1st_manual|2nd_manual|mask|manual)/|\.xcf$",
)


def list_records(root: Path, *, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Photographs with their discs below `root`. Raises NotThisDataset."""
    return list_layout(LAYOUT, root, test_percent=test_percent, val_percent=val_percent, seed=seed)


CONVERTER = Converter("drive", "DRIVE and its discs", SPLITS, list_records, DRAW_OPTIONS)
