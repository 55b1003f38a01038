"""Convolutions as the networks for disc and cup put them together."""

import fvcore.nn.weight_init as weight_init
from detectron2.layers import get_norm
from torch import nn


def convolution(in_channels: int, out_channels: int, kernel: int, norm: str, groups: int = 1) -> nn.Sequential:
    """A convolution that keeps height and width, a normalisation (Detectron2's name; "" for none) and a ReLU."""
    layer = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups, bias=not norm)
    weight_init.c2_msra_fill(layer)
    normalisation = [get_norm(norm, out_channels)] if norm else []
    return nn.Sequential(layer, *normalisation, nn.ReLU(inplace=True))


def two_convolutions(in_channels: int, out_channels: int, norm: str) -> nn.Sequential:
    """U-Net's block: two 3 x 3 convolutions."""
    return nn.Sequential(
        convolution(in_channels, out_channels, 3, norm), convolution(out_channels, out_channels, 3, norm)
    )


def up_convolution(in_channels: int, out_channels: int) -> nn.ConvTranspose2d:
    """U-Net's 2 x 2 "up-convolution", which doubles height and width."""
    layer = nn.ConvTranspose2d(in_channels, out_channels, kernel_size=2, stride=2)
    weight_init.c2_msra_fill(layer)
    return layer
