"""Mask filters and ROI images of a trained model, photograph by photograph (the paper's Figures 2 and 5)."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from detectron2.config import CfgNode
from torch import nn

from fundus_plugins.data.disc_masks import DiscMasks
from fundus_plugins.engine.trainer import FundusTrainer
from fundus_plugins.modeling.ranking_cnn import GradingCNN, stack_images
from fundus_plugins.modeling.two_stage import TwoStage


@dataclass(frozen=True)
class Explanation:
    """What stage 1 saw in one photograph; everything in pixels of its input, a square of S.

    Attributes:
        file_name: the photograph's.
        image: (S, S, 3) uint8 RGB.
        parts: the normalised maps, (S, S) float32 from 0 to 1, whose mean is the mask filter; one or two.
        mask: the mask filter, (S, S) float32 from 0 to 1.
        disc: (S, S) bool, the ellipse of its box where no mask is known; None where neither is.
        truth: the grade's name; "" where it is not known.
        predicted: the grade that stage 1 predicts, which chose the mask filter.
    """

    file_name: str
    image: np.ndarray
    parts: list[np.ndarray]
    mask: np.ndarray
    disc: np.ndarray | None
    truth: str
    predicted: str

    @property
    def roi(self) -> np.ndarray:
        """The picture that stage 2 reads, (S, S, 3) uint8 RGB."""
        return np.rint(self.image * self.mask[..., None]).astype(np.uint8)


def explain(model: nn.Module, cfg: CfgNode, dataset_name: str) -> Iterator[Explanation]:
    """Every photograph of a registered grading set, as stage 1 of `model` sees it.

    `model` has two stages, or one with MODEL.GRADING.FC_DIM 0. Raises ValueError for another.
    """
    stage1 = model.stage1 if isinstance(model, TwoStage) else model
    if not isinstance(stage1, GradingCNN):
        raise ValueError(f"{type(model).__name__} has no class activation maps: expected a grading model")
    discs = DiscMasks(dataset_name)
    model.eval()
    for batch in FundusTrainer.build_test_loader(cfg, dataset_name):
        with torch.no_grad():
            grades, masks, parts = stage1.mask_filters(stack_images(batch, stage1.device))
        for i, x in enumerate(batch):
            yield Explanation(
                file_name=x["file_name"],
                image=x["image"].permute(1, 2, 0).numpy(),
                parts=[part.cpu().numpy() for part in parts[i]],
                mask=masks[i, 0].cpu().numpy(),
                disc=_disc(x, discs),
                truth=stage1.grades[x["grade"]] if "grade" in x else "",
                predicted=stage1.grades[int(grades.grade[i])],
            )


def _disc(x: dict, discs: DiscMasks) -> np.ndarray | None:
    """The mask beside the grades, or else the ellipse of the disc's box in the file of grades."""
    side = x["image"].shape[-1]
    if "disc_box" not in x:
        return discs.get(x["image_id"], side)
    x0, y0, x1, y1 = x["disc_box"].tolist()
    rows, columns = np.mgrid[:side, :side] + 0.5
    return ((columns - (x0 + x1) / 2) / ((x1 - x0) / 2)) ** 2 + ((rows - (y0 + y1) / 2) / ((y1 - y0) / 2)) ** 2 <= 1


def draw_explanation(explanation: Explanation) -> np.ndarray:
    """Photograph, mask filter(s), their mean if there are two, and ROI image side by side; (H, W, 3) uint8 RGB.

    The disc, where it is known, is outlined in white on the photograph.
    """
    image = np.ascontiguousarray(explanation.image.copy())
    if explanation.disc is not None:
        contours, _ = cv2.findContours(explanation.disc.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(image, contours, -1, (255, 255, 255), max(1, image.shape[0] // 256), cv2.LINE_AA)
    masks = explanation.parts if len(explanation.parts) == 1 else [*explanation.parts, explanation.mask]
    grey = [np.repeat(np.rint(mask * 255).astype(np.uint8)[..., None], 3, axis=2) for mask in masks]
    picture = np.hstack([image, *grey, explanation.roi])
    height = max(16, image.shape[0] // 16)
    caption = np.full((height, picture.shape[1], 3), 255, np.uint8)
    text = f"truth {explanation.truth or 'unknown'}, stage 1 {explanation.predicted}"
    cv2.putText(caption, text, (4, height - 4), cv2.FONT_HERSHEY_SIMPLEX, height / 36, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([caption, picture])
