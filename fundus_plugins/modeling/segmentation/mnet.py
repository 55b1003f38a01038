"""M-Net of Fu et al. 2018: several scales of the picture in, an output of every scale out."""

import torch
import torch.nn.functional as F
from detectron2.config import configurable
from torch import nn

from fundus_plugins.modeling.segmentation.blocks import convolution, two_convolutions, up_convolution
from fundus_plugins.modeling.segmentation.network import DISC_CUP_NETWORK_REGISTRY, Maps

LEVELS = 5
SCALES = 4  # of the picture, and side outputs


@DISC_CUP_NETWORK_REGISTRY.register()
class MNet(nn.Module):
    """M-Net (section III): a U-shape that reads the picture at four scales and has four side outputs.

    The multi-scale input layer: the picture, average-pooled to a half, a quarter and an eighth of its size, each
    through a convolution of its own, joins the contracting path. The side-output layer: each level of the expanding
    path has an output, enlarged to the picture's size. The prediction is the mean of their probabilities; its logits
    are given.

    Args:
        width: channels of the first level; each level below has twice as many. The authors' published network has 32.
        norm: Detectron2's name of a normalisation; "" for none, as the authors'.
    """

    size_divisibility = 2 ** (LEVELS - 1)

    @configurable
    def __init__(self, *, width: int, norm: str = ""):
        super().__init__()
        channels = [width * 2**level for level in range(LEVELS)]
        self.inputs = nn.ModuleList(convolution(3, c, 3, norm) for c in channels[1:SCALES])
        # A level reads what is pooled from above and, but for the first and the last, its own scale of the picture.
        read = [3, *(above + own for above, own in zip(channels, channels[1:SCALES])), channels[-2]]
        self.down = nn.ModuleList(two_convolutions(before, after, norm) for before, after in zip(read, channels))
        self.pool = nn.MaxPool2d(2)
        pairs = list(zip(channels[::-1], channels[-2::-1]))
        self.enlarge = nn.ModuleList(up_convolution(lower, upper) for lower, upper in pairs)
        self.up = nn.ModuleList(two_convolutions(2 * upper, upper, norm) for _, upper in pairs)
        self.sides = nn.ModuleList(nn.Conv2d(upper, 2, kernel_size=1) for _, upper in pairs)

    @classmethod
    def from_config(cls, cfg):
        return {"width": cfg.MODEL.MNET.WIDTH, "norm": cfg.MODEL.MNET.NORM}

    def forward(self, x: torch.Tensor) -> Maps:
        size = x.shape[-2:]
        picture, levels = x, []
        for i, block in enumerate(self.down):
            if i:
                x = self.pool(x)
            if 0 < i < SCALES:
                picture = F.avg_pool2d(picture, 2)
                x = torch.cat([self.inputs[i - 1](picture), x], dim=1)
            x = block(x)
            levels.append(x)
        x, sides = levels.pop(), []
        for enlarge, block, side in zip(self.enlarge, self.up, self.sides):
            x = block(torch.cat([enlarge(x), levels.pop()], dim=1))
            # A convolution of 1 x 1 before enlarging gives the same as after it, at a fraction of the work.
            sides.append(F.interpolate(side(x), size, mode="nearest"))
        return Maps(mean_probability_logits(sides), tuple(sides))


def mean_probability_logits(logits: list[torch.Tensor]) -> torch.Tensor:
    """The logits, float32, of the mean of the probabilities of `logits`, which are of one shape."""
    stacked = torch.stack([x.float() for x in logits])
    return F.logsigmoid(stacked).logsumexp(0) - F.logsigmoid(-stacked).logsumexp(0)
