"""What a mask branch could reach at best: the true masks, taken to its grid and back."""

import detectron2.data.transforms as T
import numpy as np
import torch
from detectron2.modeling.postprocessing import detector_postprocess
from detectron2.structures import BitMasks, Instances

from fundus_plugins.structures import DiscCupMasks

from .disc_cup import CUP, DISC, best_disc_and_cup


def through_the_grid(disc: np.ndarray, cup: np.ndarray, *, input_size: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The disc and cup that a model would give if its box and every cell of its side x side grid were right.

    As in training the masks are resized to the input, sampled within the disc's box and set to 0 or 1; as at inference
    they are then pasted into the photograph and cut at one half.

    Args:
        disc, cup: (H, W) bool, pixels of the photograph; the disc is not empty.
        input_size: pixels on the longer side of the network's input.
        side: of the grid, cells.

    Returns:
        disc and cup, (H, W) bool.
    """
    resize = T.ResizeShortestEdge([input_size], input_size, "choice").get_transform(disc)
    masks = torch.from_numpy(np.stack([resize.apply_segmentation(mask.astype(np.uint8)) for mask in (disc, cup)]))
    boxes = BitMasks(masks[None, DISC].bool()).get_bounding_boxes()
    grid = DiscCupMasks(masks[None], torch.ones(1, 2, dtype=torch.bool)).crop_and_resize(boxes.tensor, side)
    rows = Instances(tuple(masks.shape[-2:]))
    rows.pred_boxes = type(boxes)(boxes.tensor.repeat(2, 1))
    rows.scores = torch.ones(2)
    rows.pred_classes = torch.tensor([DISC, CUP])
    rows.pred_masks = grid[0, :, None]
    return best_disc_and_cup(detector_postprocess(rows, *disc.shape), disc.shape)[:2]
