"""The quick depthwise convolutions are the ordinary ones, in value and gradient."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fundus_plugins.modeling.depthwise import DepthwiseConv2d, speed_up_depthwise
from fundus_plugins.modeling.timm_network import create_timm_network


def both(layer: nn.Conv2d, x: torch.Tensor, autocast: bool = False):
    """Output, gradient of the input and of the parameters: of the layer and of its replacement."""
    quick = copy.deepcopy(layer)
    assert speed_up_depthwise(nn.Sequential(quick)) == 1 and isinstance(quick, DepthwiseConv2d)
    results = []
    for module in (layer, quick):
        leaf = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            y = module(leaf)
        weights = torch.linspace(-1, 1, y.numel()).reshape(y.shape)
        (y.float() * weights).sum().backward()
        results.append((y, leaf.grad, *[parameter.grad for parameter in module.parameters()]))
    return results


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 13), st.integers(1, 13)),
    kernel=st.sampled_from([3, 5]),
    stride_dilation=st.sampled_from([(1, 2), (1, 3), (2, 1), (2, 2)]),
    outputs=st.sampled_from([4, 8]),
    bias=st.booleans(),
)
def test_same_values_and_gradients(size, kernel, stride_dilation, outputs, bias):
    stride, dilation = stride_dilation
    padding = dilation * (kernel // 2)
    layer = nn.Conv2d(4, outputs, kernel, stride, padding, dilation, groups=4, bias=bias)
    x = torch.randn(2, 4, *size)
    for plain, quick in zip(*both(layer, x), strict=True):
        assert plain.shape == quick.shape and plain.dtype == quick.dtype
        torch.testing.assert_close(quick, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stride, dilation", [(2, 1), (1, 2)])
def test_autocast_gives_its_precision(stride, dilation):
    layer = nn.Conv2d(8, 8, 3, stride, dilation, dilation, groups=8, bias=False)
    plain, quick = both(layer, torch.randn(2, 8, 12, 12), autocast=True)
    assert quick[0].dtype == plain[0].dtype == torch.bfloat16
    for a, b in zip(plain, quick, strict=True):
        torch.testing.assert_close(b.float(), a.float(), rtol=0.05, atol=0.05 * a.float().abs().max().item())


def test_gradients_in_float64():
    layer = nn.Conv2d(2, 2, 3, 1, 2, 2, groups=2).double()
    speed_up_depthwise(nn.Sequential(layer))
    assert torch.autograd.gradcheck(layer, torch.randn(1, 2, 5, 4, dtype=torch.float64, requires_grad=True))


def test_only_slow_ones_are_replaced():
    ordinary = [
        nn.Conv2d(4, 4, 3, 1, 1, groups=4),
        nn.Conv2d(4, 8, 3, 2, 1),
        nn.Conv2d(4, 4, 3, 1, 1, 2, groups=4),  # dilated, and makes the picture smaller
        nn.Conv2d(4, 4, 3, 1, 2, 2, groups=4, padding_mode="reflect"),
    ]
    assert speed_up_depthwise(nn.Sequential(*ordinary)) == 0


def test_mobilenet_keeps_its_weights_names():
    network = create_timm_network("mobilenetv1_100", output_stride=16, num_classes=0)
    kinds = [type(layer) for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert kinds.count(DepthwiseConv2d) == 4  # three strides (the fourth is taken out) and a dilation
    assert "blocks.0.0.conv_dw.weight" in network.state_dict()
