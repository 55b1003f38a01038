"""Flips of a view averaged as `tta.detect_in_views` does, as tensors alone."""

from collections.abc import Sequence

import torch
from torch import nn
from torchvision.ops import box_iou

from fundus_plugins.modeling.export import OneLook
from fundus_plugins.prediction.tta import agreement_of_views, flip_boxes


class SeveralViews(nn.Module):
    """One picture seen in several flips.

    Args:
        look: what sees one of them.
        flips: one of `settings.FLIPS`, of two views or more.
    """

    def __init__(self, look: OneLook, flips: Sequence[tuple[int, ...]]):
        super().__init__()
        self.look = look
        self.flips = flips

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """As `OneLook.forward`, of the views' mean box, score and masks; and their agreement (1,), 0 to 1."""
        size = image.shape[-2], image.shape[-1]
        batch = self.look.features(torch.cat([image.flip(dims) if dims else image for dims in self.flips]))
        views = [{name: x[i : i + 1] for name, x in batch.items()} for i in range(len(self.flips))]
        detected = [self.look.detect(features, size) for features in views]
        boxes = torch.cat([flip_boxes(box, dims, size) for (box, _), dims in zip(detected, self.flips)])
        scores = torch.cat([score for _, score in detected])
        agrees = box_iou(boxes[scores.argmax()][None], boxes)[0] > 0.5
        weights = torch.where(agrees, scores, 0.0)
        box = (weights[:, None] * boxes).sum(0, keepdim=True) / weights.sum().clamp(min=1e-9)
        found = weights.sum()[None] > 0
        masks = [self.look.masks(x, flip_boxes(box, dims, size)) for x, dims in zip(views, self.flips)]
        masks = torch.cat([x.flip(dims) if dims else x for x, dims in zip(masks, self.flips)])
        agreement = agreement_of_views(masks)[None] * found
        mean = masks.mean(0, keepdim=True) * found[:, None, None, None]
        return box, weights.sum()[None] / len(self.flips), mean, agreement
