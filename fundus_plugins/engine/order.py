"""The order in which training draws photographs, which a resumed run takes up where its checkpoint was written."""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data.samplers import InferenceSampler, RepeatFactorTrainingSampler, TrainingSampler
from detectron2.engine import HookBase
from detectron2.utils import comm
from detectron2.utils.env import seed_all_rng
from torch.utils.data import Sampler

SAMPLERS = ("TrainingSampler", "RepeatFactorTrainingSampler")


class ContinuedSampler(Sampler[int]):
    """An endless order of photographs that a seed decides, which can be entered anywhere.

    Args:
        make: from a seed to Detectron2's sampler.
        seed: of the order.
        batch: photographs a step, of this process.
        wide: whether each photograph is wider than high: the photographs of a batch are then alike in this, as with
            Detectron2's ASPECT_RATIO_GROUPING. None: they need not be.

    Attributes:
        start: how many photographs, of this process, were drawn before.
    """

    def __init__(self, make: Callable[[int], Iterable[int]], seed: int, batch: int, wide: Sequence[bool] | None = None):
        self.make, self.seed, self.batch, self.wide = make, seed, batch, wide
        self.start = 0

    def __iter__(self) -> Iterator[int]:
        drawn = iter(self.make(self.seed))
        if self.wide is not None:
            drawn = _alike(drawn, self.wide, self.batch)
        return itertools.islice(drawn, self.start, None)


def training_sampler(
    cfg: CfgNode, records: Sequence[dict], factors: torch.Tensor | None = None, seed: int | None = None
) -> ContinuedSampler:
    """The order that DATALOADER.SAMPLER_TRAIN asks for.

    Args:
        records: Detectron2's, of the training photographs.
        factors: how often each is drawn in an epoch, (N,) float32, instead of what the config says.
        seed: of the order; None: a random one, the same in every process.

    Raises ValueError for no photographs, and for another sampler than SAMPLERS.
    """
    name = cfg.DATALOADER.SAMPLER_TRAIN
    if not records:
        raise ValueError(f"DATASETS.TRAIN {', '.join(cfg.DATASETS.TRAIN)}: no photograph to learn from")
    make: Callable[[int], Iterable[int]]
    if factors is None and name == "RepeatFactorTrainingSampler":
        factors = RepeatFactorTrainingSampler.repeat_factors_from_category_frequency(
            list(records), cfg.DATALOADER.REPEAT_THRESHOLD
        )
    if factors is not None:
        make = partial(_repeated, factors)
    elif name == "TrainingSampler":
        make = partial(_shuffled, len(records))
    else:
        raise ValueError(
            f"DATALOADER.SAMPLER_TRAIN {name}: expected one of {', '.join(SAMPLERS)}; DATASETS.SHARES weighs data sets"
        )
    wide = [x["width"] > x["height"] for x in records] if cfg.DATALOADER.ASPECT_RATIO_GROUPING else None
    batch = max(1, cfg.SOLVER.IMS_PER_BATCH // comm.get_world_size())
    return ContinuedSampler(make, comm.shared_random_seed() if seed is None else seed, batch, wide)


class WholeBatches(Sampler[int]):
    """The photographs that this process evaluates: whole batches of those that one process would make of all.

    What a network computes of a photograph differs in the last bits with what else is in the batch.

    Args:
        size: of the data set.
        batch: photographs.
    """

    def __init__(self, size: int, batch: int):
        places = (range(x * batch, min((x + 1) * batch, size)) for x in InferenceSampler(-(-size // batch)))
        self._places = list(itertools.chain(*places))

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class KnownBatches:
    """A loader's batches, of which the last one's photographs, those of all processes, are known by name.

    Args:
        loader: Detectron2's.
        sampler: that it draws from.
    """

    def __init__(self, loader: Iterable[list[dict]], sampler: ContinuedSampler):
        self.loader, self.sampler = loader, sampler
        self.photographs: list[str] = []

    def __iter__(self) -> Iterator[list[dict]]:
        with torch.random.fork_rng(devices=[]):  # a loader draws a number, which a resumed run would draw once more
            if self.sampler.start:  # else processes that load would draw what they drew at the run's beginning
                torch.manual_seed(torch.initial_seed() + self.sampler.start)
            batches = iter(self.loader)
        for batch in batches:
            own = [str(x.get("file_name", "")) for x in batch]
            self.photographs = list(itertools.chain(*comm.all_gather(own)))  # whose loss it is, is not known later
            yield batch


class ContinueOrder(HookBase):
    """Goes on with the order of photographs, and with the random numbers of augmentation, where a checkpoint left them.

    With one process and DATALOADER.NUM_WORKERS 0 a run that was resumed is then the same to the bit as one that was
    never interrupted. Processes that load ahead draw their augmentations anew; the photographs are the same.

    Args:
        sampler: the loader's.
        batch: photographs a step, of all processes.
    """

    def __init__(self, sampler: ContinuedSampler, batch: int):
        self.sampler, self.batch = sampler, batch
        self.seen = 0
        self._random: dict[str, Any] | None = None

    def before_train(self) -> None:
        # Checkpoints of before know no number.
        self.seen = self.seen or self.trainer.start_iter * self.batch
        self.sampler.start = self.seen // comm.get_world_size()
        if self._random is not None and comm.get_world_size() == 1:
            set_random_state(self._random)
        elif self.seen:  # several would all draw the same; each goes on otherwise than it began
            seed_all_rng(torch.initial_seed() % 2**31 + self.seen)

    def after_step(self) -> None:
        self.seen += self.batch

    def state_dict(self) -> dict:
        return {"seed": self.sampler.seed, "seen": self.seen, "random": random_state()}

    def load_state_dict(self, state: dict) -> None:
        self.sampler.seed, self.seen, self._random = state["seed"], state["seen"], state["random"]


def random_state() -> dict[str, Any]:
    """Where the random numbers of Python, NumPy and PyTorch (on the CPU) stand, as tensors and plain values."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    version, numbers, next_gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "numpy": [str(name), torch.from_numpy(np.asarray(keys, np.int64)), int(position), int(has_gauss), float(gauss)],
        "python": [version, torch.tensor(numbers, dtype=torch.int64), next_gauss],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """The inverse of `random_state`."""
    torch.set_rng_state(state["torch"])
    name, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    version, numbers, next_gauss = state["python"]
    random.setstate((version, tuple(numbers.tolist()), next_gauss))


def _alike(drawn: Iterator[int], wide: Sequence[bool], batch: int) -> Iterator[int]:
    waiting: dict[bool, list[int]] = {True: [], False: []}
    for index in drawn:
        same = waiting[bool(wide[index])]
        same.append(index)
        if len(same) == batch:
            yield from same
            same.clear()


def _shuffled(size: int, seed: int) -> TrainingSampler:
    return TrainingSampler(size, seed=seed)


def _repeated(factors: torch.Tensor, seed: int) -> RepeatFactorTrainingSampler:
    return RepeatFactorTrainingSampler(factors, seed=seed)
