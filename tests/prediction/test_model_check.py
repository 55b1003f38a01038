"""FundusPredictor and models of others: Mask R-CNN in any precision, and those that know no disc are refused."""

import numpy as np
import pytest
import torch
from detectron2 import model_zoo
from detectron2.config import get_cfg
from detectron2.modeling import build_model

import fundus_plugins
from tests.conftest import SMALL


def mask_rcnn(*options):
    return fundus_plugins.get_fundus_cfg("baselines/mask_rcnn_refuge.yaml", [*SMALL, *options])


def stock(name):
    cfg = get_cfg()
    fundus_plugins.add_fundus_config(cfg)
    cfg.merge_from_file(model_zoo.get_config_file(name))
    cfg.MODEL.DEVICE, cfg.MODEL.WEIGHTS, cfg.MODEL.RESNETS.DEPTH, cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = (
        "cpu",
        "",
        18,
        64,
    )
    return cfg


def test_mask_rcnn_in_bfloat16(tmp_path, photograph):
    cfg = mask_rcnn("MODEL.ROI_HEADS.SCORE_THRESH_TEST", 0.0)
    torch.manual_seed(0)
    cfg.MODEL.WEIGHTS = str(tmp_path / "model.pth")
    model = build_model(cfg)
    torch.nn.init.constant_(model.roi_heads.box_predictor.cls_score.bias[:1], 1.0)  # it sees discs
    torch.save({"model": model.state_dict()}, cfg.MODEL.WEIGHTS)
    found = {}
    for precision in ("float32", "bfloat16"):
        cfg.TEST.PRECISION = precision
        found[precision] = fundus_plugins.FundusPredictor(cfg)(photograph)
    assert found["bfloat16"].score == pytest.approx(found["float32"].score, abs=0.02)
    assert np.isfinite(found["bfloat16"].score) and found["bfloat16"].disc.shape == photograph.shape[:2]


@pytest.mark.parametrize(
    "name, found",
    [
        ("COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_1x.yaml", "two classes, 0 the disc.*NUM_CLASSES is 80"),
        ("COCO-Detection/faster_rcnn_R_50_FPN_1x.yaml", "MODEL.MASK_ON False. outlines nothing"),
        ("COCO-Detection/retinanet_R_50_FPN_1x.yaml", "wants a disc and a cup with masks; RetinaNet gives none"),
    ],
)
def test_models_that_know_no_disc(name, found):
    """Before their weights are looked for."""
    with pytest.raises(ValueError, match=found):
        fundus_plugins.FundusPredictor(stock(name))


def test_a_grader_and_three_structures(small_cfg):
    with pytest.raises(ValueError, match="RankingCNN gives none"):
        options = ["MODEL.FUNDUS_TIMM.NAME", "mobilenetv1_100", "MODEL.FUNDUS_TIMM.PRETRAINED", False]
        fundus_plugins.FundusPredictor(fundus_plugins.get_fundus_cfg("ranking_cnn.yaml", options))
    small_cfg.MODEL.RFNET.CLASSES, small_cfg.MODEL.ROI_HEADS.NUM_CLASSES = ["a", "b", "c"], 3
    with pytest.raises(ValueError, match="expected disc and cup, found 3 structures"):
        fundus_plugins.FundusPredictor(small_cfg)


@pytest.mark.parametrize("view", [("TEST.FLIPS", "horizontal"), ("TEST.CROP", 0.4)])
def test_several_views_are_rf_nets(tmp_path, view):
    cfg = mask_rcnn(*view)
    cfg.MODEL.WEIGHTS = str(tmp_path / "model.pth")
    torch.save({"model": build_model(cfg).state_dict()}, cfg.MODEL.WEIGHTS)
    with pytest.raises(
        ValueError, match="TEST.FLIPS and TEST.CROP want RFNetROIHeads of disc and cup; found StandardROI"
    ):
        fundus_plugins.FundusPredictor(cfg)


def test_discs_alone(tmp_path, small_cfg, photograph):
    cfg = small_cfg
    cfg.MODEL.RFNET.CLASSES, cfg.MODEL.ROI_HEADS.NUM_CLASSES = ["disc"], 1
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST, cfg.MODEL.WEIGHTS = 0.0, str(tmp_path / "model.pth")
    torch.save({"model": build_model(cfg).state_dict()}, cfg.MODEL.WEIGHTS)
    prediction = fundus_plugins.FundusPredictor(cfg)(photograph)
    assert prediction.score > 0 and not prediction.cup.any()
