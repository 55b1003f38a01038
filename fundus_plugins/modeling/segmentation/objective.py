"""The losses of a network for disc and cup: of its prediction, its side outputs and its edges."""

from collections.abc import Callable, Sequence

import torch

from fundus_plugins.modeling.segmentation.network import Maps
from fundus_plugins.modeling.segmentation.targets import edges_of


class Objective:
    """A weighted sum of one mask loss on everything that a network gives.

    Args:
        mask_loss: function of logits (N, K, H, W), target (N, K, H, W) and weight (N, K) to a scalar, as
            `build_mask_loss` gives it.
        class_weights: of disc and cup.
        prediction_weight, side_weight, edge_weight: of the prediction, of each side output, and of the edges.
    """

    def __init__(
        self,
        mask_loss: Callable[..., torch.Tensor],
        *,
        class_weights: Sequence[float] = (1.0, 1.0),
        prediction_weight: float = 1.0,
        side_weight: float = 0.0,
        edge_weight: float = 0.0,
    ):
        self.mask_loss = mask_loss
        self.class_weights = tuple(class_weights)
        self.prediction_weight = prediction_weight
        self.side_weight = side_weight
        self.edge_weight = edge_weight

    def __call__(self, maps: Maps, masks: torch.Tensor, known: torch.Tensor) -> dict[str, torch.Tensor]:
        """`loss_mask`, and `loss_sides` and `loss_edges` where the network gives them and they have a weight.

        Args:
            maps: of N pictures.
            masks: (N, 2, H, W), 0 or 1.
            known: (N, 2) bool; a mask that is not annotated teaches nothing.
        """
        masks = masks.float()
        losses = {"loss_mask": self.prediction_weight * self._of(maps.logits, masks, known)}
        if maps.sides and self.side_weight:
            losses["loss_sides"] = self.side_weight * sum(self._of(x, masks, known) for x in maps.sides)
        if maps.edges is not None and self.edge_weight:
            losses["loss_edges"] = self.edge_weight * self._of(maps.edges, edges_of(masks), known)
        return losses

    def _of(self, logits: torch.Tensor, masks: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        parts = zip(self.class_weights, logits.split(1, 1), masks.split(1, 1), known.split(1, 1))
        return sum(weight * self.mask_loss(*x) for weight, *x in parts)  # type: ignore[return-value]
