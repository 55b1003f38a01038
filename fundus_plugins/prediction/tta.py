"""Test-time augmentation: flips of the photograph, and a second pass over a crop about the disc."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from detectron2.layers import paste_masks_in_image
from detectron2.structures import Boxes, Instances, pairwise_iou
from torch import nn

from fundus_plugins.data.augmentation.affine import AffineTransform

# Dimensions of an image (..., H, W) that are flipped, view by view.
FLIPS = {
    "none": ((),),
    "horizontal": ((), (-1,)),
    "both": ((), (-1,), (-2,), (-2, -1)),
}


@dataclass(frozen=True)
class Detection:
    """One disc as the views of an image show it.

    Attributes:
        box: (4,) float32 XYXY, pixels of the image; the mean of the boxes that agree with the best one (IoU > 0.5).
        score: sum of the scores of these boxes over the number of views.
        probabilities: (V, 2, S, S) float32, every view's disc and cup within the box, flipped back.
    """

    box: torch.Tensor
    score: float
    probabilities: torch.Tensor

    @property
    def agreement(self) -> float:
        """How alike the views' masks are: the Dice of each with that of the mean, the lower of the means of disc and
        cup; 1 where all are the same, nan of a single view."""
        return float(agreement_of_views(self.probabilities)) if len(self.probabilities) > 1 else float("nan")


def agreement_of_views(probabilities: torch.Tensor) -> torch.Tensor:
    """`Detection.agreement` of (V, 2, S, S) float, as a scalar."""
    masks, mean = probabilities > 0.5, probabilities.mean(0) > 0.5
    common, total = (masks & mean).sum((2, 3)), masks.sum((2, 3)) + mean.sum((1, 2))
    dice = torch.where(total > 0, 2 * common / total.clamp(min=1), 1.0)
    return dice.mean(0).min()


def detect_in_views(model: nn.Module, image: torch.Tensor, flips: Sequence[tuple[int, ...]]) -> Detection | None:
    """Detect the disc in every view, average its box, and take every view's masks within that box.

    Args:
        model: GeneralizedRCNN with RFNetROIHeads, in eval mode.
        image: (3, H, W) uint8.
        flips: one of FLIPS.

    Returns:
        what was seen; None if no view shows a disc.
    """
    size = tuple(image.shape[1:])
    images = model.preprocess_image([{"image": image.flip(dims)} for dims in flips])
    features = model.backbone(images.tensor)
    proposals, _ = model.proposal_generator(images, features)
    detected = model.roi_heads.detect(features, proposals)

    best = [x[int(x.scores.argmax())] if len(x) else x for x in detected]
    boxes = torch.cat([flip_boxes(x.pred_boxes.tensor, dims, size) for x, dims in zip(best, flips)])
    scores = torch.cat([x.scores for x in best])
    if not len(boxes):
        return None
    agrees = pairwise_iou(Boxes(boxes[scores.argmax()][None]), Boxes(boxes))[0] > 0.5
    weights = scores * agrees
    box = (weights[:, None] * boxes).sum(0) / weights.sum()

    given = [_both_classes(flip_boxes(box[None], dims, size), size) for dims in flips]
    masks = [x.pred_masks[:, 0] for x in model.roi_heads.forward_with_given_boxes(features, given)]
    probabilities = torch.stack([mask.flip(dims) for mask, dims in zip(masks, flips)])
    return Detection(box, float(weights.sum()) / len(flips), probabilities)


def predict_in_views(
    model: nn.Module,
    image: torch.Tensor,
    photograph: np.ndarray,
    *,
    flips: Sequence[tuple[int, ...]],
    crop: float,
    crop_side: int,
    box_scale: float,
    channel_order: slice = slice(None),
) -> tuple[Instances, float]:
    """Detect the disc in a photograph, then again in a crop about it; masks are the means of the last pass's views.

    Where a crop is asked for and the first pass finds nothing, it is repeated at half the size, within black: a disc
    that fills the image is larger than any that a detector of discs in photographs has learned.

    Args:
        image: (3, h, w) uint8, the resized photograph as the model reads it.
        photograph: (H, W, 3) uint8 RGB.
        flips: one of FLIPS, for both passes.
        crop: the disc's part of the side of the square crop; 0: no second pass.
        crop_side: of that square, pixels.
        box_scale: of the boxes about the disc, INPUT.BOX_SCALE.
        channel_order: how the model's input takes the photograph's channels.

    Returns:
        Detectron2's Instances at the photograph's size (a disc's row and its cup's, or none), and the agreement of
        the views (see Detection), or of the two passes where each has one view; nan where there is no disc or one view
        in all. Where the second pass finds no disc, or one elsewhere (neither box holds the other's middle), the first
        pass's masks stay and the agreement is 0.
    """
    height, width = photograph.shape[:2]
    seen = detect_in_views(model, image, flips)
    if seen is None and crop:
        seen = _detect_at_half_size(model, image, flips)
    if seen is None:
        nothing = Instances((height, width))
        nothing.pred_boxes, nothing.scores = Boxes(torch.zeros(0, 4)), torch.zeros(0)
        nothing.pred_classes = torch.zeros(0, dtype=torch.int64)
        nothing.pred_masks = torch.zeros(0, height, width, dtype=torch.bool)
        return nothing, float("nan")
    box = seen.box * seen.box.new_tensor([width / image.shape[2], height / image.shape[1]] * 2)
    agreement = seen.agreement
    if crop:
        transform = _towards(box.double().cpu().numpy(), crop, crop_side, box_scale)
        nearer = np.ascontiguousarray(transform.apply_image(photograph)[..., channel_order].transpose(2, 0, 1))
        second = detect_in_views(model, torch.from_numpy(nearer).to(image.device), flips)
        agreement = 0.0
        if second is not None:
            matrix = torch.from_numpy(transform.matrix).to(box)
            second_box = ((second.box.reshape(2, 2) - matrix[:, 2]) / matrix[0, 0]).reshape(4)
            if _same_place(box, second_box):
                agreement = second.agreement if len(flips) > 1 else _agreement_of_passes(seen, box, second, second_box)
                seen, box = second, second_box
    found = _both_classes(box[None], (height, width))
    found.scores = box.new_full((2,), seen.score)
    # Pasted before the box is clipped: the masks are those of the whole box, which may reach beyond the photograph.
    found.pred_masks = paste_masks_in_image(seen.probabilities.mean(0), found.pred_boxes.tensor, (height, width), 0.5)
    found.pred_boxes.clip((height, width))
    return found, agreement


def _agreement_of_passes(first: Detection, first_box: torch.Tensor, second: Detection, box: torch.Tensor) -> float:
    """The Dice of the passes' masks, the lower of disc and cup, on the second's grid; boxes (4,), photograph's pixels.

    What the first pass has beyond the second's box counts as well.
    """
    masks = first.probabilities.mean(0), second.probabilities.mean(0)
    side = masks[0].shape[-1]
    places = (torch.arange(side, device=box.device) + 0.5) / side  # of the cells' middles in the second box, 0 to 1
    extent, first_extent = box[2:] - box[:2], first_box[2:] - first_box[:2]
    x, y = (2 * (box[i] + places * extent[i] - first_box[i]) / first_extent[i] - 1 for i in (0, 1))
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None]
    seen = F.grid_sample(masks[0][None], grid, align_corners=False)[0] > 0.5
    there = masks[1] > 0.5
    cells = (first_extent.prod() / extent.prod()).item()  # of the second's grid that one of the first's covers
    areas = torch.maximum((masks[0] > 0.5).sum((1, 2)) * cells, seen.sum((1, 2))) + there.sum((1, 2))
    dice = torch.where(areas > 0, 2 * (seen & there).sum((1, 2)) / areas.clamp(min=1), 1.0)
    return float(dice.min())


def _detect_at_half_size(model: nn.Module, image: torch.Tensor, flips: Sequence[tuple[int, ...]]) -> Detection | None:
    height, width = image.shape[1:]
    size = height // 2, width // 2
    half = F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    canvas = image.new_zeros(image.shape)
    canvas[:, top : top + size[0], left : left + size[1]] = half
    seen = detect_in_views(model, canvas, flips)
    if seen is None:
        return None
    factor = seen.box.new_tensor([width / size[1], height / size[0]] * 2)
    return replace(seen, box=(seen.box - seen.box.new_tensor([left, top] * 2)) * factor)


def _same_place(*boxes: torch.Tensor) -> bool:
    middles = torch.stack([(x[:2] + x[2:]) / 2 for x in boxes])
    return any(bool(((middles > x[:2]) & (middles < x[2:])).all()) for x in boxes)


def _towards(box: np.ndarray, part: float, side: int, box_scale: float) -> AffineTransform:
    middle, extent = (box[:2] + box[2:]) / 2, max(*(box[2:] - box[:2]), 1) / box_scale
    scale = part * side / extent
    return AffineTransform(np.column_stack([scale * np.eye(2), side / 2 - scale * middle]), (side, side))


def flip_boxes(boxes: torch.Tensor, dims: tuple[int, ...], size: tuple[int, int]) -> torch.Tensor:
    """Boxes (N, 4) XYXY of an image of height and width `size`, after it is flipped along `dims` (of FLIPS)."""
    height, width = size
    x1, y1, x2, y2 = boxes.unbind(1)
    if -1 in dims:
        x1, x2 = width - x2, width - x1
    if -2 in dims:
        y1, y2 = height - y2, height - y1
    return torch.stack([x1, y1, x2, y2], dim=1)


def _both_classes(box: torch.Tensor, size: tuple[int, int]) -> Instances:
    """A disc's row and its cup's, of one box (1, 4)."""
    return Instances(size, pred_boxes=Boxes(box.repeat(2, 1)), pred_classes=torch.arange(2, device=box.device))
