"""Our keys beside Detectron2's, and every config file of ours."""

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.modeling import build_model
from detectron2.projects.point_rend import add_pointrend_config

import fundus_plugins
from fundus_plugins.schedule import is_grading
from tests.conftest import ROOT

CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))


def test_no_default_of_detectron2_changes():
    ours = get_cfg()
    fundus_plugins.add_fundus_config(ours)

    def check(theirs, mine):
        for key, value in theirs.items():
            if hasattr(value, "items"):
                check(value, mine[key])
            else:
                assert mine[key] == value, key

    check(get_cfg(), ours)


@pytest.mark.parametrize("ours_first", [True, False])
def test_composes_with_another_project(ours_first):
    cfg = get_cfg()
    steps = [fundus_plugins.add_fundus_config, add_pointrend_config]
    for step in steps if ours_first else steps[::-1]:
        step(cfg)
    assert cfg.MODEL.RFNET.POOLING == "fusion" and cfg.MODEL.POINT_HEAD.NUM_CLASSES


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_builds_its_model(path):
    cfg = fundus_plugins.get_fundus_cfg(str(path), ["MODEL.TIMM.PRETRAINED", False])
    model = build_model(cfg)
    if is_grading(cfg):
        assert model.grades == ["normal", "suspicious", "glaucoma"]
        return
    assert model.roi_heads.mask_head.predictor.out_channels == cfg.MODEL.ROI_HEADS.NUM_CLASSES == 2


def test_paper_schedule():
    cfg = fundus_plugins.get_fundus_cfg(str(ROOT / "configs" / "rfnet_refuge.yaml"))
    assert (cfg.SOLVER.BASE_LR, cfg.SOLVER.MOMENTUM, cfg.SOLVER.GAMMA, cfg.SOLVER.IMS_PER_BATCH) == (0.01, 0.9, 0.1, 4)
    epochs = [step * cfg.SOLVER.IMS_PER_BATCH / 400 for step in (*cfg.SOLVER.STEPS, cfg.SOLVER.MAX_ITER)]
    assert epochs == [30, 60, 90, 100]
    assert cfg.MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE == 200 and cfg.MODEL.ROI_HEADS.POSITIVE_FRACTION == 0.25
    assert cfg.MODEL.RPN.POST_NMS_TOPK_TEST == 1000 and cfg.TEST.DETECTIONS_PER_IMAGE == 10
    assert (cfg.MODEL.RFNET.FOCAL_WEIGHT, cfg.MODEL.RFNET.FOCAL_ALPHA, cfg.MODEL.RFNET.FOCAL_GAMMA) == (0.3, 1.0, 3.0)


@pytest.mark.parametrize("name", ["ranking_cnn", "softmax_cnn", "2sranking_cnn", "2s_cnn"])
def test_grading_configs_are_the_papers(name):
    cfg = fundus_plugins.get_fundus_cfg(str(ROOT / "configs" / f"{name}.yaml"))
    assert (cfg.SOLVER.OPTIMIZER, cfg.SOLVER.BASE_LR, cfg.SOLVER.GAMMA) == ("RMSprop", 1e-4, 0.9)
    assert (cfg.SOLVER.EPOCHS, cfg.MODEL.GRADING.STAGE1_EPOCHS) == (50, 20)
    assert (cfg.MODEL.GRADING.FC_DIM, cfg.MODEL.GRADING.DROPOUT, cfg.MODEL.TIMM.NAME) == (2048, 0.5, "densenet121")
    assert (cfg.INPUT.SQUARE_SIZE, cfg.INPUT.RANDOM_ZOOM, cfg.INPUT.RANDOM_FLIP) == (512, 0.125, "horizontal")
    assert not cfg.INPUT.CROP.ENABLED and not cfg.INPUT.RANDOM_FLIP_VERTICAL
    assert (cfg.TEST.BEST_METRIC, cfg.TEST.BEST_IS_LOWEST) == ("grading/loss", True)


def test_unsafe_yaml_is_refused(tmp_path):
    path = tmp_path / "evil.yaml"
    path.write_text("OUTPUT_DIR: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(Exception, match="python/object/apply"):
        fundus_plugins.get_fundus_cfg(str(path))


def test_optimizer_by_name(small_cfg):
    model = torch.nn.Linear(2, 2)
    build = fundus_plugins.FundusTrainer.build_optimizer
    assert type(build(small_cfg, model)).__name__ == "SGD"
    small_cfg.SOLVER.OPTIMIZER = "AdamW"
    assert type(build(small_cfg, model)).__name__ == "AdamW"
    small_cfg.SOLVER.OPTIMIZER = "RMSprop"
    assert type(build(small_cfg, model)).__name__ == "RMSprop"
    small_cfg.SOLVER.OPTIMIZER = "LION"
    with pytest.raises(ValueError, match="SOLVER.OPTIMIZER 'LION': expected SGD, AdamW or RMSprop"):
        build(small_cfg, model)
