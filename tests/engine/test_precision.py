"""Names of precisions to types, by machine."""

import warnings

import pytest
import torch
from detectron2.engine import AMPTrainer

from fundus_plugins.engine import precision
from fundus_plugins.engine.precision import autocast, prediction_precision, resolve_precision
from fundus_plugins.engine.trainer import _steps


def test_auto_follows_the_machine(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": False, "avx512_bf16": True}, raising=False)
    assert resolve_precision("auto", "cpu") == torch.bfloat16
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert resolve_precision("auto", "cpu") == torch.float32 and not precision.computes_bfloat16()
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert resolve_precision("auto", "cpu") == torch.float32  # an older torch cannot tell
    assert resolve_precision("auto", "cuda:0") == torch.float16


def test_prediction_on_a_cpu_is_in_less_than_float32_only_where_that_is_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert prediction_precision("auto", "cpu") == torch.float32
    assert prediction_precision("bfloat16", "cpu") == torch.bfloat16
    assert prediction_precision("auto", "cuda") == torch.float16


def test_named_precisions():
    assert resolve_precision("bfloat16", "cpu") == torch.bfloat16
    assert resolve_precision("float16", "cuda") == torch.float16
    with pytest.raises(ValueError, match="a CPU computes in float32 or bfloat16"):
        resolve_precision("float16", "cpu")
    with pytest.raises(ValueError, match="'half': expected one of auto, float32"):
        resolve_precision("half", "cpu")


def test_autocast_to_float32_does_nothing():
    layer, x = torch.nn.Linear(4, 4), torch.randn(2, 4)
    with autocast(torch.float32, "cpu"):
        assert layer(x).dtype == torch.float32
    with autocast(torch.bfloat16, "cpu"):
        assert layer(x).dtype == torch.bfloat16


def test_a_step_on_a_gpu_tells_nothing_of_detectron2s_calls(small_cfg):
    """Else every iteration has a line of it in the log."""
    small_cfg.MODEL.DEVICE, small_cfg.SOLVER.AMP.ENABLED, small_cfg.SOLVER.AMP.PRECISION = "cuda", True, "float16"
    layer = torch.nn.Linear(1, 1)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        steps = _steps(small_cfg, layer, [[]], torch.optim.SGD(layer.parameters(), 0.1))
        torch.cuda.amp.autocast(dtype=torch.float16)
    assert isinstance(steps, AMPTrainer)
    assert not [x for x in told if "deprecated" in str(x.message)]
