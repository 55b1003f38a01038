"""What is measured at inference: any model that turns a photograph's file into masks of disc and cup."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

Masks = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Contender:
    """
    Attributes:
        model: all its layers.
        parts: of the model, as for `count_work`.
        precision: what its convolutions compute in.
        prepare: a file's path to what `predict` reads; may run in another thread than `predict`.
        predict: to the (H, W) bool masks of disc and cup at the photograph's own size.
        stages: what `prepare` gave to the seconds of each stage of `predict`; None where they are not told apart.
    """

    model: nn.Module
    parts: dict[str, str]
    precision: torch.dtype
    prepare: Callable[[str], Any]
    predict: Callable[[Any], Masks]
    stages: Callable[[Any], dict[str, float]] | None = None


def predict_files(contender: Contender, paths: Iterable[str]) -> Iterator[Masks]:
    """The masks of each photograph; the next one is read and prepared in a thread while the model runs."""
    with ThreadPoolExecutor(1) as reader:
        ahead = deque()
        for path in paths:
            ahead.append(reader.submit(contender.prepare, path))
            if len(ahead) > 1:
                yield contender.predict(ahead.popleft().result())
        while ahead:
            yield contender.predict(ahead.popleft().result())
