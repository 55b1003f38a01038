"""Batch norms folded into the convolutions before them: the same function at inference, in fewer passes over memory."""

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


def fold_batch_norms(module: nn.Module, example: torch.Tensor) -> int:
    """Fold every batch norm of `module`, in place, that reads what one convolution has just written.

    The pairs are found by running `example` once, so the module may be built in any way. A layer that runs more than
    once is left alone. timm's batch norms with an activation leave the activation behind.

    Args:
        module: in eval mode; afterwards fit for inference only.
        example: (1, C, H, W), an input of any valid size.

    Returns: how many were folded.
    """
    assert not module.training, "fold_batch_norms: the module is in training mode"
    pairs = _convolutions_before_batch_norms(module, example)
    for convolution, norm in pairs.items():
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight, convolution.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
    rest = {norm: nn.Sequential(*_after_normalising(norm)) for norm in pairs.values()}
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if child in rest:
                setattr(parent, name, rest[child])
    return len(pairs)


def _convolutions_before_batch_norms(module: nn.Module, example: torch.Tensor) -> dict[nn.Conv2d, nn.BatchNorm2d]:
    written: list[tuple[nn.Conv2d, torch.Tensor]] = []
    pairs: dict[nn.Conv2d, nn.BatchNorm2d] = {}
    calls: dict[nn.Module, int] = {}
    handles = []

    def after_convolution(convolution, inputs, output):
        calls[convolution] = calls.get(convolution, 0) + 1
        written.append((convolution, output))

    def before_norm(norm, inputs):
        calls[norm] = calls.get(norm, 0) + 1
        for convolution, output in written:
            if output is inputs[0]:
                pairs[convolution] = norm

    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            handles.append(layer.register_forward_hook(after_convolution))
        elif isinstance(layer, nn.BatchNorm2d) and layer.track_running_stats:
            handles.append(layer.register_forward_pre_hook(before_norm))
    try:
        with torch.no_grad():
            module(example)
    finally:
        for handle in handles:
            handle.remove()
    return {conv: norm for conv, norm in pairs.items() if calls[conv] == 1 and calls[norm] == 1}


def _after_normalising(norm: nn.BatchNorm2d) -> list[nn.Module]:
    """What timm's BatchNormAct2d does after normalising."""
    return [layer for layer in (getattr(norm, "drop", None), getattr(norm, "act", None)) if layer is not None]
