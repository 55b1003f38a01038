"""Mask losses as pure functions of logits, in float32 whatever autocast says: RF-Net's five, and Lovász-Softmax.

RF-Net section 3.4, Table 3; Lovász-Softmax is ET-Net's.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from fundus_plugins.modeling.lovasz import lovasz_per_class

# Keeps the dice of two empty masks at 1; small against the thousands of pixels of a mask.
SMOOTH = 1.0

MASK_LOSSES = ("bce", "dice", "focal", "bce_dice", "focal_dice", "lovasz")


def _mean_over_rois_sum_over_classes(per_class: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Reduce (R, K) to a scalar: mean over the RoIs in which a class is annotated, then the sum over classes."""
    if weight is None:
        weight = torch.ones_like(per_class)
    weight = weight.to(per_class.dtype)
    return ((per_class * weight).sum(0) / weight.sum(0).clamp(min=1.0)).sum()


def bce_loss(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """Binary cross entropy, mean over pixels and RoIs, summed over classes.

    Args, here and below:
        logits: (R, K, S, S), any float type; R RoIs, K classes.
        target: (R, K, S, S) in [0, 1].
        weight: (R, K), 1 where the class is annotated, 0 where its truth is unknown; None: all annotated.

    Returns, here and below: a float32 scalar; 0 (with a gradient of 0) for R = 0.
    """
    logits, target = logits.float(), target.float()
    return _mean_over_rois_sum_over_classes(
        F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean((2, 3)), weight
    )


def dice_loss(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """Dice loss of section 3.4, `sum_k (1 - 2 sum(p p*) / (sum(p^2) + sum(p*^2)))`, mean over RoIs.

    The paper prints `1 - sum_k(...)`, which differs by the constant K - 1 and has the same gradient.
    """
    logits, target = logits.float(), target.float()
    probability = logits.sigmoid()
    overlap = 2 * (target * probability).sum((2, 3)) + SMOOTH
    total = target.square().sum((2, 3)) + probability.square().sum((2, 3)) + SMOOTH
    return _mean_over_rois_sum_over_classes(1 - overlap / total, weight)


def focal_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    *,
    alpha: float = 1.0,
    gamma: float = 3.0,
) -> torch.Tensor:
    """Focal loss of section 3.4, mean over pixels and RoIs, summed over classes.

    `-p alpha (1 - p*)^gamma log p* - (1 - p) (1 - alpha) p*^gamma log(1 - p*)`. With the paper's alpha = 1 the second
    term vanishes: only positive pixels count, and the dice term alone teaches the background. alpha < 1 balances it.
    """
    logits, target = logits.float(), target.float()
    probability = logits.sigmoid()
    positive = -alpha * target * (1 - probability) ** gamma * F.logsigmoid(logits)
    negative = -(1 - alpha) * (1 - target) * probability**gamma * F.logsigmoid(-logits)
    return _mean_over_rois_sum_over_classes((positive + negative).mean((2, 3)), weight)


def lovasz_loss(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """Lovász-Softmax (`lovasz_per_class`) of each mask, mean over RoIs, summed over classes; targets are 0 or 1."""
    if not len(logits):
        return logits.float().sum()
    return _mean_over_rois_sum_over_classes(lovasz_per_class(logits, target), weight)


def bce_dice_loss(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """`bce + dice` (Table 3)."""
    return bce_loss(logits, target, weight) + dice_loss(logits, target, weight)


def focal_dice_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    *,
    focal_weight: float = 0.3,
    alpha: float = 1.0,
    gamma: float = 3.0,
) -> torch.Tensor:
    """`focal_weight * focal + dice`, the paper's L_mask."""
    focal = focal_loss(logits, target, weight, alpha=alpha, gamma=gamma)
    return focal_weight * focal + dice_loss(logits, target, weight)


def build_mask_loss(name: str, *, focal_weight: float = 0.3, alpha: float = 1.0, gamma: float = 3.0) -> Callable:
    """The loss named `name`, one of MASK_LOSSES, as a function of (logits, target, weight); it can be pickled.

    Raises:
        ValueError: an unknown name.
    """
    losses: dict[str, Callable[..., torch.Tensor]] = {
        "bce": bce_loss,
        "dice": dice_loss,
        "focal": partial(focal_loss, alpha=alpha, gamma=gamma),
        "bce_dice": bce_dice_loss,
        "focal_dice": partial(focal_dice_loss, focal_weight=focal_weight, alpha=alpha, gamma=gamma),
        "lovasz": lovasz_loss,
    }
    if name not in losses:
        raise ValueError(f"mask loss {name!r}: expected one of {', '.join(MASK_LOSSES)}")
    return losses[name]
