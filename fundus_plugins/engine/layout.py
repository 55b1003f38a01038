"""The memory layouts in which a model trains."""

import torch
from detectron2.modeling.backbone import FPN
from detectron2.modeling.proposal_generator.rpn import StandardRPNHead
from torch import nn


def channels_last(model: nn.Module) -> nn.Module:
    """The model in channels-last, the layout of a CPU's fast convolutions, but for what is slow in it; in place.

    On a CPU with AVX2 alone oneDNN takes three to four times as long in channels-last as in NCHW over the gradient of a
    3 x 3 convolution's weights, where the maps are large (docs/results/convolution_layouts.md). The largest are the
    FPN's finest output and what the RPN makes of it. They are in NCHW there, with the same values. So are the RPN's
    weights, so that each of its maps keeps the layout of its input.
    """
    model.to(memory_format=torch.channels_last)
    on_cpu = all(x.device.type == "cpu" for x in model.parameters())
    if on_cpu and torch.backends.cpu.get_cpu_capability() == "AVX2":
        for module in model.modules():
            if isinstance(module, FPN):
                finest = module.output_convs[-1].to(memory_format=torch.contiguous_format)
                finest.register_forward_pre_hook(_to_nchw)
            elif isinstance(module, StandardRPNHead):
                module.to(memory_format=torch.contiguous_format)
    return model


def _to_nchw(module: nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    return (inputs[0].contiguous(),)
