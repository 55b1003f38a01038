"""A small RF-Net, trained for a few steps on drawn eyes, and measured."""

import detectron2.data.transforms as T
from detectron2 import model_zoo
from detectron2.config import LazyCall as L
from detectron2.data import build_detection_test_loader, build_detection_train_loader, get_detection_dataset_dicts
from omegaconf import OmegaConf

from fundus_plugins import DiscCupEvaluator, DiscCupMapper

from .rfnet import model

SIDE = 128

model.backbone.square_pad = SIDE
model.backbone.out_channels = 32
model.backbone.bottom_up.weights = "fundus://mobilenetv1_100_imagenet.safetensors"
model.proposal_generator.anchor_generator.sizes = [[16], [32], [64], [128]]
model.roi_heads.box_head.fc_dims = [64]
model.roi_heads.box_predictor.input_shape.channels = 64
model.roi_heads.box_predictor.test_score_thresh = 0.0
model.roi_heads.mask_head.conv_dim = 32

resize = L(T.ResizeShortestEdge)(short_edge_length=SIDE, max_size=SIDE)

dataloader = OmegaConf.create()
dataloader.train = L(build_detection_train_loader)(
    dataset=L(get_detection_dataset_dicts)(names="phantom_train"),
    mapper=L(DiscCupMapper)(is_train=True, augmentations=[resize, L(T.RandomFlip)()], image_format="RGB"),
    total_batch_size=2,
    num_workers=0,
)
dataloader.test = L(build_detection_test_loader)(
    dataset=L(get_detection_dataset_dicts)(names="phantom_val", filter_empty=False),
    mapper=L(DiscCupMapper)(is_train=False, augmentations=[resize], image_format="RGB"),
    num_workers=0,
)
dataloader.evaluator = L(DiscCupEvaluator)(dataset_name="${..test.dataset.names}")

optimizer = model_zoo.get_config("common/optim.py").SGD
optimizer.lr = 0.005
lr_multiplier = model_zoo.get_config("common/coco_schedule.py").lr_multiplier_1x

train = model_zoo.get_config("common/train.py").train
train.device = "cpu"
train.max_iter = 4
train.eval_period = 4
train.checkpointer.period = 1000
