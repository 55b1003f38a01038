"""What the tests' processes do, and a set of five photographs, which neither two nor three can share evenly."""

import os
import signal
from pathlib import Path

import torch
import torch.distributed as dist
from detectron2.utils import comm

import fundus_plugins
from fundus_plugins.data.converters import CONVERTERS
from fundus_plugins.data.converters.convert import convert_dataset
from fundus_plugins.data.phantom import write_refuge_layout
from fundus_plugins.engine.statistics import average_statistics
from fundus_plugins.engine.train import train
from fundus_plugins.engine.trainer import FundusTrainer
from fundus_plugins.modeling.roi_heads import RFNetROIHeads
from tests.conftest import SIDE


def draw_five(root: Path) -> Path:
    """A folder for DETECTRON2_DATASETS with 12 and 5 phantoms of 128 pixels in `phantom_{train,val}`."""
    raw = root / "phantom" / "raw"
    write_refuge_layout(raw, train=12, val=5, test=0, size=SIDE, seed=3)
    convert_dataset(CONVERTERS["refuge"], raw, root / "phantom")
    return root


def train_and_tell(cfg, root: str, resume: bool = False) -> None:
    """Train, and leave each step's photographs, of all processes, in `<OUTPUT_DIR>/steps.txt`, its loss beside it."""
    fundus_plugins.register_fundus_datasets(root)
    step = FundusTrainer.run_step

    def run_step(self):
        step(self)
        if comm.is_main_process():
            names = sorted(os.path.basename(x) for x in self._trainer.data_loader.photographs)
            with open(os.path.join(cfg.OUTPUT_DIR, "steps.txt"), "a") as file:
                file.write(f"{self.iter} {' '.join(names)}\n")
            with open(os.path.join(cfg.OUTPUT_DIR, "losses.txt"), "a") as file:
                file.write(f"{self.storage.latest()['total_loss'][0]!r}\n")

    FundusTrainer.run_step = run_step
    try:
        train(cfg, resume=resume)
    finally:
        FundusTrainer.run_step = step


def lose(cfg, root: str, at: int) -> None:
    """Train, where one process's losses are no numbers."""
    fundus_plugins.register_fundus_datasets(root)
    if comm.get_rank() == at:
        forward = RFNetROIHeads.forward

        def broken(self, *args, **kwargs):
            proposals, losses = forward(self, *args, **kwargs)
            return proposals, {name: x * float("nan") for name, x in losses.items()}

        RFNetROIHeads.forward = broken
    train(cfg)


class Odd(Exception):
    """An error that cannot be sent to another process as it is."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def fail_alone(odd: bool, at: int) -> None:
    """One process fails, the others wait for it."""
    if comm.get_rank() == at:
        raise Odd(1, 2) if odd else FileNotFoundError(2, "No such file", "x.jpg")
    dist.barrier()


def die_alone(at: int) -> None:
    """One process is killed, the others wait for it."""
    if comm.get_rank() == at:
        os.kill(os.getpid(), signal.SIGKILL)
    dist.barrier()


def average(folder: str) -> None:
    """Each process leaves what a batch norm has before and after, in a file of its own."""
    torch.manual_seed(comm.get_rank())
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    model(torch.randn(2, 3, 8, 8) * (1 + comm.get_rank()))
    stages = [{key: x.clone() for key, x in model.state_dict().items()}]
    for _ in range(2):
        average_statistics(model)
        stages.append({key: x.clone() for key, x in model.state_dict().items()})
    torch.save((stages, torch.get_num_threads()), f"{folder}/{comm.get_rank()}.pth")
