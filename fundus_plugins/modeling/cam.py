"""Class activation maps (2sRanking-CNN section 2.2.2): pure functions of tensors, and any module's output."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import nn


def class_activation_maps(features: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """M_c(x, y) = sum_k w_k^c f_k(x, y), equation 2, in float32.

    Where a linear layer follows global average pooling, the mean of M_c over x and y plus the layer's bias is the
    logit of class c. (The paper's F_k is the sum over x and y; pooling divides it by their number.)

    Args:
        features: (N, K, H, W), what enters the pooling.
        weight: (C, K), the linear layer's.

    Returns:
        (N, C, H, W).

    >>> class_activation_maps(torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]]), torch.tensor([[2.0, -1.0]]))
    tensor([[[[-1.,  4.]]]])
    """
    with torch.autocast(features.device.type, enabled=False):
        return torch.einsum("nkhw,ck->nchw", features.float(), weight.float())


def normalise_maps(maps: torch.Tensor) -> torch.Tensor:
    """Every (H, W) map of (..., H, W) stretched to 0..1; one that is the same everywhere becomes 1 everywhere."""
    low, high = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    flat = high <= low
    return torch.where(flat, torch.ones_like(maps), (maps - low) / (high - low).masked_fill(flat, 1))


def upsample_maps(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(N, C, h, w) maps resized bilinearly to `size` (height, width); values stay within their range."""
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


@contextmanager
def captured_outputs(module: nn.Module) -> Iterator[list]:
    """Within the `with`, every output of `module` (of any model) is appended to the list given; nothing is copied.

    The hook is removed on leaving, be it by an exception.
    """
    outputs: list = []
    hook = module.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    try:
        yield outputs
    finally:
        hook.remove()
