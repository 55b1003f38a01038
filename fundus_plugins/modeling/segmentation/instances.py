"""From probability maps of disc and cup to the instances that RF-Net gives."""

import numpy as np
import torch
import torch.nn.functional as F
from detectron2.structures import Boxes, Instances

from fundus_plugins.boxes import box_of
from fundus_plugins.measures.shape import largest_region

MASK_THRESHOLD = 0.5  # Detectron2's


def at_photograph_size(
    probabilities: torch.Tensor, size: tuple[int, int], from_photograph: torch.Tensor | None = None
) -> torch.Tensor:
    """Maps (2, h, w) float32 of a picture, sampled bilinearly at the pixels of its photograph: (2, H, W).

    Args:
        size: H, W.
        from_photograph: (2, 3), from pixels of the photograph to pixels of the picture, which is a part of it (the
            first pixel's middle is 0.5, 0.5), and beyond which all is 0. None: the picture is the whole photograph.
    """
    if from_photograph is None:
        return F.interpolate(probabilities[None], size, mode="bilinear", align_corners=False)[0]
    height, width = probabilities.shape[-2:]
    matrix = from_photograph.to(probabilities)
    x = torch.arange(size[1], device=matrix.device) + 0.5
    y = torch.arange(size[0], device=matrix.device) + 0.5
    places = x[None, :, None] * matrix[:, 0] + y[:, None, None] * matrix[:, 1] + matrix[:, 2]
    grid = 2 * places / places.new_tensor([width, height]) - 1
    return F.grid_sample(probabilities[None], grid[None], "bilinear", "zeros", align_corners=False)[0]


def disc_cup_instances(probabilities: torch.Tensor) -> Instances:
    """A row of class 0, the disc, and a row of class 1, its cup, as RF-Net gives them; no row without a disc.

    The disc is the largest region of probabilities of at least a half, the cup the largest region of those within it;
    where the cup's probability exceeds the disc's, the disc's counts. Both rows have the same `pred_boxes`, tight about
    the disc, and the same `scores`: the mean of the disc's probabilities over its mask, so 0.5 to 1.

    Args:
        probabilities: (2, H, W) float32, of disc and cup.

    Returns:
        `pred_boxes` (Boxes, XYXY), `scores` (R,) float32, `pred_classes` (R,) int64, `pred_masks` (R, H, W) bool; R is
        2 or 0.
    """
    size = probabilities.shape[-2], probabilities.shape[-1]
    device = probabilities.device
    disc, cup = (probabilities >= MASK_THRESHOLD).cpu().numpy()
    disc = largest_region(disc)
    box = box_of(disc)
    instances = Instances(size)
    if box is None:
        instances.pred_boxes = Boxes(torch.zeros(0, 4, device=device))
        instances.scores = torch.zeros(0, device=device)
        instances.pred_classes = torch.zeros(0, dtype=torch.int64, device=device)
        instances.pred_masks = torch.zeros(0, *size, dtype=torch.bool, device=device)
        return instances
    masks = torch.from_numpy(np.stack([disc, largest_region(cup & disc)])).to(device)
    instances.pred_boxes = Boxes(torch.tensor([box, box], dtype=torch.float32, device=device))
    instances.scores = probabilities[0][masks[0]].mean().expand(2).clone()
    instances.pred_classes = torch.arange(2, device=device)
    instances.pred_masks = masks
    return instances
