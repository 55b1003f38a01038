"""Grading with two stages: a mask filter, of a frozen first stage or of the disc, times what the second one reads."""

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import nn

from fundus_plugins.modeling.disc_window import disc_windows
from fundus_plugins.modeling.ranking_cnn import Grades, GradingCNN, RankingCNN, SoftmaxCNN, stack_images
from fundus_plugins.weights.loading import load_trained_weights

STARTS = ("timm", "stage1")
MASKS = ("cam", "disc", "both", "crop", "none")
WITH_STAGE1 = ("cam", "both")
WITH_WINDOW = ("disc", "both")


class TwoStage(nn.Module):
    """Stage 1 predicts a grade; its mask filter times the photograph is what stage 2 grades (section 2.2).

    Input and output are those of `GradingCNN`; a photograph's dict has `stage1_grade`, too. Stage 1 is frozen: no
    gradients, and always in evaluation mode. (Where training autocasts, stage 1 computes in that precision, too.)

    Beside the paper's class activation maps, the mask filter may be a window about the disc (`disc_windows`), or one
    times the other. Without a class activation map there is no stage 1, and no `stage1_grade`.

    Args:
        stage1: trained, with the head that gives class activation maps; None: the mask filter is of the disc alone, or
            there is none.
        stage2: of any head.
        window_diameters: of the disc, across the window; 0: no window. Above 0 a photograph's dict has `disc_box`, as
            `GradingMapper` gives it.

    From a config, MODEL.GRADING.MASK says which there are. MODEL.GRADING.STAGE2_START "stage1" gives stage 2 the trunks
    of stage 1 to start from; the paper's start, "timm", is that of every other network. Raises ValueError for other
    names, for a start without a stage 1, and for a photograph without a disc where a window wants it.
    """

    stage_class: type[GradingCNN]

    @configurable
    def __init__(self, *, stage1: GradingCNN | None, stage2: GradingCNN, window_diameters: float = 0.0):
        super().__init__()
        self.stage1 = None if stage1 is None else stage1.requires_grad_(False).eval()
        self.stage2 = stage2
        self.window_diameters = window_diameters

    @classmethod
    def from_config(cls, cfg):
        trained, start = bool(cfg.MODEL.GRADING.STAGE1_WEIGHTS), cfg.MODEL.GRADING.STAGE2_START
        if start not in STARTS:
            raise ValueError(f"MODEL.GRADING.STAGE2_START {start!r}: expected one of {', '.join(STARTS)}")
        window = cfg.MODEL.GRADING.DISC_DIAMETERS if cfg.MODEL.GRADING.MASK in WITH_WINDOW else 0.0
        if not has_stage1(cfg):
            if trained or start == "stage1":
                raise ValueError(f"MODEL.GRADING.MASK {cfg.MODEL.GRADING.MASK}: there is no stage 1 to start from")
            return {"stage1": None, "stage2": cls.stage_class(cfg), "window_diameters": window}
        first = stage1_config(cfg, cls.stage_class)
        if trained:  # no other weights to fetch
            first.MODEL.FUNDUS_TIMM.PRETRAINED, first.MODEL.FUNDUS_TIMM.WEIGHTS = False, ""
        stage1 = cls.stage_class(first)
        if trained:
            load_trained_weights(stage1, cfg.MODEL.GRADING.STAGE1_WEIGHTS, key="MODEL.GRADING.STAGE1_WEIGHTS")
        stage2 = cls.stage_class(cfg)
        if start == "stage1":
            for first_network, second_network in zip(stage1.networks, stage2.networks, strict=True):
                second_network.trunk.load_state_dict(first_network.trunk.state_dict())
        return {"stage1": stage1, "stage2": stage2, "window_diameters": window}

    @property
    def grades(self) -> list[str]:
        return self.stage2.grades

    @property
    def device(self) -> torch.device:
        return self.stage2.device

    def train(self, mode: bool = True):
        super().train(mode)
        if self.stage1 is not None:
            self.stage1.eval()
        return self

    def forward(self, batched_inputs: list[dict]) -> dict[str, torch.Tensor] | list[dict]:
        images = stack_images(batched_inputs, self.device)
        found, mask, _ = self.mask_filters(images, batched_inputs)
        outputs = self.stage2.grade_images(images if mask is None else images * mask, batched_inputs)
        if found is not None and isinstance(outputs, list):  # in training they are losses
            for output, grade in zip(outputs, found.grade.tolist(), strict=True):
                output["stage1_grade"] = grade
        return outputs

    @torch.no_grad()
    def mask_filters(
        self, images: torch.Tensor, batched_inputs: list[dict]
    ) -> tuple[Grades | None, torch.Tensor | None, list[list[torch.Tensor]]]:
        """As `GradingCNN.mask_filters`, with the window about the disc among what the mask filter is made of.

        No grades without a stage 1, no mask filter where stage 2 reads the picture as it is.
        """
        found, mask = None, None
        parts: list[list[torch.Tensor]] = [[] for _ in batched_inputs]
        if self.stage1 is not None:
            found, mask, parts = self.stage1.mask_filters(images)
        if self.window_diameters:
            missing = [x["file_name"] for x in batched_inputs if "disc_box" not in x]
            if missing:
                raise ValueError(f"{missing[0]}: no disc_box, which MODEL.GRADING.MASK wants; see fundus find-discs")
            boxes = torch.stack([x["disc_box"] for x in batched_inputs]).to(images.device)
            windows = disc_windows(boxes, self.window_diameters, images.shape[-1])
            parts = [[*part, window[0]] for part, window in zip(parts, windows, strict=True)]
            mask = windows if mask is None else mask * windows
        return found, mask, parts


@META_ARCH_REGISTRY.register()
class TwoStageRankingCNN(TwoStage):
    """2sRanking-CNN."""

    stage_class = RankingCNN


@META_ARCH_REGISTRY.register()
class TwoStageSoftmaxCNN(TwoStage):
    """2s-CNN: the two stages around a plain softmax CNN (the paper's future work)."""

    stage_class = SoftmaxCNN


def has_stage1(cfg: CfgNode) -> bool:
    """Whether the mask filter of a two-stage config is of a stage 1. Raises ValueError for an unknown MASK."""
    mask = cfg.MODEL.GRADING.MASK
    if mask not in MASKS:
        raise ValueError(f"MODEL.GRADING.MASK {mask!r}: expected one of {', '.join(MASKS)}")
    return mask in WITH_STAGE1


def stage1_config(cfg: CfgNode, stage_class: type[GradingCNN]) -> CfgNode:
    """The config of stage 1 alone: its architecture, and the head that gives class activation maps."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.META_ARCHITECTURE = stage_class.__name__
    cfg.MODEL.GRADING.FC_DIM = 0
    cfg.MODEL.GRADING.MASK = "cam"  # "both" is what stage 2 makes of it
    return cfg
