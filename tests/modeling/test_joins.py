"""Our parts among Detectron2's: what fits works, what does not is told in one sentence."""

import logging

import pytest
import torch
from detectron2 import model_zoo
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, DatasetMapper, get_detection_dataset_dicts
from detectron2.modeling import BACKBONE_REGISTRY, build_backbone, build_model
from detectron2.projects.point_rend import add_pointrend_config
from detectron2.utils.events import EventStorage

import fundus_plugins
from fundus_plugins.data.grading_mapper import build_grading_augmentations
from fundus_plugins.data.mapper import build_fundus_mapper
from fundus_plugins.modeling.backbone import TimmBackbone
from tests.conftest import SMALL, training_input
from tests.modeling.segmentation.networks import network_config

RETINANET = "COCO-Detection/retinanet_R_50_FPN_1x.yaml"
MASK_RCNN = "COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_1x.yaml"


def stock(name, builder):
    cfg = get_cfg()
    fundus_plugins.add_fundus_config(cfg)
    cfg.merge_from_file(model_zoo.get_config_file(name))
    cfg.MODEL.DEVICE, cfg.MODEL.WEIGHTS, cfg.MODEL.BACKBONE.NAME, cfg.MODEL.FPN.OUT_CHANNELS = "cpu", "", builder, 8
    return cfg


@pytest.mark.parametrize(
    "name, builder, levels",
    [
        (MASK_RCNN, "build_fundus_timm_fpn_p6_backbone", {"p2": 4, "p3": 8, "p4": 16, "p5": 32, "p6": 64}),
        (RETINANET, "build_fundus_timm_fpn_p6p7_backbone", {"p3": 8, "p4": 16, "p5": 32, "p6": 64, "p7": 128}),
    ],
)
def test_pyramids_of_detectron2s_own_yamls(name, builder, levels):
    cfg = stock(name, builder)
    backbone = build_backbone(cfg)
    assert {key: shape.stride for key, shape in backbone.output_shape().items()} == levels
    maps = backbone(torch.zeros(1, 3, 128, 256))
    assert {key: tuple(x.shape[-2:]) for key, x in maps.items()} == {k: (128 // s, 256 // s) for k, s in levels.items()}
    cfg.MODEL.BACKBONE.NAME = "build_fundus_timm_fpn_backbone"
    with pytest.raises(ValueError, match="no p6 for this model, only p.*; build_fundus_timm_fpn_p6_backbone"):
        build_backbone(cfg)


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "mambaout_femto"])
def test_channels_last_networks_take_any_size(name):
    backbone = TimmBackbone(name=name)
    maps = backbone(torch.zeros(1, 3, 96, 128))
    for key, shape in backbone.output_shape().items():
        assert maps[key].shape == (1, shape.channels, 96 // shape.stride, 128 // shape.stride)


def test_networks_of_one_size_want_to_know_it():
    with pytest.raises(
        ValueError, match="maxvit_tiny_tf_224 is made for one size of picture: set MODEL.FPN.SQUARE_PAD"
    ):
        TimmBackbone(name="maxvit_tiny_tf_224")
    backbone = TimmBackbone(name="maxvit_tiny_tf_224", input_side=64)
    assert backbone(torch.zeros(1, 3, 64, 64))["res5"].shape[-2:] == (2, 2)
    with pytest.raises(ValueError, match="takes 64 x 64 pixels, found 96 x 64"):
        backbone(torch.zeros(1, 3, 64, 96))


def test_keys_of_a_stock_yaml_that_would_be_ignored(small_cfg, caplog):
    small_cfg.MODEL.BACKBONE.FREEZE_AT = 3
    with pytest.raises(ValueError, match="FREEZE_AT 3 is for Detectron2's ResNets; ours: MODEL.FUNDUS_TIMM.FREEZE_AT"):
        build_backbone(small_cfg)
    small_cfg.MODEL.FUNDUS_TIMM.FREEZE_AT = 3
    assert not build_backbone(small_cfg).bottom_up.body.conv_stem.weight.requires_grad
    assert not caplog.records
    small_cfg.MODEL.FUNDUS_TIMM.WEIGHTS = "fundus://mobilenetv1_100_imagenet.safetensors"
    build_backbone(small_cfg)
    assert not caplog.records
    small_cfg.INPUT.FORMAT, small_cfg.MODEL.PIXEL_MEAN, small_cfg.MODEL.PIXEL_STD = (
        "BGR",
        [103.5, 116.3, 123.7],
        [1.0] * 3,
    )
    build_backbone(small_cfg)
    assert "weights expect RGB pixels" in caplog.text and "found INPUT.FORMAT BGR" in caplog.text


def test_random_crops_are_cut_or_refused(small_cfg, phantoms):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    small_cfg.INPUT.CROP.ENABLED, small_cfg.INPUT.CROP.TYPE, small_cfg.INPUT.CROP.SIZE = True, "absolute", [64, 48]
    small_cfg.INPUT.MIN_SIZE_TRAIN, small_cfg.INPUT.RANDOM_ROTATE_90 = (48,), False
    seen = build_fundus_mapper(small_cfg, True)(DatasetCatalog.get("phantom_train")[0])
    assert seen["image"].shape == (3, 64, 48) and seen["instances"].image_size == (64, 48)
    assert build_fundus_mapper(small_cfg, False)(DatasetCatalog.get("phantom_val")[0])["image"].shape[-1] == 128
    with pytest.raises(ValueError, match="INPUT.CROP.ENABLED: a grade is of the whole photograph"):
        build_grading_augmentations(small_cfg)


def test_no_name_is_detics():
    from fundus_plugins import modeling

    assert "build_timm_backbone" not in BACKBONE_REGISTRY
    ours = [name for name, part in BACKBONE_REGISTRY if part.__module__.startswith("fundus_plugins.")]
    assert all(name.startswith("build_fundus_") or name == "build_timm_fpn_backbone" for name in ours)
    assert {x for x in modeling.__all__ if x.startswith("build_fundus")} < set(ours)


@pytest.mark.parametrize("mask_on", [True, False])
@pytest.mark.parametrize("fmt", ["polygon", "bitmask"])
def test_detectron2s_mapper_in_training(small_cfg, phantoms, mask_on, fmt):
    """Our files hold RLE, of which Detectron2 itself refuses to make polygons."""
    fundus_plugins.register_fundus_datasets(str(phantoms))
    assert small_cfg.INPUT.MASK_FORMAT == "bitmask"
    small_cfg.INPUT.MASK_FORMAT, small_cfg.MODEL.MASK_ON = fmt, mask_on
    mapper = DatasetMapper(small_cfg, is_train=True)
    if mask_on and fmt == "polygon":
        with pytest.raises(ValueError, match="mask_format=='polygon'"):
            mapper(get_detection_dataset_dicts("phantom_train")[0])
        return
    batch = [mapper(record) for record in get_detection_dataset_dicts("phantom_train")[:2]]
    model = build_model(small_cfg)
    with (
        EventStorage(),
        pytest.raises(ValueError, match="learn discs with gt_disc_cup, found gt_boxes, gt_classes.*map"),
    ):
        model(batch)
    model.eval()
    assert len(model(batch)) == 2  # at inference it serves


@pytest.mark.parametrize("number", [1, 3])
def test_another_number_of_classes(small_cfg, number):
    small_cfg.MODEL.ROI_HEADS.NUM_CLASSES = number
    with pytest.raises(
        ValueError, match=f"NUM_CLASSES {number}: RFNetROIHeads give MODEL.RFNET.CLASSES, which are 2: disc"
    ):
        build_model(small_cfg)


def test_pairs_of_heads_that_do_not_fit(small_cfg):
    small_cfg.MODEL.ROI_MASK_HEAD.NAME = "MaskRCNNConvUpsampleHead"
    with pytest.raises(ValueError, match="for RFNetMaskHead; found MODEL.ROI_MASK_HEAD.NAME MaskRCNNConvUpsampleHead"):
        build_model(small_cfg)
    pointrend = get_cfg()
    add_pointrend_config(pointrend)
    fundus_plugins.add_fundus_config(pointrend)
    pointrend.merge_from_other_cfg(small_cfg)
    pointrend.MODEL.ROI_MASK_HEAD.NAME = "PointRendMaskHead"
    with pytest.raises(ValueError, match="for RFNetMaskHead; found MODEL.ROI_MASK_HEAD.NAME PointRendMaskHead"):
        build_model(pointrend)
    stock_heads = [*SMALL, "MODEL.ROI_MASK_HEAD.NAME", "RFNetMaskHead"]
    with pytest.raises(ValueError, match="reads the two maps of RFNetROIHeads; found StandardROIHeads, which pool one"):
        build_model(fundus_plugins.get_fundus_cfg("baselines/mask_rcnn_refuge.yaml", stock_heads))


def disc_only(cfg):
    cfg.MODEL.RFNET.CLASSES, cfg.MODEL.ROI_HEADS.NUM_CLASSES = ["disc"], 1
    return cfg


def test_discs_alone(small_cfg, phantoms):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    cfg = disc_only(small_cfg)
    mapper, model = build_fundus_mapper(cfg, True), build_model(cfg)
    with EventStorage() as storage:
        model([mapper(record) for record in DatasetCatalog.get("phantom_train")[:2]])
        assert "mask_accuracy/disc" in storage.latest() and "mask_accuracy/cup" not in storage.latest()
        with pytest.raises(ValueError, match="expected masks of disc .MODEL.RFNET.CLASSES., found 2 in the targets"):
            model([training_input()])
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = 0.0
    found = build_model(cfg).eval()([mapper(DatasetCatalog.get("phantom_train")[0])])[0]["instances"]
    assert set(found.pred_classes.tolist()) == {0}
    cfg.MODEL.RFNET.CLASSES = ["cell", "nucleus"]
    with pytest.raises(ValueError, match="CLASSES cell, nucleus: our mapper knows disc and cup, or disc alone"):
        build_fundus_mapper(cfg, True)


def test_cups_that_nobody_drew(small_cfg, phantoms):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    records = [
        record | {"annotations": [x for x in record["annotations"] if x["category_id"] == 0]}
        for record in DatasetCatalog.get("phantom_train")
    ]
    from detectron2.data import MetadataCatalog

    DatasetCatalog.register("discs_alone", lambda: records)
    MetadataCatalog.get("discs_alone").set(thing_classes=["optic_disc", "optic_cup"])
    try:
        small_cfg.DATASETS.TRAIN = ("discs_alone",)
        for cfg in (small_cfg, network_config("unet_drishti", "DATASETS.TRAIN", ("discs_alone",))):
            with pytest.raises(
                ValueError, match=r"discs_alone: no cup is annotated; .* MODEL.RFNET.CLASSES \['disc'\]"
            ):
                fundus_plugins.FundusTrainer.build_train_loader(cfg)
        assert next(iter(fundus_plugins.FundusTrainer.build_train_loader(disc_only(small_cfg))))
    finally:
        DatasetCatalog.remove("discs_alone")
        MetadataCatalog.remove("discs_alone")


def test_accuracy_is_of_what_is_annotated(small_cfg):
    model = build_model(small_cfg)
    with EventStorage() as storage:
        model([training_input(cup_known=False)])
        assert "mask_accuracy/disc" in storage.latest() and "mask_accuracy/cup" not in storage.latest()
        model([training_input()])
        assert "mask_accuracy/cup" in storage.latest()


def test_nothing_is_logged_by_a_fitting_config(small_cfg, caplog):
    with caplog.at_level(logging.WARNING):
        build_model(small_cfg)
    assert not caplog.records
