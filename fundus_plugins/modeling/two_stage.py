"""Grading with two stages: the class activation maps of a frozen first stage mask the picture the second one reads."""

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import nn

from fundus_plugins.modeling.ranking_cnn import GradingCNN, RankingCNN, SoftmaxCNN, stack_images
from fundus_plugins.weights.loading import load_trained_weights

STARTS = ("timm", "stage1")


class TwoStage(nn.Module):
    """Stage 1 predicts a grade; its mask filter times the photograph is what stage 2 grades (section 2.2).

    Input and output are those of `GradingCNN`; a photograph's dict has `stage1_grade`, too. Stage 1 is frozen: no
    gradients, and always in evaluation mode. (Where training autocasts, stage 1 computes in that precision, too.)

    Args:
        stage1: trained, with the head that gives class activation maps.
        stage2: of any head.

    From a config, MODEL.GRADING.STAGE2_START "stage1" gives stage 2 the trunks of stage 1 to start from; the paper's
    start, "timm", is that of every other network. Raises ValueError for another name.
    """

    stage_class: type[GradingCNN]

    @configurable
    def __init__(self, *, stage1: GradingCNN, stage2: GradingCNN):
        super().__init__()
        self.stage1 = stage1.requires_grad_(False).eval()
        self.stage2 = stage2

    @classmethod
    def from_config(cls, cfg):
        trained, start = bool(cfg.MODEL.GRADING.STAGE1_WEIGHTS), cfg.MODEL.GRADING.STAGE2_START
        if start not in STARTS:
            raise ValueError(f"MODEL.GRADING.STAGE2_START {start!r}: expected one of {', '.join(STARTS)}")
        first = stage1_config(cfg, cls.stage_class)
        if trained:  # no other weights to fetch
            first.MODEL.TIMM.PRETRAINED, first.MODEL.TIMM.WEIGHTS = False, ""
        stage1 = cls.stage_class(first)
        if trained:
            load_trained_weights(stage1, cfg.MODEL.GRADING.STAGE1_WEIGHTS, key="MODEL.GRADING.STAGE1_WEIGHTS")
        stage2 = cls.stage_class(cfg)
        if start == "stage1":
            for first_network, second_network in zip(stage1.networks, stage2.networks, strict=True):
                second_network.trunk.load_state_dict(first_network.trunk.state_dict())
        return {"stage1": stage1, "stage2": stage2}

    @property
    def grades(self) -> list[str]:
        return self.stage2.grades

    @property
    def device(self) -> torch.device:
        return self.stage2.device

    def train(self, mode: bool = True):
        super().train(mode)
        self.stage1.eval()
        return self

    def forward(self, batched_inputs: list[dict]) -> dict[str, torch.Tensor] | list[dict]:
        images = stack_images(batched_inputs, self.device)
        with torch.no_grad():
            found, mask, _ = self.stage1.mask_filters(images)
        outputs = self.stage2.grade_images(images * mask, batched_inputs)
        if isinstance(outputs, list):  # in training they are losses
            for output, grade in zip(outputs, found.grade.tolist(), strict=True):
                output["stage1_grade"] = grade
        return outputs


@META_ARCH_REGISTRY.register()
class TwoStageRankingCNN(TwoStage):
    """2sRanking-CNN."""

    stage_class = RankingCNN


@META_ARCH_REGISTRY.register()
class TwoStageSoftmaxCNN(TwoStage):
    """2s-CNN: the two stages around a plain softmax CNN (the paper's future work)."""

    stage_class = SoftmaxCNN


def stage1_config(cfg: CfgNode, stage_class: type[GradingCNN]) -> CfgNode:
    """The config of stage 1 alone: its architecture, and the head that gives class activation maps."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.META_ARCHITECTURE = stage_class.__name__
    cfg.MODEL.GRADING.FC_DIM = 0
    return cfg
