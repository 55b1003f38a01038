"""The heart of Detectron2's tools/plain_train_net.py: a training loop without a trainer."""

import torch
from detectron2.config import CfgNode
from detectron2.solver import build_lr_scheduler, build_optimizer
from detectron2.utils.events import EventStorage


def train(cfg: CfgNode, model: torch.nn.Module, loader) -> list[float]:
    """Train for SOLVER.MAX_ITER iterations; the total loss of each."""
    model.train()
    optimizer = build_optimizer(cfg, model)
    scheduler = build_lr_scheduler(cfg, optimizer)
    totals = []
    with EventStorage() as storage:
        for data, iteration in zip(loader, range(cfg.SOLVER.MAX_ITER)):
            storage.iter = iteration
            losses = model(data)
            total = sum(losses.values())
            assert torch.isfinite(total), losses
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            scheduler.step()
            totals.append(total.item())
    return totals
