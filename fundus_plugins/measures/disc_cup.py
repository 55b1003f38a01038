"""The measures of one photograph's disc and cup, by name."""

import numpy as np

from .morphometry import vertical_cup_to_disc_ratio, vertical_diameter
from .overlap import dice, iou, mean_iou
from .surface import surface_distances

# In pixels of the photograph, and in vertical diameters of its true disc.
SURFACES = ("hd95_od", "asd_od", "hd95_oc", "asd_oc", "hd95_od_dd", "asd_od_dd", "hd95_oc_dd", "asd_oc_dd")
METRICS = (
    "dice_oc", "dice_od", "miou", "iou_disc", "iou_cup", "vcdr_mae", "detection_rate", "vcdr_bias", "right_place",
    *SURFACES,
)  # fmt: skip


def compare_disc_and_cup(
    disc: np.ndarray,
    cup: np.ndarray,
    true_disc: np.ndarray,
    true_cup: np.ndarray | None,
    *,
    surfaces: bool = False,
) -> dict[str, float]:
    """METRICS of one image, from (H, W) bool masks; nan for what needs a cup where the true cup is unknown (None).

    A missed disc scores 0 and has a vertical cup-to-disc ratio of 0. `vcdr_bias` is predicted minus true.
    `right_place` is 1 where the disc shares a pixel with the true one, else 0. SURFACES, which take time, are there
    with `surfaces`; they are nan where either of the two masks is empty.
    """
    row = {
        "dice_od": dice(disc, true_disc),
        "iou_disc": iou(disc, true_disc),
        "detection_rate": float(disc.any()),
        "right_place": float((disc & true_disc).any()),
        "vcdr_predicted": vertical_cup_to_disc_ratio(disc, cup),
    }
    if surfaces:
        row |= _surfaces(disc, cup, true_disc, true_cup)
    if true_cup is None:
        unknown = ("dice_oc", "iou_cup", "miou", "vcdr_true", "vcdr_mae", "vcdr_bias")
        return row | dict.fromkeys(unknown, float("nan"))
    row["dice_oc"] = dice(cup, true_cup)
    row["iou_cup"] = iou(cup, true_cup)
    row["miou"] = mean_iou(disc, cup, true_disc, true_cup)
    row["vcdr_true"] = vertical_cup_to_disc_ratio(true_disc, true_cup)
    row["vcdr_bias"] = row["vcdr_predicted"] - row["vcdr_true"]
    row["vcdr_mae"] = abs(row["vcdr_bias"])
    return row


def _surfaces(
    disc: np.ndarray, cup: np.ndarray, true_disc: np.ndarray, true_cup: np.ndarray | None
) -> dict[str, float]:
    nan = float("nan")
    cups = (nan, nan) if true_cup is None else surface_distances(cup, true_cup)
    pixels = [*surface_distances(disc, true_disc), *cups]
    diameter = vertical_diameter(true_disc) or nan
    return dict(zip(SURFACES, [*pixels, *(x / diameter for x in pixels)]))
