"""Shared pieces: a small RF-Net and small fundus-like inputs with exact masks."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import fundus_plugins  # noqa: E402
from fundus_plugins.data.converters import CONVERTERS  # noqa: E402
from fundus_plugins.data.converters.convert import convert_dataset  # noqa: E402
from fundus_plugins.data.phantom import write_refuge_layout  # noqa: E402
from fundus_plugins.data.structures import DiscCupMasks  # noqa: E402

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"  # real data, where there is any
SIDE = 128

SMALL = [
    "MODEL.FPN.SQUARE_PAD", SIDE, "MODEL.FPN.OUT_CHANNELS", 16, "MODEL.ROI_MASK_HEAD.CONV_DIM", 16,
    "MODEL.ROI_BOX_HEAD.FC_DIM", 32, "MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE", 16,
    "MODEL.ANCHOR_GENERATOR.SIZES", [[16], [32], [64], [128]],
    "INPUT.MIN_SIZE_TRAIN", (SIDE,), "INPUT.MAX_SIZE_TRAIN", SIDE,
    "INPUT.MIN_SIZE_TEST", SIDE, "INPUT.MAX_SIZE_TEST", SIDE,
    "DATALOADER.NUM_WORKERS", 0, "SOLVER.IMS_PER_BATCH", 2,
]  # fmt: skip


def small_config():
    """RF-Net's base config at 128 pixels and 16 channels."""
    return fundus_plugins.get_fundus_cfg(str(ROOT / "configs" / "Base-RFNet.yaml"), SMALL)


# A grading model at 64 pixels over a small network.
SMALL_GRADING = [
    "MODEL.FUNDUS_TIMM.NAME", "mobilenetv1_100", "MODEL.FUNDUS_TIMM.PRETRAINED", False, "MODEL.GRADING.FC_DIM", 16,
    "INPUT.SQUARE_SIZE", 64, "DATALOADER.NUM_WORKERS", 0, "SOLVER.IMS_PER_BATCH", 2,
]  # fmt: skip


def grading_config(name: str, *options):
    """One of the grading configs (its file's name), made small."""
    return fundus_plugins.get_fundus_cfg(str(ROOT / "configs" / f"{name}.yaml"), [*SMALL_GRADING, *options])


@pytest.fixture
def small_cfg():
    return small_config()


@pytest.fixture
def detecting_cfg(small_cfg, tmp_path):
    """A config whose checkpoint is a model with batch norms that have seen something, and which detects."""
    torch.manual_seed(0)
    model = build_model(small_cfg)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(layer.running_var, 0.5, 2)
    torch.nn.init.normal_(model.roi_heads.mask_head.predictor.weight, std=0.3)  # masks of some shape
    torch.save({"model": model.state_dict()}, tmp_path / "model.pth")
    small_cfg.MODEL.WEIGHTS = str(tmp_path / "model.pth")
    small_cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = 0.0
    small_cfg.TEST.DETECTIONS_PER_IMAGE = 1
    return small_cfg


@pytest.fixture
def photograph():
    rng = np.random.default_rng(0)
    return cv2.resize(rng.integers(0, 255, (12, 15, 3)).astype(np.uint8), (2 * SIDE, 3 * SIDE // 2))


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory) -> Path:
    """A folder for DETECTRON2_DATASETS with 6, 2 and 2 phantoms of 128 pixels in `phantom_{train,val,test}`."""
    root = tmp_path_factory.mktemp("datasets")
    raw = root / "phantom" / "raw"
    write_refuge_layout(raw, train=6, val=2, test=2, size=SIDE, seed=3)
    convert_dataset(CONVERTERS["refuge"], raw, root / "phantom")
    return root


def disk(height: int, width: int, row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def training_input(
    *, disc: bool = True, cup_known: bool = True, height: int = 110, width: int = SIDE, seed: int = 0
) -> dict:
    """What DiscCupMapper gives in training, with a round bright disc of radius 24 and a cup of radius 12."""
    rng = np.random.default_rng(seed)
    image = rng.integers(20, 90, (3, height, width)).astype(np.uint8)
    masks = np.stack([disk(height, width, 50, 60, 24), disk(height, width, 50, 60, 12) & cup_known])
    if disc:
        image[:, masks[0]] += 80
        image[:, masks[1]] += 60
    instances = Instances((height, width))
    instances.gt_boxes = Boxes(torch.tensor([[36.0, 26.0, 85.0, 75.0]]))
    instances.gt_classes = torch.zeros(1, dtype=torch.int64)
    instances.gt_disc_cup = DiscCupMasks(
        torch.from_numpy(masks[None].astype(np.uint8)), torch.tensor([[True, cup_known]])
    )
    return {
        "image": torch.from_numpy(image),
        "height": height * 2,
        "width": width * 2,
        "instances": instances if disc else instances[:0],
    }
