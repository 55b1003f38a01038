"""Disc and cup in Detectron2's Instances: the true masks as one field, the predicted ones as two rows."""

import numpy as np
import torch
from detectron2.structures import BitMasks, Instances
from torchvision.ops import roi_align

from fundus_plugins.data.annotations import CUP, DISC


class DiscCupMasks:
    """Masks of N discs and of the cups within them, which can be indexed often without copying a pixel.

    They may be of any K structures that lie each within the one before; K is 2 here.

    Detectron2 indexes every ground-truth field by the sampled proposals (200 an image); a BitMasks would copy 200 full
    masks there, while this copies 200 integers.

    Args:
        masks: (N, 2, H, W) uint8, 0 or 1; channel 0 the disc, which includes the cup, channel 1 the cup.
        known: (N, 2) bool, whether that mask was annotated at all; an annotated mask may be empty.
        index: (R,) int64, the disc of each row; None: every disc once.
    """

    def __init__(self, masks: torch.Tensor, known: torch.Tensor, index: torch.Tensor | None = None):
        assert masks.ndim == 4 and known.shape == masks.shape[:2], (masks.shape, known.shape)
        self.masks = masks
        self.index = torch.arange(len(masks), device=masks.device) if index is None else index
        self._known = known

    @property
    def known(self) -> torch.Tensor:
        """(R, 2) bool: whether the disc and the cup of each row are annotated."""
        return self._known[self.index]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item) -> "DiscCupMasks":
        return DiscCupMasks(self.masks, self._known, self.index[item].reshape(-1))

    def to(self, *args, **kwargs) -> "DiscCupMasks":
        return DiscCupMasks(*(x.to(*args, **kwargs) for x in (self.masks, self._known, self.index)))

    def crop_and_resize(self, boxes: torch.Tensor, side: int) -> torch.Tensor:
        """Row i's masks within box i, as Detectron2's `BitMasks.crop_and_resize` does it for one mask.

        Args:
            boxes: (R, 4) float XYXY, pixels of the masks.
            side: of the result.

        Returns:
            (R, 2, side, side) float32, 0 or 1.
        """
        rois = torch.cat([self.index[:, None].to(boxes), boxes], dim=1)
        cropped = roi_align(self.masks.to(boxes.dtype), rois, (side, side), 1.0, 0, aligned=True)
        return (cropped >= 0.5).float()

    def disc(self) -> BitMasks:
        """The rows' discs, for Detectron2's tools."""
        return BitMasks(self.masks[self.index, 0].bool())

    def cup(self) -> BitMasks:
        """The rows' cups, for Detectron2's tools."""
        return BitMasks(self.masks[self.index, 1].bool())


def best_disc_and_cup(instances: Instances, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, float]:
    """The masks of the highest-scoring disc and the highest-scoring cup, whichever model made them.

    Args:
        instances: with `pred_masks` (R, H, W) bool, `pred_classes` and `scores`.
        size: H, W of the photograph.

    Returns:
        disc and cup, (H, W) bool, empty where none was detected, and the disc's score, nan without a disc.
    """
    masks, score = [], float("nan")
    for wanted in (DISC, CUP):
        rows = instances[instances.pred_classes == wanted]
        if len(rows) == 0:
            masks.append(np.zeros(size, dtype=bool))
            continue
        best = int(rows.scores.argmax())
        masks.append(rows.pred_masks[best].cpu().numpy().astype(bool, copy=False))
        if wanted == DISC:
            score = float(rows.scores[best])
    return masks[0], masks[1], score
