"""Pictures of a prediction for a person to check."""

import cv2
import numpy as np

from fundus_plugins.prediction.predictor import FundusPrediction

DISC_COLOR, CUP_COLOR = (0, 220, 0), (255, 210, 0)  # RGB


def draw_outlines(image: np.ndarray, disc: np.ndarray, cup: np.ndarray) -> np.ndarray:
    """A copy of an (H, W, 3) uint8 RGB photograph with the outlines of two (H, W) bool masks, green and yellow."""
    drawn = np.ascontiguousarray(image.copy())
    thickness = max(1, round(max(image.shape[:2]) / 500))
    for mask, color in ((disc, DISC_COLOR), (cup, CUP_COLOR)):
        contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, contours, -1, color, thickness, cv2.LINE_AA)
    return drawn


def draw_disc_and_cup(image: np.ndarray, prediction: FundusPrediction) -> np.ndarray:
    """The photograph with the predicted outlines and the vertical cup-to-disc ratio; (H, W, 3) uint8 RGB."""
    drawn = draw_outlines(image, prediction.disc, prediction.cup)
    scale = max(image.shape[:2]) / 1000
    text = f"vCDR {prediction.vcdr:.2f}  score {prediction.score:.2f}" if prediction.disc.any() else "no disc found"
    place = (round(12 * scale), round(32 * scale))
    for color, thickness in (((0, 0, 0), 4), ((255, 255, 255), 1)):  # a dark edge keeps it legible on any ground
        width = max(1, round(thickness * scale))
        cv2.putText(drawn, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, color, width, cv2.LINE_AA)
    return drawn
