"""Training steps of RF-Net: the stock path against ours, on a batch whose positives lie on the disc."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data.detection_utils import read_image
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage
from torch import nn

from benchmarks.rfnet import type_name, use_stock_roi_align
from benchmarks.settings import Settings
from fundus_plugins.data.structures import DiscCupMasks
from fundus_plugins.engine.autocast import CPUAutocastTrainer
from fundus_plugins.engine.memory import keep_freed_memory
from fundus_plugins.engine.precision import resolve_precision
from fundus_plugins.engine.trainer import FundusTrainer

SETTLED = 60  # proposals of an image that lie on the disc: enough for a quarter of 200 RoIs
JITTER = 0.1  # of the disc's size, each side of a proposal is off by at most so much
LEARNING_RATE = 1e-5  # the weights stay what they are, so every step does the same work


@dataclass(frozen=True)
class Training:
    """
    Attributes:
        model: without the wrapper that settles its proposals.
        precision: what its convolutions compute in.
        step: one training step on the batch.
    """

    model: nn.Module
    precision: torch.dtype
    step: Callable[[], None]


class SettledProposals(nn.Module):
    """Runs a proposal generator, then puts copies of the disc's box, jittered, in the place of its best proposals.

    So an untrained model trains its box and mask heads on as many positives as one that has learnt to find the disc.
    """

    def __init__(self, generator: nn.Module):
        super().__init__()
        self.generator = generator

    def forward(self, images, features, gt_instances):
        proposals, losses = self.generator(images, features, gt_instances)
        random = torch.Generator().manual_seed(0)
        for proposed, truth in zip(proposals, gt_instances):
            disc = truth.gt_boxes.tensor[:1]
            size = (disc[:, 2:] - disc[:, :2]).repeat(1, 2)
            count = min(SETTLED, len(proposed))
            offsets = (2 * torch.rand(count, 4, generator=random) - 1) * JITTER
            boxes = proposed.proposal_boxes.tensor.clone()
            boxes[:count] = disc + offsets * size
            proposed.proposal_boxes = Boxes(boxes)
        return proposals, losses


def training_contenders(settings: Settings, photographs: list[str]) -> dict:
    """Name to a function that builds the Training: for each config the stock path, then ours in each precision."""
    builders = {}
    for name, cfg in settings.configs().items():
        cfg.MODEL.WEIGHTS = ""
        cfg.SOLVER.BASE_LR = LEARNING_RATE
        cfg.MODEL.RFNET.MASK_ROIS_PER_IMAGE = cfg.MODEL.RFNET.MASK_ROIS_PER_IMAGE or settings.mask_rois
        batch = partial(training_batch, photographs, cfg.SOLVER.IMS_PER_BATCH, cfg.INPUT.MAX_SIZE_TRAIN)
        builders[f"RF-Net {name}, stock path"] = partial(build_step, cfg, batch, torch.float32, stock=True)
        for precision in dict.fromkeys((torch.float32, resolve_precision("auto", "cpu"))):
            builders[f"RF-Net {name}, ours, {type_name(precision)}"] = partial(build_step, cfg, batch, precision)
    return builders


def build_step(
    cfg: CfgNode, batch: Callable[[], list[dict]], precision: torch.dtype, *, stock: bool = False
) -> Training:
    """The step of our trainer; `stock`: contiguous memory and torchvision's ROIAlign."""
    torch.manual_seed(0)
    keep_freed_memory(of_any_size=True)  # as the trainer does; of the whole process, and so for the stock path, too
    if stock:
        model = build_model(cfg)
        use_stock_roi_align(model)
    else:
        model = FundusTrainer.build_model(cfg)
    model.proposal_generator = SettledProposals(model.proposal_generator)
    model.train()
    optimizer = FundusTrainer.build_optimizer(cfg, model)
    trainer = CPUAutocastTrainer(model, itertools.repeat(batch()), optimizer, precision)

    def step():
        with EventStorage():
            trainer.run_step()

    return Training(model, precision, step)


def training_batch(photographs: list[str], count: int, side: int) -> list[dict]:
    """What DiscCupMapper gives for `count` photographs at `side` pixels, each with a round disc near its middle.

    The discs are not the photographs' own, for their place costs nothing; their size, a fifth of the height, is usual.
    """
    return [_training_input(path, side) for path in itertools.islice(itertools.cycle(photographs), count)]


def _training_input(path: str, side: int) -> dict:
    image = read_image(path, format="RGB")
    scale = side / max(image.shape[:2])
    image = cv2.resize(image, (round(image.shape[1] * scale), round(image.shape[0] * scale)))
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows - height / 2, columns - width / 3) / (height / 10)
    masks = torch.from_numpy(np.stack([distance <= 1, distance <= 0.5]).astype(np.uint8))
    inside = masks[0].nonzero()
    (top, left), (bottom, right) = inside.amin(0).tolist(), (inside.amax(0) + 1).tolist()
    instances = Instances((height, width))
    instances.gt_boxes = Boxes(torch.tensor([[left, top, right, bottom]], dtype=torch.float32))
    instances.gt_classes = torch.zeros(1, dtype=torch.int64)
    instances.gt_disc_cup = DiscCupMasks(masks[None], torch.ones(1, 2, dtype=torch.bool))
    tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    return {"image": tensor, "height": height, "width": width, "instances": instances}
