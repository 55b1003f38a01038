"""The plain U-Net of Ronneberger et al. 2015."""

from collections.abc import Sequence

import torch
from detectron2.config import configurable
from torch import nn

from fundus_plugins.modeling.segmentation.blocks import two_convolutions, up_convolution
from fundus_plugins.modeling.segmentation.network import DISC_CUP_NETWORK_REGISTRY, Maps


@DISC_CUP_NETWORK_REGISTRY.register()
class UNet(nn.Module):
    """U-Net (section 2, figure 1): a contracting and an expanding path, joined level by level.

    Unlike the paper's, its convolutions are padded, so that nothing has to be cropped.

    Args:
        channels: of the levels, from the input's size downwards; each level halves height and width.
        norm: Detectron2's name of a normalisation; "" for none, as in the paper.
        dropout: at the end of the contracting path (section 3.1; the paper gives no rate).
    """

    @configurable
    def __init__(self, *, channels: Sequence[int], norm: str = "", dropout: float = 0.0):
        super().__init__()
        self.down = nn.ModuleList(
            two_convolutions(before, after, norm) for before, after in zip([3, *channels], channels)
        )
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(dropout)
        pairs = list(zip(channels[::-1], channels[-2::-1]))  # from below upwards
        self.enlarge = nn.ModuleList(up_convolution(lower, upper) for lower, upper in pairs)
        self.up = nn.ModuleList(two_convolutions(2 * upper, upper, norm) for _, upper in pairs)
        self.predictor = nn.Conv2d(channels[0], 2, kernel_size=1)
        self.size_divisibility = 2 ** (len(channels) - 1)

    @classmethod
    def from_config(cls, cfg):
        node = cfg.MODEL.UNET
        return {"channels": list(node.CHANNELS), "norm": node.NORM, "dropout": node.DROPOUT}

    def forward(self, x: torch.Tensor) -> Maps:
        levels: list[torch.Tensor] = []
        for i, block in enumerate(self.down):
            x = block(self.pool(x) if i else x)
            levels.append(x)
        x = self.dropout(levels.pop())
        for enlarge, block in zip(self.enlarge, self.up):
            x = block(torch.cat([levels.pop(), enlarge(x)], dim=1))
        return Maps(self.predictor(x))
