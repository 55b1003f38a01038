"""Outlines of masks as polygons, in the photograph's pixels."""

import cv2
import numpy as np

from fundus_plugins.boxes import window_of

LABELS = {"disc": "optic_disc", "cup": "optic_cup"}  # as the categories of our COCO JSON are called
_TOLERANCE = 0.5  # pixels: a polygon of few corners is as near as this to the outline


def polygons_of(mask: np.ndarray) -> list[list[list[float]]]:
    """Polygons [[x, y], ...] about the regions of an (H, W) bool mask; (0, 0) is the middle of the first pixel.

    They run along the regions' outermost pixels' middles, no more than half a pixel away. Holes are filled. A region of
    one pixel or a line of them has no area and is left out.
    """
    rows, columns = window_of(mask)
    window = mask[rows, columns].astype(np.uint8)
    if not window.size:
        return []
    outlines, _ = cv2.findContours(window, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(columns.start, rows.start))
    simple = [cv2.approxPolyDP(outline, _TOLERANCE, closed=True)[:, 0] for outline in outlines]
    return [polygon.tolist() for polygon in simple if len(polygon) > 2]


def contours_of(disc: np.ndarray, cup: np.ndarray) -> dict[str, list[list[list[float]]]]:
    """`polygons_of` a disc and a cup, (H, W) bool, by name."""
    return {"disc": polygons_of(disc), "cup": polygons_of(cup)}


def labelme(contours: dict[str, list[list[list[float]]]], image_path: str, height: int, width: int) -> dict:
    """A LabelMe document of a photograph's polygons, which annotation tools open beside it."""
    shapes: list[dict] = [
        {"label": LABELS[name], "points": polygon, "group_id": None, "shape_type": "polygon", "flags": {}}
        for name, polygons in contours.items()
        for polygon in polygons
    ]
    return {
        "version": "5.4.1",
        "flags": {},
        "shapes": shapes,
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
