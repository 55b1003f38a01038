"""A training step on the CPU in a precision below float32."""

import time

import torch
from detectron2.engine import SimpleTrainer

from fundus_plugins.engine.precision import autocast


class CPUAutocastTrainer(SimpleTrainer):
    """SimpleTrainer whose forward pass autocasts to `precision` on the CPU; Detectron2's AMPTrainer wants CUDA."""

    def __init__(self, model, data_loader, optimizer, precision: torch.dtype = torch.bfloat16):
        super().__init__(model, data_loader, optimizer)
        self.precision = precision

    def run_step(self) -> None:
        assert self.model.training, "CPUAutocastTrainer: the model is in eval mode"
        start = time.perf_counter()
        data = next(self._data_loader_iter)
        data_time = time.perf_counter() - start
        with autocast(self.precision, "cpu"):
            losses = self.model(data)
        self.optimizer.zero_grad()
        sum(losses.values()).backward()
        self.after_backward()
        self._write_metrics(losses, data_time)
        self.optimizer.step()
