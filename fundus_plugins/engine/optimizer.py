"""The optimizers that SOLVER.FUNDUS_OPTIMIZER names."""

import torch
from detectron2.config import CfgNode
from detectron2.solver import build_optimizer as build_detectron2_optimizer
from detectron2.solver.build import get_default_optimizer_params, maybe_add_gradient_clipping
from torch import nn


def build_optimizer(cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
    """Detectron2's SGD, or AdamW or RMSprop with its rules for norms and biases. Raises ValueError for another name."""
    name = cfg.SOLVER.FUNDUS_OPTIMIZER.lower()  # other projects write ADAMW
    if name == "sgd":
        return build_detectron2_optimizer(cfg, model)
    if name not in ("adamw", "rmsprop"):
        raise ValueError(f"SOLVER.FUNDUS_OPTIMIZER {cfg.SOLVER.FUNDUS_OPTIMIZER!r}: expected SGD, AdamW or RMSprop")
    parameters = get_default_optimizer_params(
        model,
        base_lr=cfg.SOLVER.BASE_LR,
        weight_decay_norm=cfg.SOLVER.WEIGHT_DECAY_NORM,
        bias_lr_factor=cfg.SOLVER.BIAS_LR_FACTOR,
        weight_decay_bias=cfg.SOLVER.WEIGHT_DECAY_BIAS,
    )
    options = {"lr": cfg.SOLVER.BASE_LR, "weight_decay": cfg.SOLVER.WEIGHT_DECAY}
    if name == "adamw":
        # Fused it goes over memory once. Not on CUDA, where GradScaler would leave a fused one's gradients scaled, and
        # clipping, which is in the step, would clip those.
        optimizer = torch.optim.AdamW(parameters, fused=cfg.MODEL.DEVICE == "cpu", **options)
        optimizer.register_load_state_dict_post_hook(_as_the_parameters_lie)
    else:
        optimizer = torch.optim.RMSprop(parameters, alpha=0.9, eps=1e-7, **options)  # as in Keras, the paper's
    return maybe_add_gradient_clipping(cfg, optimizer)


def _as_the_parameters_lie(optimizer: torch.optim.Optimizer) -> None:
    """What was loaded, in the layout of its parameter: on a CPU a fused AdamW reads both in the order of memory.

    A checkpoint has the layout of the processor that trained it (engine/layout.py).
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if torch.is_tensor(value) and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
