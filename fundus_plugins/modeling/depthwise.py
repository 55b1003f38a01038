"""Depthwise convolutions whose gradients the CPU computes slowly, put in a form that it computes fast.

oneDNN's backward pass of a strided depthwise convolution takes several times as long in bfloat16 as in float32, and
that of a dilated one several times as long as the same sums without dilation.
"""

import torch
import torch.nn.functional as F
from torch import nn


def speed_up_depthwise(network: nn.Module) -> int:
    """Replace, in place, the strided and the dilated depthwise convolutions of `network`; names and weights stay.

    The same function, in the precision asked for or a better one. Returns how many were replaced.
    """
    replaced = 0
    for layer in network.modules():
        if type(layer) is nn.Conv2d and layer.groups == layer.in_channels > 1 and _is_slow(layer):
            layer.__class__ = DepthwiseConv2d
            replaced += 1
    return replaced


def _is_slow(layer: nn.Conv2d) -> bool:
    return layer.stride != (1, 1) or _is_dilated_same(layer)


def _is_dilated_same(layer: nn.Conv2d) -> bool:
    """Whether it is dilated evenly and keeps height and width."""
    (d, other), (k, _) = layer.dilation, layer.kernel_size
    same = layer.kernel_size == (k, k) and k % 2 == 1 and layer.padding == (d * (k // 2),) * 2
    return d == other > 1 and same and layer.stride == (1, 1) and layer.padding_mode == "zeros"


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise `nn.Conv2d`, computed otherwise where a gradient is wanted on a CPU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(x)
        if self.stride == (1, 1):
            return self._on_interleaved_grids(x)
        if not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            y = super().forward(x.float())
        return y.to(torch.get_autocast_dtype("cpu"))

    def _on_interleaved_grids(self, x: torch.Tensor) -> torch.Tensor:
        """Dilation d as an undilated convolution of the d x d grids that every d-th row and column make."""
        d, padding = self.dilation[0], self.kernel_size[0] // 2
        n, c, height, width = x.shape
        x = F.pad(x, (0, -width % d, 0, -height % d))  # zeros, as outside the picture
        rows, columns = x.shape[2] // d, x.shape[3] // d
        grids = x.reshape(n, c, rows, d, columns, d).permute(3, 5, 0, 1, 2, 4).reshape(d * d * n, c, rows, columns)
        y = F.conv2d(grids, self.weight, self.bias, 1, padding, 1, self.groups)
        y = y.reshape(d, d, n, -1, rows, columns).permute(2, 3, 4, 0, 5, 1).reshape(n, -1, rows * d, columns * d)
        return y[:, :, :height, :width].contiguous(memory_format=torch.channels_last)
