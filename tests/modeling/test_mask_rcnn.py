"""The Mask R-CNN baseline: Detectron2's own parts on our data."""

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog, DatasetMapper
from detectron2.modeling import build_model
from detectron2.modeling.roi_heads import StandardROIHeads
from detectron2.utils.env import seed_all_rng
from detectron2.utils.events import EventStorage

import fundus_plugins
from fundus_plugins.data.augmentation import build_fundus_augmentations
from tests.conftest import ROOT, SMALL


@pytest.fixture
def cfg(phantoms):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    config = str(ROOT / "configs" / "baselines" / "mask_rcnn_refuge.yaml")
    return fundus_plugins.get_fundus_cfg(config, [*SMALL, "DATASETS.TRAIN", ("phantom_train",), "SEED", 1])


def test_learns_from_disc_and_cup_with_every_parameter(cfg):
    seed_all_rng(0)  # the photographs are drawn with NumPy's numbers
    model = build_model(cfg)
    assert type(model.roi_heads) is StandardROIHeads and model.roi_heads.num_classes == 2
    loader = fundus_plugins.FundusTrainer.build_train_loader(cfg)
    batch = next(iter(loader))
    assert all(x["instances"].gt_classes.tolist() == [0, 1] for x in batch)
    with EventStorage():
        losses = model(batch)
    sum(losses.values()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []
    # Both classes have a mask and a box of their own.
    assert all(weight.any() for weight in model.roi_heads.mask_head.predictor.weight.grad)
    boxes = model.roi_heads.box_predictor.bbox_pred.weight.grad
    assert boxes.shape[0] == 8 and boxes[:4].any() and boxes[4:].any()


def test_gives_what_the_evaluator_reads(cfg):
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = 0.0
    model = build_model(cfg).eval()
    loader = fundus_plugins.FundusTrainer.build_test_loader(cfg, "phantom_val")
    evaluator = fundus_plugins.DiscCupEvaluator("phantom_val")
    evaluator.reset()
    for inputs in loader:
        with torch.no_grad():
            outputs = model(inputs)
        assert set(outputs[0]["instances"].pred_classes.tolist()) <= {0, 1}
        evaluator.process(inputs, outputs)
    assert 0 <= evaluator.evaluate()["disc_cup"]["dice_od"] <= 1


def test_targets_are_those_of_detectron2s_own_mapper(cfg):
    record = DatasetCatalog.get("phantom_train")[0]
    augmentations = build_fundus_augmentations(cfg, True)
    torch.manual_seed(0)
    np.random.seed(0)
    ours = fundus_plugins.data.mapper.build_fundus_mapper(cfg, True)(record)
    np.random.seed(0)
    theirs = DatasetMapper(cfg, True, augmentations=augmentations, recompute_boxes=True)(record)
    assert torch.equal(ours["image"], theirs["image"])
    assert torch.equal(ours["instances"].gt_boxes.tensor, theirs["instances"].gt_boxes.tensor)
    assert torch.equal(ours["instances"].gt_classes, theirs["instances"].gt_classes)
    assert torch.equal(ours["instances"].gt_masks.tensor, theirs["instances"].gt_masks.tensor)


def test_training_targets_are_named_by_a_key(cfg):
    build = fundus_plugins.data.mapper.build_fundus_mapper
    assert type(build(cfg, True)) is fundus_plugins.data.mapper.DiscAndCupMapper
    cfg.INPUT.TARGETS = "disc_cup"
    assert isinstance(build(cfg, True), fundus_plugins.DiscCupMapper)
    cfg.INPUT.TARGETS = "both"
    with pytest.raises(ValueError, match="INPUT.TARGETS 'both': expected disc_cup or instances"):
        build(cfg, True)
