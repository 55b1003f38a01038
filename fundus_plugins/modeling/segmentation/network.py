"""What a network for disc and cup takes and gives, and the registry of those that a config can name."""

from typing import NamedTuple

import torch
from detectron2.config import CfgNode
from detectron2.utils.registry import Registry
from torch import nn

DISC_CUP_NETWORK_REGISTRY = Registry("DISC_CUP_NETWORK")
DISC_CUP_NETWORK_REGISTRY.__doc__ = """Networks for `DiscCupSegmentor`, by the name in MODEL.SEGMENTOR.NETWORK.

Each is an `nn.Module` that is made of a config, `Network(cfg)`, and gives `Maps` of (N, 3, H, W) float pictures,
normalised, H and W multiples of its attribute `size_divisibility`.
"""


class Maps(NamedTuple):
    """Logits of N pictures, channel 0 the disc, which includes the cup, channel 1 the cup.

    Attributes:
        logits: (N, 2, H, W), what is predicted.
        sides: (N, 2, H, W) each: side outputs, which are trained as well.
        edges: (N, 2, H, W), of the outlines; None: the network has none.
    """

    logits: torch.Tensor
    sides: tuple[torch.Tensor, ...] = ()
    edges: torch.Tensor | None = None


def build_disc_cup_network(cfg: CfgNode) -> nn.Module:
    """The network of MODEL.SEGMENTOR.NETWORK. Raises KeyError for a name that nobody registered."""
    return DISC_CUP_NETWORK_REGISTRY.get(cfg.MODEL.SEGMENTOR.NETWORK)(cfg)
