"""The peers: Detectron2's and torchvision's Mask R-CNN R50-FPN, and a U-Net, with random weights."""

from functools import partial

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from detectron2 import model_zoo
from detectron2.config import get_cfg
from detectron2.data import transforms as T
from detectron2.data.detection_utils import read_image
from detectron2.modeling import build_model
from torchvision.models.detection import maskrcnn_resnet50_fpn
from torchvision.transforms.functional import to_tensor

from benchmarks.contender import Contender, Masks
from benchmarks.rfnet import RCNN_PARTS, type_name
from benchmarks.settings import Settings
from fundus_plugins.data.structures import best_disc_and_cup
from fundus_plugins.photographs.photograph import read_photograph

MASK_RCNN = "COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml"


def peer_contenders(settings: Settings) -> dict:
    """Name to a function that builds the Contender; it raises ImportError where an extra is missing.

    A Mask R-CNN gives disc and cup a box each, so it is made to find twice as many boxes as RF-Net.
    """
    side, boxes = settings.input_side(), 2 * settings.boxes
    builders = {
        "Detectron2 Mask R-CNN R50-FPN": partial(build_detectron2, side, boxes),
        "torchvision Mask R-CNN R50-FPN": partial(build_torchvision, side, boxes),
    }
    for precision in (torch.float32, torch.bfloat16):
        builders[f"U-Net resnet34, {type_name(precision)}"] = partial(build_unet, side, precision)
    return builders


def build_detectron2(side: int, boxes: int) -> Contender:
    """Detectron2's stock Mask R-CNN, two classes."""
    cfg = get_cfg()
    cfg.merge_from_file(model_zoo.get_config_file(MASK_RCNN))
    cfg.MODEL.WEIGHTS, cfg.MODEL.DEVICE = "", "cpu"
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = 2
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST, cfg.TEST.DETECTIONS_PER_IMAGE = 0.0, boxes
    cfg.MODEL.PIXEL_STD = [255.0] * 3  # its frozen batch norms do not normalise: random weights want a small input
    torch.manual_seed(0)
    model = build_model(cfg).eval()
    resize = T.ResizeShortestEdge([side] * 2, side)

    def prepare(path: str) -> dict:
        image = read_image(path, format=cfg.INPUT.FORMAT)
        resized = resize.get_transform(image).apply_image(image)
        tensor = torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)))
        return {"image": tensor, "height": image.shape[0], "width": image.shape[1]}

    def predict(prepared: dict) -> Masks:
        with torch.inference_mode():
            instances = model([prepared])[0]["instances"]
        return best_disc_and_cup(instances, (prepared["height"], prepared["width"]))[:2]

    return Contender(model, RCNN_PARTS, torch.float32, prepare, predict)


def build_torchvision(side: int, boxes: int) -> Contender:
    """torchvision's Mask R-CNN, two classes and the background; its own transform resizes."""
    torch.manual_seed(0)
    model = maskrcnn_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=3,
        min_size=side,
        max_size=side,
        box_score_thresh=0.0,
        box_detections_per_img=boxes,
    ).eval()

    def prepare(path: str) -> tuple:
        image = to_tensor(read_photograph(path))
        with torch.inference_mode():
            return model.transform([image])[0], tuple(image.shape[1:])

    def predict(prepared: tuple) -> Masks:
        images, size = prepared
        with torch.inference_mode():
            features = model.backbone(images.tensors)
            proposals, _ = model.rpn(images, features)
            found, _ = model.roi_heads(features, proposals, images.image_sizes)
            found = model.transform.postprocess(found, images.image_sizes, [size])[0]
        return tuple(_best_mask(found, label, size) for label in (1, 2))

    parts = {
        "trunk": "backbone.body",
        "FPN": "backbone",
        "RPN": "rpn",
        "box head": "roi_heads.box",
        "mask head": "roi_heads.mask",
    }
    return Contender(model, parts, torch.float32, prepare, predict)


def _best_mask(found: dict, label: int, size: tuple[int, int]) -> np.ndarray:
    """Of what torchvision found, sorted by score, the first with that label; empty without one."""
    rows = (found["labels"] == label).nonzero()
    return (found["masks"][rows[0, 0], 0] > 0.5).numpy() if len(rows) else np.zeros(size, dtype=bool)


def build_unet(side: int, precision: torch.dtype) -> Contender:
    """segmentation_models_pytorch's U-Net, a channel for the disc and one for the cup; channels-last in bfloat16."""
    try:
        import segmentation_models_pytorch as smp
    except ImportError as error:
        raise ImportError(f"not installed ({error.name}): pip install -e '.[bench]'") from error
    torch.manual_seed(0)
    model = smp.Unet("resnet34", encoder_weights=None, classes=2).eval()
    if precision != torch.float32:
        model = model.to(precision, memory_format=torch.channels_last)

    def prepare(path: str) -> tuple:
        image = read_photograph(path)
        height, width = image.shape[:2]
        scale = side / max(height, width)
        inner = round(height * scale), round(width * scale)
        resized = cv2.resize(image, inner[::-1], interpolation=cv2.INTER_AREA)
        padded = np.zeros((side, side, 3), np.uint8)
        padded[: inner[0], : inner[1]] = resized
        return to_tensor(padded)[None], inner, (height, width)

    def predict(prepared: tuple) -> Masks:
        x, inner, size = prepared
        if precision != torch.float32:
            x = x.to(precision, memory_format=torch.channels_last)
        with torch.inference_mode():
            logits = model(x).float()[:, :, : inner[0], : inner[1]]
            masks = F.interpolate(logits, size, mode="bilinear")[0] > 0
        return masks[0].numpy(), masks[1].numpy()

    return Contender(model, {"trunk": "encoder", "decoder": ""}, precision, prepare, predict)
