"""Draw the altered phantoms on which the released model does worst, one for each kind of alteration.

    python docs/scripts/draw_failures.py docs/failures.png

White: the truth; green and yellow: the predicted disc and cup.
"""

import sys

import cv2
import numpy as np
import pycocotools.mask as mask_util
from detectron2.data import DatasetCatalog

import fundus_plugins
from fundus_plugins.experiments.alterations import ALTERATIONS
from fundus_plugins.measures.overlap import dice
from fundus_plugins.photographs.photograph import read_photograph

SIDE, COLUMNS, PHOTOGRAPHS = 300, 4, 25


def tile(image, disc, cup, found, text):
    picture = image.copy()
    thickness = max(1, max(image.shape) // 250)
    for mask, colour in (
        (disc, (255, 255, 255)),
        (cup, (255, 255, 255)),
        (found.disc, (0, 200, 0)),
        (found.cup, (255, 200, 0)),
    ):
        outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outlines, -1, colour, thickness)
    scale = SIDE / max(image.shape)
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    square = np.zeros((SIDE + 40, SIDE, 3), np.uint8)
    square[: small.shape[0], : small.shape[1]] = small
    for line, y in zip(text, (SIDE + 15, SIDE + 33)):
        cv2.putText(square, line, (4, y), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    return square


def main():
    fundus_plugins.register_fundus_datasets()
    predictor = fundus_plugins.FundusPredictor()
    worst = {}
    for record in DatasetCatalog.get("phantom_test")[:PHOTOGRAPHS]:
        image = read_photograph(record["file_name"])
        masks = {x["category_id"]: mask_util.decode(x["segmentation"]).astype(bool) for x in record["annotations"]}
        for alteration in ALTERATIONS:
            for level in (alteration.levels[0], alteration.levels[-1]):
                altered, disc, cup = alteration.apply(image, masks[0], masks[1], level)
                found = predictor(np.ascontiguousarray(altered))
                score = dice(found.disc, disc)
                if alteration.name not in worst or score < worst[alteration.name][0]:
                    words = f"Dice {score:.2f}, {dice(found.cup, cup):.2f}; agreement {found.agreement:.2f}"
                    worst[alteration.name] = (
                        score,
                        tile(altered, disc, cup, found, (f"{alteration.name} {level:g}", words)),
                    )
    tiles = [picture for _, picture in sorted(worst.values(), key=lambda x: x[0])][: 2 * COLUMNS]
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(sys.argv[1], cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
