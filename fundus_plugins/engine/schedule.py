"""What a training run consists of: epochs turned into iterations, and a two-stage model's stages."""

import os

from detectron2.config import CfgNode
from detectron2.data import get_detection_dataset_dicts
from detectron2.modeling import META_ARCH_REGISTRY
from torch import nn

from fundus_plugins.modeling.ranking_cnn import GradingCNN
from fundus_plugins.modeling.two_stage import TwoStage, has_stage1, stage1_config


def is_grading(cfg: CfgNode) -> bool:
    """Whether the config's model gives a grade, rather than instances."""
    return issubclass(_architecture(cfg), (GradingCNN, TwoStage))


def training_stages(cfg: CfgNode) -> list[CfgNode]:
    """The configs to train one after the other, with schedules in iterations.

    One for most models. A two-stage model with class activation maps and without MODEL.GRADING.STAGE1_WEIGHTS has two:
    stage 1, which goes to `<OUTPUT_DIR>/stage1`, and stage 2 around the weights kept there as `model_best.pth`
    (section 3.1).
    Raises ValueError for two stages without epochs or a validation set, or with MODEL.WEIGHTS.
    """
    architecture = _architecture(cfg)
    if not issubclass(architecture, TwoStage) or cfg.MODEL.GRADING.STAGE1_WEIGHTS or not has_stage1(cfg):
        return [in_iterations(cfg)]
    first = stage1_config(cfg, architecture.stage_class)
    first.OUTPUT_DIR = os.path.join(cfg.OUTPUT_DIR, "stage1")
    first.SOLVER.EPOCHS = cfg.MODEL.GRADING.STAGE1_EPOCHS
    if first.SOLVER.EPOCHS < 1 or cfg.SOLVER.EPOCHS < 1:
        raise ValueError("two stages: SOLVER.EPOCHS and MODEL.GRADING.STAGE1_EPOCHS must be at least 1")
    if cfg.MODEL.WEIGHTS:
        raise ValueError(
            f"MODEL.WEIGHTS {cfg.MODEL.WEIGHTS}: a two-stage model that is trained whole starts from "
            "MODEL.FUNDUS_TIMM's weights; MODEL.GRADING.STAGE1_WEIGHTS names a trained first stage"
        )
    if not cfg.DATASETS.TEST:
        raise ValueError("two stages: DATASETS.TEST must name a set, for it chooses the weights of stage 1")
    second = cfg.clone()
    second.defrost()
    second.MODEL.GRADING.STAGE1_WEIGHTS = os.path.join(first.OUTPUT_DIR, "model_best.pth")
    return [in_iterations(first), in_iterations(second)]


def in_iterations(cfg: CfgNode) -> CfgNode:
    """A copy whose iterations follow from SOLVER.EPOCHS and the number of training photographs; 0 epochs: no change.

    An epoch is the number of photographs over the batch, rounded up. The loader draws without replacement and goes on
    across epochs, so that the last batch is full, too.
    """
    cfg = cfg.clone()
    cfg.defrost()
    epochs = cfg.SOLVER.EPOCHS
    if epochs > 0:
        photographs = len(get_detection_dataset_dicts(cfg.DATASETS.TRAIN, cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS))
        epoch = -(-photographs // cfg.SOLVER.IMS_PER_BATCH)
        cfg.SOLVER.MAX_ITER = epochs * epoch
        cfg.SOLVER.STEPS = tuple(range(epoch, epochs * epoch, epoch))
        cfg.SOLVER.CHECKPOINT_PERIOD = min(cfg.SOLVER.CHECKPOINT_PERIOD, epoch)
        cfg.TEST.EVAL_PERIOD = cfg.TEST.EVAL_PERIOD or epoch
    return cfg


def _architecture(cfg: CfgNode) -> type[nn.Module]:
    return META_ARCH_REGISTRY.get(cfg.MODEL.META_ARCHITECTURE)
