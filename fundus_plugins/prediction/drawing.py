"""Pictures of a prediction for a person to check."""

import cv2
import numpy as np

from fundus_plugins.boxes import window_of
from fundus_plugins.measures.morphometry import shown_ratio
from fundus_plugins.prediction.result import CUPLESS, MEASURED, MISSED, UNGRADABLE, FundusPrediction

DISC_COLOR, CUP_COLOR = (0, 220, 0), (255, 210, 0)  # RGB
_FRACTION = 4  # bits of a pixel, in which OpenCV draws


def at_most(image: np.ndarray, side: int | None) -> np.ndarray:
    """The (H, W, 3) uint8 picture, made smaller where its longer side is more than `side` pixels."""
    scale = (side or max(image.shape[:2])) / max(image.shape[:2])
    if scale >= 1:
        return image
    size = max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1)
    # Of a picture that is more than half as large every pixel counts between its neighbours, too, and faster.
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR if scale > 0.5 else cv2.INTER_AREA)


def draw_outlines(image: np.ndarray, disc: np.ndarray, cup: np.ndarray, side: int | None = None) -> np.ndarray:
    """A copy of an (H, W, 3) uint8 RGB photograph with the outlines of two (H, W) bool masks, green and yellow.

    Where its longer side is more than `side` pixels, the copy has that many.
    """
    drawn = np.array(at_most(image, side))
    scale = np.array(drawn.shape[1::-1]) / image.shape[1::-1]
    thickness = max(1, round(max(drawn.shape[:2]) / 500))
    for mask, color in ((disc, DISC_COLOR), (cup, CUP_COLOR)):
        rows, columns = window_of(mask)
        window = mask[rows, columns].astype(np.uint8)
        if not window.size:
            continue
        outlines, _ = cv2.findContours(window, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        places = [(outline[:, 0] + (columns.start, rows.start) + 0.5) * scale - 0.5 for outline in outlines]
        points = [(place * (1 << _FRACTION)).round().astype(np.int32) for place in places]
        cv2.polylines(drawn, points, True, color, thickness, cv2.LINE_AA, _FRACTION)
    return drawn


def draw_disc_and_cup(image: np.ndarray, prediction: FundusPrediction, side: int | None = None) -> np.ndarray:
    """The photograph with the predicted outlines and the vertical cup-to-disc ratio, as `draw_outlines` gives it."""
    drawn = draw_outlines(image, prediction.disc, prediction.cup, side)
    scale = max(drawn.shape[:2]) / 1000
    sure = "" if np.isnan(prediction.score) else f"  score {prediction.score:.2f}"  # a person's outlines have none
    if prediction.status == UNGRADABLE:
        text = f"ungradable: {prediction.flags[0]}"
    elif prediction.status == MEASURED:
        text = f"vCDR {shown_ratio(prediction.vcdr):.2f}{sure}"
    else:
        text = {MISSED: "no disc found", CUPLESS: "no cup found"}[prediction.status]
    place = (round(12 * scale), round(32 * scale))
    for color, thickness in (((0, 0, 0), 4), ((255, 255, 255), 1)):  # a dark edge keeps it legible on any ground
        width = max(1, round(thickness * scale))
        cv2.putText(drawn, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, color, width, cv2.LINE_AA)
    return drawn
