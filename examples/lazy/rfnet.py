"""RF-Net as a LazyConfig: Detectron2's Mask R-CNN with our backbone, pooler, heads and loss in it."""

from detectron2 import model_zoo
from detectron2.config import LazyCall as L
from detectron2.layers import ShapeSpec

from fundus_plugins import FusionFeaturePooler, RFNetMaskHead, RFNetROIHeads, TimmBackbone, build_mask_loss
from fundus_plugins.modeling.backbone import SquareFPN
from fundus_plugins.modeling.poolers import build_roi_pooler

LEVELS = ["p2", "p3", "p4", "p5"]
SCALES = [1 / 4, 1 / 8, 1 / 16, 1 / 32]

model = model_zoo.get_config("common/models/mask_rcnn_fpn.py").model

model.backbone = L(SquareFPN)(
    bottom_up=L(TimmBackbone)(name="mobilenetv1_100", weights=""),
    in_features=["res2", "res3", "res4", "res5"],
    out_channels=256,
    square_pad=512,
)

model.proposal_generator.in_features = LEVELS
model.proposal_generator.head.in_channels = "${...backbone.out_channels}"
model.proposal_generator.anchor_generator.sizes = [[32], [64], [128], [256]]
model.proposal_generator.anchor_generator.strides = [4, 8, 16, 32]

heads = model.roi_heads
heads._target_ = RFNetROIHeads
heads.num_structures = 2  # disc, cup
heads.num_classes = 1  # the detector's: the disc
heads.batch_size_per_image = 200
heads.box_pooler = L(build_roi_pooler)(output_size=7, scales=SCALES, sampling_ratio=2)
heads.box_head.input_shape = L(ShapeSpec)(channels="${....backbone.out_channels}", height=7, width=7)
heads.box_predictor.cls_agnostic_bbox_reg = True
heads.mask_pooler = L(FusionFeaturePooler)(side=56, scales=SCALES, sampling_ratio=2, pooling="fusion")
heads.mask_head = L(RFNetMaskHead)(
    in_channels="${...backbone.out_channels}",
    conv_dim=256,
    num_conv=4,
    num_classes="${..num_structures}",
    class_names=["disc", "cup"],
    mask_loss=L(build_mask_loss)(name="focal_dice"),
)

# Pixels as the backbone's weights expect them.
model.input_format = "RGB"
model.pixel_mean = model.pixel_std = [127.5, 127.5, 127.5]
