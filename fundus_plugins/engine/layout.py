"""The memory layouts in which a model trains."""

import torch
from detectron2.modeling.backbone import FPN
from detectron2.modeling.proposal_generator.rpn import StandardRPNHead
from torch import nn

from fundus_plugins.modeling.mask_head import RFNetMaskHead


def channels_last(model: nn.Module) -> nn.Module:
    """The model in channels-last, the layout of a CPU's fast convolutions, but for what is slow in it; in place.

    On a CPU with AVX2 alone oneDNN takes two to four times as long in channels-last as in NCHW over the gradient of a
    3 x 3 convolution's weights, where the maps are large (docs/results/convolution_layouts.md). The largest are the
    FPN's finest output, what the RPN makes of it, and the fused map of RF-Net's mask head. They are in NCHW there, with
    the same values. So are the RPN's weights, so that each of its maps keeps the layout of its input.
    """
    model.to(memory_format=torch.channels_last)
    on_cpu = all(x.device.type == "cpu" for x in model.parameters())
    if on_cpu and torch.backends.cpu.get_cpu_capability() == "AVX2":
        for module in model.modules():
            if isinstance(module, FPN):
                _in_nchw(module.output_convs[-1])
            elif isinstance(module, StandardRPNHead):
                module.to(memory_format=torch.contiguous_format)
            elif isinstance(module, RFNetMaskHead):
                _in_nchw(module.fused)
                module.predictor.to(memory_format=torch.contiguous_format)
    return model


def _in_nchw(module: nn.Module) -> None:
    module.to(memory_format=torch.contiguous_format).register_forward_pre_hook(_to_nchw)


def _to_nchw(module: nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    return (inputs[0].contiguous(),)
