"""Multiply-adds of a model's layers, and how fast this machine multiplies and adds."""

from collections.abc import Callable
from functools import lru_cache

import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn

LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
# The convolution that says how fast the machine can be: 3 x 3, so many channels to as many, on N x side x side.
IMAGES, CHANNELS, SIDE = 4, 256, 128


def count_work(
    model: nn.Module, parts: dict[str, str], run: Callable[[], object], images: int = 1
) -> dict[str, dict[str, float]]:
    """Multiply-adds of the convolutions and linear layers of each part of `model` in one real `run`.

    fvcore counts them on the sizes that really came by, so for as many boxes as there were. Batch norms, pooling,
    resizing and pasting count as nothing.

    Args:
        parts: name of a part to the prefix of its modules' names; a layer belongs to the first that fits.
        images: that `run` works on, or, for a batch, 1.

    Returns:
        For each part its "multiply_adds" over `images`, and the "rows" (images or boxes) of a call on average.

    Raises:
        ValueError: a layer that belongs to no part.
    """
    calls, handles = {part: [] for part in parts}, []
    for name, layer in model.named_modules():
        if not isinstance(layer, LAYERS):
            continue
        part = next((part for part, prefix in parts.items() if name.startswith(prefix)), None)
        if part is None:
            raise ValueError(f"layer {name} belongs to none of the parts {list(parts)}")

        def note(layer, inputs, output, part=part):
            calls[part].append((layer, inputs[0].shape))

        handles.append(layer.register_forward_hook(note))
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    count = lru_cache(maxsize=None)(_multiply_adds)
    return {
        part: {
            "multiply_adds": sum(count(layer, shape) for layer, shape in found) / images,
            "rows": sum(shape[0] for _, shape in found) / max(1, len(found)),
        }
        for part, found in calls.items()
    }


def _multiply_adds(layer: nn.Module, shape: torch.Size) -> int:
    if not shape.numel():
        return 0
    count = FlopCountAnalysis(layer, torch.zeros(shape, dtype=layer.weight.dtype, device=layer.weight.device))
    count.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    count.set_op_handle("aten::batch_norm", None)  # Detectron2's convolutions bring theirs along
    return int(count.total())


def reference_convolution(precision: torch.dtype) -> tuple[Callable[[], object], int]:
    """A run of the convolution of IMAGES, CHANNELS and SIDE in channels-last memory, and its multiply-adds."""
    layer = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1).to(precision, memory_format=torch.channels_last)
    x = torch.rand(IMAGES, CHANNELS, SIDE, SIDE).to(precision, memory_format=torch.channels_last)

    def run():
        with torch.inference_mode():
            return layer(x)

    return run, IMAGES * SIDE**2 * 9 * CHANNELS**2
