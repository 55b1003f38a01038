"""Print what the released model outlines, and doubts, in photographs whose disc is cut away.

python docs/scripts/without_disc.py masked_test

Of each photograph the part between the disc, 60 pixels beside it, and the farther side edge is kept.
"""

import sys

import numpy as np
from detectron2.data import DatasetCatalog

import fundus_plugins
from fundus_plugins.data.annotations import decode_segmentation
from fundus_plugins.photographs.photograph import read_photograph

MARGIN = 60  # pixels


def main():
    fundus_plugins.register_fundus_datasets()
    predictor = fundus_plugins.FundusPredictor()
    records = DatasetCatalog.get(sys.argv[1])
    outlined = flagged = by_shape_alone = 0
    for record in records:
        image = read_photograph(record["file_name"])
        disc = decode_segmentation(record["annotations"][0]["segmentation"], image.shape[:2])
        columns = np.flatnonzero(disc.any(0))
        left, right = columns[0] - MARGIN, columns[-1] + 1 + MARGIN
        rest = image[:, right:] if image.shape[1] - right > left else image[:, :left]
        found = predictor(np.ascontiguousarray(rest))
        if found.disc.any():
            outlined += 1
            flagged += found.flagged
            by_shape_alone += found.flags == ("not the shape of a disc",)
            print(f"{record['file_name'].split('/')[-1]}: ellipse {found.ellipse:.3f}, {found.flags}")
    print(f"{len(records)} photographs: {outlined} outlined, {flagged} flagged, {by_shape_alone} by their shape alone")


if __name__ == "__main__":
    main()
