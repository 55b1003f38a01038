"""ET-Net of Zhang et al. 2019: edges learned from the first features guide the segmentation."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from detectron2.config import configurable
from torch import nn

from fundus_plugins.modeling.backbone import TimmBackbone
from fundus_plugins.modeling.segmentation.blocks import convolution
from fundus_plugins.modeling.segmentation.network import DISC_CUP_NETWORK_REGISTRY, Maps


@DISC_CUP_NETWORK_REGISTRY.register()
class ETNet(nn.Module):
    """ET-Net (section 2, figure 1): encoder, decoder, edge guidance module and weighted aggregation module.

    The outputs, at the stride of the first features, are enlarged to the picture. What the paper leaves open is ours:
    the channels, and batch norm after every convolution.

    Args:
        backbone: with features at strides 4, 8, 16 and 32, such as ResNet-50's four stages (the paper's).
        width: channels of the edges' features, and of what is aggregated.
    """

    size_divisibility = 32

    @configurable
    def __init__(self, *, backbone: TimmBackbone, width: int):
        super().__init__()
        self.backbone = backbone
        channels = [shape.channels for shape in backbone.output_shape().values()]
        below = channels[-1]
        decoder = []
        for own in channels[-2::-1]:
            decoder.append(DecodingBlock(own, below))
            below = own
        self.decoder = nn.ModuleList(decoder)
        self.edges = EdgeGuidance(channels[:2], width)
        self.aggregation = WeightedAggregation(channels[-2::-1], width)

    @classmethod
    def from_config(cls, cfg):
        return {"backbone": TimmBackbone(cfg), "width": cfg.MODEL.ETNET.WIDTH}

    def compute_in(self, precision: torch.dtype) -> None:
        """As `TimmBackbone.compute_in`, which tells why the first layers stay in float32."""
        if precision == torch.float32:
            return
        self.backbone.compute_in(precision)
        for part in (self.decoder, self.edges, self.aggregation):
            part.to(precision)

    def forward(self, x: torch.Tensor) -> Maps:
        size = x.shape[-2:]
        features = list(self.backbone(x).values())
        edge_logits, edge_features = self.edges(features[0], features[1])
        below, decoded = features[-1], []
        for block, own in zip(self.decoder, features[-2::-1]):
            below = block(own, below)
            decoded.append(below)
        logits = self.aggregation(decoded, edge_features)
        return Maps(_enlarge(logits, size), edges=_enlarge(edge_logits, size))


class DecodingBlock(nn.Module):
    """D-Block (section 2): low- and high-level features joined, a depthwise convolution, then one of 1 x 1.

    own (N, C, H, W) and below (N, B, H / 2, W / 2) to (N, C, H, W).
    """

    def __init__(self, own: int, below: int):
        super().__init__()
        self.layers = nn.Sequential(
            convolution(own + below, own + below, 3, "BN", groups=own + below), convolution(own + below, own, 1, "BN")
        )

    def forward(self, own: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
        return self.layers(torch.cat([own, _enlarge(below, own.shape[-2:])], dim=1))


class EdgeGuidance(nn.Module):
    """Edge guidance module (section 2.1): what the encoder's first two stages know of edges.

    first (N, A, H, W) and second (N, B, H / 2, W / 2) to logits of the edges (N, 2, H, W), which are supervised, and
    features of the edges (N, width, H, W), which guide the segmentation.
    """

    def __init__(self, channels: Sequence[int], width: int):
        super().__init__()
        first, second = channels
        self.first = nn.Sequential(convolution(first, width, 1, "BN"), convolution(width, width, 3, "BN"))
        self.second = nn.Sequential(convolution(second, width, 1, "BN"), convolution(width, width, 3, "BN"))
        self.features = convolution(2 * width, width, 1, "BN")
        self.predictor = nn.Conv2d(2 * width, 2, kernel_size=1)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        joined = torch.cat([self.first(first), self.second(_enlarge(second, first.shape[-2:]))], dim=1)
        return self.predictor(joined), self.features(joined)


class WeightedAggregation(nn.Module):
    """Weighted aggregation module (section 2.2): the decoder's outputs, weighed, summed up and joined with the edges.

    decoded: a map of each decoding block, (N, C_i, H_i, W_i), from the coarsest to the finest; edges (N, width, H, W),
    as large as the finest. Gives logits (N, 2, H, W).
    """

    def __init__(self, channels: Sequence[int], width: int):
        super().__init__()
        self.weighted = nn.ModuleList(WeightedBlock(c, width) for c in channels)
        self.fused = convolution(2 * width, width, 3, "BN")
        self.predictor = nn.Conv2d(width, 2, kernel_size=1)

    def forward(self, decoded: Sequence[torch.Tensor], edges: torch.Tensor) -> torch.Tensor:
        total = None
        for block, x in zip(self.weighted, decoded):
            weighted = block(x)
            total = weighted if total is None else weighted + _enlarge(total, weighted.shape[-2:])
        return self.predictor(self.fused(torch.cat([total, edges], dim=1)))


class WeightedBlock(nn.Module):
    """(N, C, H, W) to (N, width, H, W), each channel scaled by a weight, 0 to 1, which the channels' means tell."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.features = convolution(channels, width, 1, "BN")
        self.weights = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, width, 1), nn.Sigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x)
        return x * self.weights(x)


def _enlarge(x: torch.Tensor, size: torch.Size) -> torch.Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=False)
