"""Our pooler and mask head for a cell, its nucleus and the nucleolus in that, with a mapper and a data set of your own.

Any structures do that lie each within the one before: MODEL.RFNET.CLASSES names them, and the first is detected.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from detectron2.data import build_detection_test_loader, build_detection_train_loader
from detectron2.modeling import build_model
from detectron2.structures import BitMasks, Instances
from plain_loop import train

import fundus_plugins
from fundus_plugins import DiscCupMasks

SIDE = 128
CLASSES = ["cell", "nucleus", "nucleolus"]


def draw_records(folder: Path, number: int) -> list[dict]:
    """Pictures of one cell each, and where it is: middle and three radii."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    records = []
    for i in range(number):
        x, y = (int(v) for v in rng.integers(48, 80, 2))
        radii = [int(rng.integers(24, 32)), 14, 6]
        picture = rng.integers(0, 40, (SIDE, SIDE, 3)).astype(np.uint8)
        for radius, grey in zip(radii, (90, 160, 250)):
            cv2.circle(picture, (x, y), radius, (grey, grey, grey), -1)
        path = folder / f"cell{i}.png"
        cv2.imwrite(str(path), picture)
        circles = {"middle": (x, y), "radii": radii}
        records.append({"file_name": str(path), "image_id": i, "height": SIDE, "width": SIDE} | circles)
    return records


def to_model_input(record: dict) -> dict:
    """The mapper: a record to what RFNetROIHeads learn from."""
    image = cv2.imread(record["file_name"])[..., ::-1]
    masks = np.zeros((1, len(CLASSES), SIDE, SIDE), np.uint8)  # one cell
    for mask, radius in zip(masks[0], record["radii"]):
        cv2.circle(mask, record["middle"], radius, 1, -1)
    masks = torch.from_numpy(masks)
    targets = Instances((SIDE, SIDE))
    targets.gt_boxes = BitMasks(masks[:, 0].bool()).get_bounding_boxes()
    targets.gt_classes = torch.zeros(1, dtype=torch.int64)  # the detector knows one class
    targets.gt_disc_cup = DiscCupMasks(masks, known=torch.ones(1, len(CLASSES), dtype=torch.bool))
    picture = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    return {"image": picture, "height": SIDE, "width": SIDE, "instances": targets}


def main(output: Path) -> None:
    cfg = fundus_plugins.get_fundus_cfg("Base-RFNet.yaml")
    cfg.MODEL.RFNET.CLASSES = CLASSES
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = len(CLASSES)
    cfg.MODEL.FUNDUS_TIMM.WEIGHTS = "fundus://mobilenetv1_100_imagenet.safetensors"
    cfg.MODEL.FPN.SQUARE_PAD, cfg.MODEL.FPN.OUT_CHANNELS = SIDE, 32
    cfg.MODEL.ROI_MASK_HEAD.CONV_DIM, cfg.MODEL.ROI_BOX_HEAD.FC_DIM = 32, 64
    cfg.MODEL.ROI_MASK_HEAD.POOLER_RESOLUTION, cfg.MODEL.RFNET.MASK_LOSS = 28, "bce_dice"
    cfg.MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE, cfg.MODEL.RPN.POST_NMS_TOPK_TRAIN = 32, 200
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST, cfg.TEST.DETECTIONS_PER_IMAGE = 0.0, len(CLASSES)
    cfg.SOLVER.BASE_LR, cfg.SOLVER.MAX_ITER, cfg.SOLVER.STEPS, cfg.SOLVER.WARMUP_ITERS = 0.005, 40, (), 20
    torch.manual_seed(0)
    model = build_model(cfg)
    records = draw_records(output / "cells", number=4)
    options = {"mapper": to_model_input, "num_workers": 0}
    sampler = torch.utils.data.RandomSampler(records, replacement=True, num_samples=100)
    losses = train(cfg, model, build_detection_train_loader(records, sampler=sampler, total_batch_size=2, **options))
    model.eval()
    with torch.no_grad():
        found = model(next(iter(build_detection_test_loader(records, **options))))[0]["instances"]
    cell, nucleus, nucleolus = found.pred_masks[:3]
    assert found.pred_classes[:3].tolist() == [0, 1, 2]
    assert not (nucleus & ~cell).any() and not (nucleolus & ~nucleus).any()
    sizes = ", ".join(f"{name} {int(mask.sum())} pixels" for name, mask in zip(CLASSES, found.pred_masks))
    print(f"loss {losses[0]:.2f} -> {losses[-1]:.2f}; the best cell: {sizes}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "output/examples"))
