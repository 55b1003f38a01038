"""Consensus outlines of Drishti-GS1, drawn as lines on their photographs, through the reader of RIGA's drawn outlines.

python docs/scripts/drawn_outlines.py <Drishti-GS1>/Training
"""

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from fundus_plugins.data.converters.drawn import drawn_outlines
from fundus_plugins.data.converters.drishti_gs1 import read_soft_maps
from fundus_plugins.measures.overlap import iou
from fundus_plugins.photographs.problems import BadInput

# Suffix, JPEG quality, grey value, width in pixels.
LINES = ((".tif", None, 0, 3), (".jpg", 75, 0, 2), (".tif", None, 90, 2), (".jpg", 95, 60, 1))


def main(root: Path) -> None:
    found: dict[tuple, list] = {line: [] for line in LINES}
    photographs = sorted(x for x in root.rglob("Images/**/drishtiGS_*.png") if int(x.stem[-3:]) % 3 == 0)
    with tempfile.TemporaryDirectory() as folder:
        for photograph in photographs:
            image = cv2.imread(str(photograph))
            maps = [next(root.rglob(f"{photograph.stem}_{name}segSoftmap.png")) for name in ("OD", "cup")]
            masks = read_soft_maps(*maps, 3, image.shape[:2])
            for suffix, quality, grey, width in LINES:
                drawn = image.copy()
                for mask in masks:
                    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
                    outline = max(contours, key=cv2.contourArea)
                    cv2.polylines(drawn, [outline], True, (grey,) * 3, width, cv2.LINE_AA)
                paths = [Path(folder) / f"{name}{suffix}" for name in ("plain", "drawn")]
                options = [cv2.IMWRITE_JPEG_QUALITY, quality] if quality else []
                for path, picture in zip(paths, (image, drawn)):
                    cv2.imwrite(str(path), picture, options)
                try:
                    read = drawn_outlines(paths[1], paths[0], image.shape[:2])
                except BadInput:
                    continue
                found[suffix, quality, grey, width].append([iou(x, y) for x, y in zip(read, masks)])
    for line, values in found.items():
        print(*line, f"read {len(values)} of {len(photographs)}, least IoU {np.min(values, axis=0).round(3)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
