"""The evaluator on anybody's predictions, a mask loss in anybody's network, the activation map of any classifier."""

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
import torchvision
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.structures import Boxes, Instances
from torch import nn

from fundus_plugins import DiscCupEvaluator, build_mask_loss
from fundus_plugins.data.coco import mask_to_rle
from fundus_plugins.modeling.cam import captured_outputs, class_activation_maps, normalise_maps, upsample_maps

SIDE = 128


def circle(x: int, y: int, radius: int) -> np.ndarray:
    return cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (x, y), radius, 1, -1)


def evaluate(output: Path) -> None:
    """A set that a function makes, its categories in any order, and predictions that are a pixel off."""
    masks = [(circle(50 + i, 60, 20), circle(50 + i, 60, 10)) for i in range(4)]

    def records() -> list[dict]:
        annotations = [
            [
                {"category_id": 1, "segmentation": mask_to_rle(disc)},
                {"category_id": 0, "segmentation": mask_to_rle(cup)},
            ]
            for disc, cup in masks
        ]
        size = {"height": SIDE, "width": SIDE}
        return [{"image_id": i, "file_name": f"{i}.png", "annotations": x, **size} for i, x in enumerate(annotations)]

    if "by_a_function" not in DatasetCatalog.list():
        DatasetCatalog.register("by_a_function", records)
        MetadataCatalog.get("by_a_function").set(thing_classes=["optic_cup", "optic_disc"])
    evaluator = DiscCupEvaluator("by_a_function", str(output))
    evaluator.reset()
    for record in records():
        disc, cup = (np.roll(mask, 1, axis=1) for mask in masks[record["image_id"]])
        found = Instances((SIDE, SIDE))
        found.pred_masks = torch.from_numpy(np.stack([disc, cup]).astype(bool))
        found.pred_boxes, found.scores = Boxes(torch.zeros(2, 4)), torch.ones(2)
        found.pred_classes = torch.tensor([0, 1])  # disc, cup
        evaluator.process([record], [{"instances": found}])
    results = evaluator.evaluate()["disc_cup"]
    print(f"evaluator: Dice of discs {results['dice_od']:.3f}, of cups {results['dice_oc']:.3f}")


def learn() -> None:
    """RF-Net's loss in a network of one convolution; the third picture's cup was not annotated."""
    torch.manual_seed(0)
    target = torch.from_numpy(np.stack([circle(64, 64, 30), circle(64, 64, 15)])).float().repeat(3, 1, 1, 1)
    known = torch.tensor([[1, 1], [1, 1], [1, 0]])
    pictures = target.sum(1, keepdim=True) + 0.1 * torch.randn(3, 1, SIDE, SIDE)
    network, loss = nn.Conv2d(1, 2, 3, padding=1), build_mask_loss("focal_dice", alpha=0.75)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    values = []
    for _ in range(10):
        value = loss(network(pictures), target, weight=known)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    print(f"loss: {values[0]:.3f} -> {values[-1]:.3f}")


def explain() -> None:
    """The class activation map of a torchvision network, and its exact tie to the logit."""
    network = torchvision.models.resnet18(num_classes=3).eval()
    with torch.no_grad(), captured_outputs(network.layer4) as outputs:
        logits = network(torch.randn(1, 3, SIDE, SIDE))
        maps = class_activation_maps(outputs[0], network.fc.weight)
        difference = (maps.mean((2, 3)) + network.fc.bias - logits).abs().max()
    picture = upsample_maps(normalise_maps(maps), (SIDE, SIDE))
    print(f"CAM: {tuple(picture.shape)}, mean and bias differ from the logit by {float(difference):.0e}")


def main(output: Path) -> None:
    evaluate(output)
    learn()
    explain()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "output/examples"))
