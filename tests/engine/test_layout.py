"""Layouts of memory: what is slow in channels-last with AVX2 alone computes in NCHW there, and gives the same."""

import copy

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.utils.events import EventStorage

from fundus_plugins.engine.layout import channels_last
from fundus_plugins.engine.optimizer import build_optimizer
from tests.conftest import SIDE, training_input


def is_channels_last(x: torch.Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


@pytest.fixture
def seen(monkeypatch):
    """Layouts of the inputs of 3 x 3 convolutions, by the number of their maps' pixels."""
    layouts = []
    convolution = torch.nn.functional.conv2d

    def record(x, weight, *arguments, **named):
        if weight.shape[2:] == (3, 3):
            layouts.append((x.shape[2] * x.shape[3], is_channels_last(x), is_channels_last(weight)))
        return convolution(x, weight, *arguments, **named)

    monkeypatch.setattr(torch.nn.functional, "conv2d", record)
    monkeypatch.setattr("detectron2.layers.wrappers.F.conv2d", record)
    return layouts


def trained(model, capability: str, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    model = channels_last(copy.deepcopy(model)).train()
    torch.manual_seed(0)
    with EventStorage():
        losses = model([training_input()])
    sum(losses.values()).backward()
    return losses, {name: x.grad for name, x in model.named_parameters() if x.grad is not None}, model


def test_the_largest_maps_are_in_nchw_with_avx2_alone(small_cfg, monkeypatch, seen):
    assert small_cfg.MODEL.RPN.IN_FEATURES[0] == "p2"
    torch.manual_seed(0)
    model = build_model(small_cfg)
    losses, gradients, _ = trained(model, "AVX512", monkeypatch)
    usual = list(seen)
    seen.clear()
    others, other_gradients, other = trained(model, "AVX2", monkeypatch)
    assert len(seen) == len(usual)
    changed = [(before, now) for before, now in zip(usual, seen) if before != now]
    finest = (SIDE // 4) ** 2
    assert [now for _, now in changed if now[0] == finest] == 2 * [(finest, False, False)]  # FPN, RPN
    assert [now for _, now in changed if now[0] < finest] == [(finest // 4**k, True, False) for k in (1, 2, 3)]  # RPN
    fused = small_cfg.MODEL.ROI_MASK_HEAD.POOLER_RESOLUTION**2
    assert fused > finest
    convolutions = len(other.roi_heads.mask_head.fused)
    assert [now for _, now in changed if now[0] > finest] == convolutions * [(fused, False, False)]
    assert losses.keys() == others.keys() and gradients.keys() == other_gradients.keys()
    for name in losses:
        torch.testing.assert_close(losses[name], others[name])
    for name in gradients:
        torch.testing.assert_close(gradients[name], other_gradients[name])
    assert other.state_dict().keys() == model.state_dict().keys()


def test_a_model_on_another_device_is_channels_last_throughout(small_cfg, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    model = channels_last(build_model(small_cfg).to("meta"))
    assert not any(x._forward_hooks for x in model.modules())


@pytest.mark.parametrize("then", ["AVX2", "AVX512"])
def test_a_training_goes_on_in_another_layout(small_cfg, monkeypatch, then):
    """A fused AdamW reads its moments in the order of memory; a checkpoint has that of the processor before."""
    small_cfg.SOLVER.FUNDUS_OPTIMIZER = "AdamW"
    torch.manual_seed(0)
    model = build_model(small_cfg)
    gradients = {name: torch.randn_like(x) for name, x in model.named_parameters() if x.requires_grad}
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: {"AVX2": "AVX512", "AVX512": "AVX2"}[then])
    before = channels_last(copy.deepcopy(model))
    optimizer = build_optimizer(small_cfg, before)

    def step(model, optimizer):
        for name, parameter in model.named_parameters():
            if name in gradients:
                parameter.grad = torch.empty_like(parameter).copy_(gradients[name])
        optimizer.step()

    step(before, optimizer)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: then)
    after = channels_last(build_model(small_cfg))
    after.load_state_dict(before.state_dict())
    resumed = build_optimizer(small_cfg, after)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(before, optimizer)
    step(after, resumed)
    for name, parameter in before.named_parameters():
        torch.testing.assert_close(after.get_parameter(name), parameter, msg=name)
