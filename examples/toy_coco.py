"""A COCO data set of coloured rounds and squares."""

import json
from pathlib import Path

import cv2
import numpy as np

SIDE = 128


def write_toy_coco(folder: Path, photographs: int) -> Path:
    """Draw the pictures, write `toy.json` beside them, and give its path."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(1, photographs + 1):
        picture = rng.integers(0, 60, (SIDE, SIDE, 3)).astype(np.uint8)
        for category, x in ((1, 32), (2, 96)):
            y, radius = (int(v) for v in (rng.integers(32, 96), rng.integers(12, 24)))
            angles = np.linspace(0, 2 * np.pi, 24 if category == 1 else 4, endpoint=False) + np.pi / 4
            outline = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1).round()
            cv2.fillPoly(picture, [outline.astype(np.int32)], (220, 60, 40) if category == 1 else (40, 200, 220))
            left, top = outline.min(0)
            width, height = outline.max(0) - (left, top)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": category,
                    "bbox": [left, top, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                    "segmentation": [outline.ravel().tolist()],
                }
            )
        name = f"{number:03d}.png"
        cv2.imwrite(str(folder / name), picture)
        images.append({"id": number, "file_name": name, "height": SIDE, "width": SIDE})
    categories = [{"id": 1, "name": "round"}, {"id": 2, "name": "square"}]
    path = folder / "toy.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path
