"""The measures of one photograph's disc and cup, by name."""

import numpy as np

from .morphometry import vertical_cup_to_disc_ratio
from .overlap import dice, iou, mean_iou

METRICS = ("dice_oc", "dice_od", "miou", "iou_disc", "iou_cup", "vcdr_mae", "detection_rate")


def compare_disc_and_cup(
    disc: np.ndarray, cup: np.ndarray, true_disc: np.ndarray, true_cup: np.ndarray | None
) -> dict[str, float]:
    """METRICS of one image, from (H, W) bool masks; nan for what needs a cup where the true cup is unknown (None).

    A missed disc scores 0 and has a vertical cup-to-disc ratio of 0.
    """
    row = {
        "dice_od": dice(disc, true_disc),
        "iou_disc": iou(disc, true_disc),
        "detection_rate": float(disc.any()),
        "vcdr_predicted": vertical_cup_to_disc_ratio(disc, cup),
    }
    if true_cup is None:
        return row | dict.fromkeys(("dice_oc", "iou_cup", "miou", "vcdr_true", "vcdr_mae"), float("nan"))
    row["dice_oc"] = dice(cup, true_cup)
    row["iou_cup"] = iou(cup, true_cup)
    row["miou"] = mean_iou(disc, cup, true_disc, true_cup)
    row["vcdr_true"] = vertical_cup_to_disc_ratio(true_disc, true_cup)
    row["vcdr_mae"] = abs(row["vcdr_predicted"] - row["vcdr_true"])
    return row
