"""Our keys beside Detectron2's, and every config file of ours."""

import pytest
import torch
from detectron2.config import CfgNode, get_cfg
from detectron2.modeling import build_model
from detectron2.projects.point_rend import add_pointrend_config

import fundus_plugins
from fundus_plugins.engine.schedule import is_grading
from tests.conftest import ROOT

# Parts are no model of their own, but a second _BASE_.
CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*.yaml") if not path.stem.endswith("_parts"))


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


def test_what_is_there_stays(tmp_path):
    """Another project's keys, and what was set since the first call; a value in the place of a section is told."""
    cfg = get_cfg()
    cfg.SOLVER.OPTIMIZER = "ADAMW"  # Mask2Former's and Panoptic-DeepLab's key
    cfg.MODEL.TIMM = CfgNode({"BASE_NAME": "resnet50"})  # Detic's
    fundus_plugins.add_fundus_config(cfg)
    assert cfg.SOLVER.OPTIMIZER == "ADAMW" and cfg.SOLVER.FUNDUS_OPTIMIZER == "SGD"
    assert cfg.MODEL.TIMM == CfgNode({"BASE_NAME": "resnet50"})
    cfg.MODEL.TIMM = CfgNode({"BASE_NAME": "resnet18"})  # add_detic_config after ours
    assert cfg.MODEL.FUNDUS_TIMM.NAME == "mobilenetv1_100"
    cfg.MODEL.FUNDUS_TIMM.NAME, cfg.TEST.CROP = "resnet18", 0.3
    before = cfg.clone()
    fundus_plugins.add_fundus_config(cfg)
    assert cfg == before
    cfg = get_cfg()
    cfg.MODEL.UNET = "a path"
    with pytest.raises(ValueError, match="config key MODEL.UNET: expected a section, found another project's 'a path'"):
        fundus_plugins.add_fundus_config(cfg)


def test_old_names_of_backbones_are_still_read(tmp_path, caplog):
    file = tmp_path / "old.yaml"
    file.write_text("MODEL: {BACKBONE: {NAME: build_timm_fpn_backbone}}\n")
    cfg = fundus_plugins.get_fundus_cfg(str(file))
    assert cfg.MODEL.BACKBONE.NAME == "build_fundus_timm_fpn_backbone"
    assert "build_timm_fpn_backbone is called build_fundus_timm_fpn_backbone now" in caplog.text
    cfg = fundus_plugins.get_fundus_cfg("", ["MODEL.BACKBONE.NAME", "build_timm_backbone"])
    assert cfg.MODEL.BACKBONE.NAME == "build_fundus_timm_backbone"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_builds_its_model(path):
    cfg = fundus_plugins.get_fundus_cfg(str(path), ["MODEL.FUNDUS_TIMM.PRETRAINED", False])  # nothing is fetched
    if not cfg.MODEL.FUNDUS_TIMM.WEIGHTS.startswith("fundus://"):  # a file that a script makes
        cfg.MODEL.FUNDUS_TIMM.WEIGHTS = ""
    model = build_model(cfg)
    if is_grading(cfg):
        assert model.grades == ["normal", "suspicious", "glaucoma"]
        return
    if cfg.MODEL.META_ARCHITECTURE == "DiscCupSegmentor":
        assert type(model.network).__name__ == cfg.MODEL.SEGMENTOR.NETWORK
        return
    assert model.roi_heads.mask_head.predictor.out_channels == cfg.MODEL.ROI_HEADS.NUM_CLASSES == 2


def test_old_names_are_still_read(tmp_path, caplog):
    file = tmp_path / "old.yaml"
    file.write_text("_BASE_: older.yaml\nTEST: {CLOSER: 0.25}\nINPUT: {CAMERA: {JPEG: 30}, VIEW: {SIDE: 128}}\n")
    older = "INPUT: {VIEW: {SIDE: 64, DISC_SIZES: '(0.2, 0.3)'}, RANDOM_AFFINE: {SHIFT: 0.1}}\n"
    (tmp_path / "older.yaml").write_text(older)
    cfg = fundus_plugins.get_fundus_cfg(
        str(file), ["TEST.CLOSER_SIDE", 96, "MODEL.TIMM.NAME", "resnet18", "SOLVER.OPTIMIZER", "AdamW"]
    )
    assert (cfg.MODEL.FUNDUS_TIMM.NAME, cfg.SOLVER.FUNDUS_OPTIMIZER) == ("resnet18", "AdamW")
    assert "TIMM" not in cfg.MODEL and "OPTIMIZER" not in cfg.SOLVER
    assert (cfg.TEST.CROP, cfg.TEST.CROP_SIDE, cfg.INPUT.PHOTOMETRIC.JPEG) == (0.25, 96, 30)
    assert dict(cfg.INPUT.RANDOM_AFFINE) == {
        "SIDE": 128, "DISC_SIZES": (0.2, 0.3), "ROTATION": 0.0, "SHIFT": 0.1, "SHEAR": 0.0, "CLOSER": 0.0
    }  # fmt: skip
    assert "CLOSER" not in cfg.TEST and "VIEW" not in cfg.INPUT and "CAMERA" not in cfg.INPUT
    assert "TEST.CLOSER is called TEST.CROP now" in caplog.text
    caplog.clear()
    released = fundus_plugins.release_cfg()
    assert released.TEST.CROP == 0.375 and released.MODEL.FUNDUS_TIMM.NAME == "mobilenetv1_100" and not caplog.text
    with pytest.raises(ValueError, match="Type mismatch"):
        fundus_plugins.get_fundus_cfg("", ["TEST.CLOSER", "near"])


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
    assert (cfg.SOLVER.FUNDUS_OPTIMIZER, cfg.SOLVER.BASE_LR, cfg.SOLVER.GAMMA) == ("RMSprop", 1e-4, 0.9)
    assert (cfg.SOLVER.EPOCHS, cfg.MODEL.GRADING.STAGE1_EPOCHS) == (50, 20)
    assert (cfg.MODEL.GRADING.FC_DIM, cfg.MODEL.GRADING.DROPOUT, cfg.MODEL.FUNDUS_TIMM.NAME) == (
        2048,
        0.5,
        "densenet121",
    )
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
    small_cfg.SOLVER.FUNDUS_OPTIMIZER = "AdamW"
    assert type(build(small_cfg, model)).__name__ == "AdamW"
    assert build(small_cfg, model).defaults["fused"]
    small_cfg.MODEL.DEVICE = "cuda"  # GradScaler and clipping want the gradients unscaled before the step
    assert not build(small_cfg, model).defaults["fused"]
    small_cfg.SOLVER.FUNDUS_OPTIMIZER = "ADAMW"
    assert type(build(small_cfg, model)).__name__ == "AdamW"
    small_cfg.SOLVER.FUNDUS_OPTIMIZER = "RMSprop"
    assert type(build(small_cfg, model)).__name__ == "RMSprop"
    small_cfg.SOLVER.FUNDUS_OPTIMIZER = "LION"
    with pytest.raises(ValueError, match="SOLVER.FUNDUS_OPTIMIZER 'LION': expected SGD, AdamW or RMSprop"):
        build(small_cfg, model)


def test_an_ablation_changes_what_its_name_says():
    base = fundus_plugins.get_fundus_cfg(str(ROOT / "configs" / "rfnet_drishti_cpu.yaml"))

    def changed(name):
        def differences(a, b, prefix=""):
            for key in a:
                if isinstance(a[key], type(a)):
                    yield from differences(a[key], b[key], f"{prefix}{key}.")
                elif a[key] != b[key]:
                    yield f"{prefix}{key}", b[key]

        cfg = fundus_plugins.get_fundus_cfg(str(ROOT / "configs" / f"{name}.yaml"))
        return dict(differences(base, cfg)) | {"OUTPUT_DIR": None}

    def only(**keys):
        return {key.replace("__", "."): value for key, value in keys.items()} | {"OUTPUT_DIR": None}

    assert changed("ablations/pooling_pyramid") == only(MODEL__RFNET__POOLING="pyramid")
    for loss in ("bce", "dice", "bce_dice"):
        assert changed(f"ablations/loss_{loss}") == only(MODEL__RFNET__MASK_LOSS=loss)
    as_printed = {"MODEL__RFNET__FOCAL_ALPHA": 1.0}
    assert changed("ablations/loss_focal_dice") == only(**as_printed)
    assert changed("ablations/loss_focal") == only(MODEL__RFNET__MASK_LOSS="focal", **as_printed)
    assert changed("ablations/loss_focal_balanced") == only(MODEL__RFNET__MASK_LOSS="focal")
    assert changed("ablations/mask_28") == only(MODEL__ROI_MASK_HEAD__POOLER_RESOLUTION=28)
    scratch = {"MODEL__FUNDUS_TIMM__WEIGHTS": "", "MODEL__FUNDUS_TIMM__FREEZE_AT": 0}
    assert changed("ablations/scratch") == only(**scratch)
    for name in ("resnet18", "mobilenetv3"):
        keys = changed(f"ablations/backbone_{name}")
        assert keys.pop("MODEL.FUNDUS_TIMM.NAME").startswith(name) and keys == only(**scratch)
    mask_rcnn = changed("baselines/mask_rcnn_drishti_cpu")
    assert mask_rcnn.pop("MODEL.ROI_HEADS.NAME") == "StandardROIHeads"
    assert mask_rcnn.pop("MODEL.ROI_MASK_HEAD.NAME") == "MaskRCNNConvUpsampleHead"
    assert mask_rcnn == only(
        MODEL__ROI_BOX_HEAD__CLS_AGNOSTIC_BBOX_REG=False,
        MODEL__ROI_MASK_HEAD__POOLER_RESOLUTION=14,
        INPUT__TARGETS="instances",
        TEST__DETECTIONS_PER_IMAGE=10,
    )
