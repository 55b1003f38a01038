"""The disc masks that lie beside a grading set."""

import contextlib
import io
import os

import cv2
import numpy as np
from detectron2.data import DatasetCatalog, MetadataCatalog
from pycocotools.coco import COCO


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
        if self._coco is None:
            return None
        for annotation in self._coco.imgToAnns[image_id]:
            if self._coco.cats[annotation["category_id"]]["name"] == "optic_disc":
                mask = cv2.resize(self._coco.annToMask(annotation), (side, side), interpolation=cv2.INTER_AREA)
                return mask.astype(bool) if mask.any() else None
        return None
