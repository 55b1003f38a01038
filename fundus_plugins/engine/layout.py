"""The memory layouts in which a model trains."""

import torch
from detectron2.modeling.backbone import FPN
from torch import nn


def channels_last(model: nn.Module) -> nn.Module:
    """The model in channels-last, the layout of a CPU's fast convolutions, but for what is slow in it; in place.

    On a CPU with AVX2 alone oneDNN takes three to four times as long in channels-last as in NCHW over the gradient of a
    3 x 3 convolution's weights, where the maps are large (docs/results/convolution_layouts.md). RF-Net has one such:
    the FPN's finest output. It computes in NCHW there, with the same values.
    """
    model.to(memory_format=torch.channels_last)
    on_cpu = all(x.device.type == "cpu" for x in model.parameters())
    if on_cpu and torch.backends.cpu.get_cpu_capability() == "AVX2":
        for fpn in [x for x in model.modules() if isinstance(x, FPN)]:
            finest = fpn.output_convs[-1].to(memory_format=torch.contiguous_format)
            finest.register_forward_pre_hook(_to_nchw)
            finest.register_forward_hook(_back)
    return model


def _to_nchw(module: nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    return (inputs[0].contiguous(),)


def _back(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
    return output.contiguous(memory_format=torch.channels_last)
