"""Batch norm's running statistics, of which every process gathers its own, as their mean."""

import torch
import torch.distributed as dist
from detectron2.engine import HookBase
from detectron2.utils import comm
from torch import nn


def average_statistics(model: nn.Module) -> None:
    """Give running means and variances, in every process, the mean over the processes. One process: nothing happens.

    The mean, and not the main process's, so that all photographs count. A running statistic is a moving average, which
    is linear: how often it is averaged does not change what comes out, but for rounding.
    """
    if comm.get_world_size() == 1:
        return
    found = [
        getattr(module, name)
        for module in model.modules()
        for name in ("running_mean", "running_var")
        if isinstance(getattr(module, name, None), torch.Tensor)
    ]
    if not found:
        return
    # In float64 the mean of equal numbers is that number: what was averaged stays as it is.
    flat = torch.cat([x.detach().flatten().double() for x in found])
    dist.all_reduce(flat)
    flat /= comm.get_world_size()
    with torch.no_grad():
        for buffer, mean in zip(found, flat.split([x.numel() for x in found]), strict=True):
            buffer.copy_(mean.view_as(buffer))


class AverageStatistics(HookBase):
    """`average_statistics` after every step, so that whatever hook comes later sees, saves and evaluates one model.

    That is less than what DistributedDataParallel does by default: send the main process's before every step.
    """

    def after_step(self) -> None:
        average_statistics(self.trainer.model)
