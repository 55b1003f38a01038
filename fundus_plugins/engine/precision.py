"""The number type a forward pass computes in, by name and by what the machine is good at."""

from typing import Any

import torch

PRECISIONS = ("auto", "float32", "bfloat16", "float16")


def computes_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16 (AMX or AVX-512); without them it is slower than float32.

    False also where torch is too old to tell.
    """
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def resolve_precision(name: str, device: str) -> torch.dtype:
    """The type named `name`, one of PRECISIONS, for a device such as "cpu" or "cuda:0".

    "auto" is bfloat16 on a CPU that computes in it, float32 on another CPU, float16 on CUDA.

    Raises:
        ValueError: an unknown name, or float16 on a CPU.
    """
    if name not in PRECISIONS:
        raise ValueError(f"precision {name!r}: expected one of {', '.join(PRECISIONS)}")
    on_cpu = torch.device(device).type == "cpu"
    if name == "auto":
        return (torch.bfloat16 if computes_bfloat16() else torch.float32) if on_cpu else torch.float16
    if name == "float16" and on_cpu:
        raise ValueError("precision float16: a CPU computes in float32 or bfloat16")
    return getattr(torch, name)


def prediction_precision(name: str, device: str) -> torch.dtype:
    """What FundusPredictor computes in: as `resolve_precision`, but "auto" is float32 on every CPU.

    In bfloat16 the vertical cup-to-disc ratio of a photograph moves by up to 0.027 (docs/results/precision.md), which
    nobody should get without asking. Evaluation in training is in float32 whatever TEST.PRECISION says.
    """
    on_cpu = torch.device(device).type == "cpu"
    return resolve_precision("float32" if name == "auto" and on_cpu else name, device)


def autocast(dtype: torch.dtype, device: str) -> torch.autocast:
    """Autocast to `dtype` on `device`; for float32 one that does nothing. Losses and box arithmetic stay in float32."""
    return torch.autocast(torch.device(device).type, dtype=dtype, enabled=dtype != torch.float32)
