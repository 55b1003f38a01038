"""Layouts of memory: what is slow in channels-last with AVX2 alone computes in NCHW there, and gives the same."""

import copy

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.utils.events import EventStorage

from fundus_plugins.engine.layout import channels_last
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


def test_the_finest_output_of_the_fpn_computes_in_nchw_with_avx2_alone(small_cfg, monkeypatch, seen):
    torch.manual_seed(0)
    model = build_model(small_cfg)
    losses, gradients, _ = trained(model, "AVX512", monkeypatch)
    usual = list(seen)
    seen.clear()
    others, other_gradients, other = trained(model, "AVX2", monkeypatch)
    assert len(seen) == len(usual)
    changed = [(before, now) for before, now in zip(usual, seen) if before != now]
    finest = (SIDE // 4) ** 2
    assert changed == [((finest, True, True), (finest, False, False))]
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
