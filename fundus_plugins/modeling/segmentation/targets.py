"""What a network for disc and cup learns from: full masks of a batch, and their edges."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from detectron2.structures import Instances


def full_masks(instances: Sequence[Instances], size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """The masks of a batch in one tensor, and whether each is annotated.

    Args:
        instances: of N pictures, as `DiscCupMapper` makes them: at most one row, with `gt_disc_cup` (DiscCupMasks). A
            picture without a row shows no disc, and that is known.
        size: H, W, in pixels; the pictures fit in, padded below and to the right.

    Returns:
        masks (N, 2, H, W) uint8, 0 or 1, and known (N, 2) bool, on the device of `instances`.
    """
    device = next((x.gt_disc_cup.masks.device for x in instances), None)
    masks = torch.zeros((len(instances), 2, *size), dtype=torch.uint8, device=device)
    known = torch.ones((len(instances), 2), dtype=torch.bool, device=device)
    for i, x in enumerate(instances):
        if len(x):
            height, width = x.image_size
            own = x.gt_disc_cup[:1]
            masks[i, :, :height, :width] = own.masks[own.index][0]
            known[i] = own.known[0]
    return masks, known


def edges_of(masks: torch.Tensor) -> torch.Tensor:
    """The pixels beside which a mask begins or ends: (N, K, H, W) of 0 and 1 to the same, float32.

    The morphological gradient with a square of 3 x 3, two pixels wide; the picture's own edge is none.
    """
    masks = masks.float()
    return F.max_pool2d(masks, 3, 1, 1) + F.max_pool2d(-masks, 3, 1, 1)
