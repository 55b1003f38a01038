"""How much of a class activation map lies on the optic disc: a number for the paper's Figure 5."""

import contextlib
import io
import os

import cv2
import numpy as np
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from pycocotools.coco import COCO

from fundus_plugins.modeling.cam import energy_share

COLUMNS = ("disc_share", "disc_chance", "near_share", "near_chance")


def cam_overlap(mask: np.ndarray, disc: np.ndarray) -> dict[str, float]:
    """COLUMNS of one picture: what share of the map's sum is inside the disc, and at most one disc diameter from it.

    The chance of either is its share of the picture's area: what a map that is the same everywhere would give.

    Args:
        mask: (H, W) float, not negative: a mask filter, from 0 to 1.
        disc: (H, W) bool, with a disc.
    """
    row = {}
    for name, region in (("disc", disc), ("near", within_one_diameter(disc))):
        row[f"{name}_share"] = energy_share(torch.as_tensor(mask), torch.as_tensor(region))
        row[f"{name}_chance"] = float(region.mean())
    return row


def within_one_diameter(disc: np.ndarray) -> np.ndarray:
    """The disc and all that is at most one disc diameter (that of a circle of its area) from it, (H, W) bool."""
    diameter = 2 * np.sqrt(np.count_nonzero(disc) / np.pi)
    return cv2.distanceTransform((~disc).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= diameter


class DiscMasks:
    """The disc masks that belong to a grading set: those of the segmentation set of that name without `_grading`.

    Args:
        grading_name: a registered grading set; where there is no segmentation file beside it, there are no masks.
    """

    def __init__(self, grading_name: str):
        name = grading_name.removesuffix("_grading")
        path = MetadataCatalog.get(name).json_file if name in DatasetCatalog.list() else ""
        self._coco = None
        if os.path.isfile(path):
            with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
                self._coco = COCO(path)

    def get(self, image_id: int, side: int) -> np.ndarray | None:
        """The disc, resized as the photograph is to a square of `side` pixels, (side, side) bool; None: not known."""
        for annotation in self._coco.imgToAnns[image_id] if self._coco else ():
            if self._coco.cats[annotation["category_id"]]["name"] == "optic_disc":
                mask = cv2.resize(self._coco.annToMask(annotation), (side, side), interpolation=cv2.INTER_AREA)
                return mask.astype(bool) if mask.any() else None
        return None
