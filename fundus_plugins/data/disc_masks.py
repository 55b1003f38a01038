"""The disc masks that lie beside a grading set."""

import os

import cv2
import numpy as np
from detectron2.data import DatasetCatalog, MetadataCatalog

from fundus_plugins.data.annotations import DISC, disc_and_cup
from fundus_plugins.data.registration import GRADING_SUFFIX, disc_cup_structures


class DiscMasks:
    """The disc masks that belong to a grading set: those of the segmentation set of that name without `_grading`.

    Args:
        grading_name: a registered grading set; where there is no segmentation file beside it, there are no masks.
    """

    def __init__(self, grading_name: str):
        name = grading_name.replace(f"{GRADING_SUFFIX}.json", ".json").removesuffix(GRADING_SUFFIX)
        self._records: dict = {}
        if name in DatasetCatalog.list() and os.path.isfile(MetadataCatalog.get(name).get("json_file", "")):
            self._structures = disc_cup_structures(name)
            self._records = {record["image_id"]: record for record in DatasetCatalog.get(name)}

    def get(self, image_id: int, side: int) -> np.ndarray | None:
        """The disc, resized as the photograph is to a square of `side` pixels, (side, side) bool; None: not known."""
        record = self._records.get(image_id)
        if record is None:
            return None
        size = record["height"], record["width"]
        masks = disc_and_cup(record["annotations"], self._structures, size, record["file_name"])
        if DISC not in masks:
            return None
        mask = cv2.resize(masks[DISC], (side, side), interpolation=cv2.INTER_AREA)
        return mask.astype(bool) if mask.any() else None
