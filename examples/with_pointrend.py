"""Our keys and PointRend's in one config, in either order: PointRend on our backbone, and RF-Net beside it."""

import sys
from pathlib import Path

import torch
from detectron2.config import CfgNode, get_cfg
from detectron2.data import DatasetMapper, build_detection_train_loader, get_detection_dataset_dicts
from detectron2.data import transforms as T
from detectron2.data.datasets import register_coco_instances
from detectron2.modeling import build_model
from detectron2.projects.point_rend import add_pointrend_config
from plain_loop import train
from toy_coco import SIDE, write_toy_coco

import fundus_plugins
from fundus_plugins import model_zoo

# As Base-PointRend-RCNN-FPN.yaml, with our backbone, and small.
POINTREND = [
    "MODEL.BACKBONE.NAME", "build_fundus_timm_fpn_p6_backbone", "MODEL.FPN.OUT_CHANNELS", 32,
    "MODEL.FPN.IN_FEATURES", ["res2", "res3", "res4", "res5"], "MODEL.ROI_MASK_HEAD.CONV_DIM", 32,
    "MODEL.MASK_ON", True, "MODEL.WEIGHTS", "", "MODEL.ROI_HEADS.NUM_CLASSES", 2,
    "MODEL.ANCHOR_GENERATOR.SIZES", [[16], [32], [64], [128], [256]],
    "MODEL.RPN.IN_FEATURES", ["p2", "p3", "p4", "p5", "p6"],
    "MODEL.ROI_HEADS.NAME", "StandardROIHeads", "MODEL.ROI_HEADS.IN_FEATURES", ["p2", "p3", "p4", "p5"],
    "MODEL.ROI_BOX_HEAD.NAME", "FastRCNNConvFCHead", "MODEL.ROI_BOX_HEAD.NUM_FC", 1, "MODEL.ROI_BOX_HEAD.FC_DIM", 64,
    "MODEL.ROI_BOX_HEAD.TRAIN_ON_PRED_BOXES", True, "MODEL.ROI_MASK_HEAD.NAME", "PointRendMaskHead",
    "MODEL.ROI_MASK_HEAD.POOLER_TYPE", "", "MODEL.ROI_MASK_HEAD.FC_DIM", 64, "MODEL.ROI_MASK_HEAD.NUM_FC", 1,
    "MODEL.ROI_MASK_HEAD.OUTPUT_SIDE_RESOLUTION", 7, "MODEL.ROI_MASK_HEAD.IN_FEATURES", ["p2"],
    "MODEL.ROI_MASK_HEAD.POINT_HEAD_ON", True, "MODEL.POINT_HEAD.FC_DIM", 32, "MODEL.POINT_HEAD.NUM_FC", 1,
    "MODEL.POINT_HEAD.IN_FEATURES", ["p2"], "MODEL.POINT_HEAD.NUM_CLASSES", 2,
    "SOLVER.MAX_ITER", 2, "SOLVER.BASE_LR", 0.001, "SOLVER.STEPS", (),
]  # fmt: skip


def config(*projects) -> CfgNode:
    """Detectron2's defaults and the projects' keys, added in this order."""
    cfg = get_cfg()
    for add in projects:
        add(cfg)
    cfg.MODEL.DEVICE = "cpu"
    return cfg


def main(output: Path) -> None:
    orders = [
        config(fundus_plugins.add_fundus_config, add_pointrend_config),
        config(add_pointrend_config, fundus_plugins.add_fundus_config),
    ]
    assert orders[0] == orders[1]
    name = f"toy of {output}"
    register_coco_instances(name, {}, str(write_toy_coco(output / "toy", photographs=2)), str(output / "toy"))
    mapper = DatasetMapper(
        is_train=True,
        augmentations=[T.ResizeShortestEdge(SIDE)],
        image_format="RGB",
        use_instance_mask=True,
        instance_mask_format="bitmask",  # PointRend samples pixels
    )
    for cfg in orders:
        rfnet = cfg.clone()
        rfnet.merge_from_file(model_zoo.get_config_file("Base-RFNet.yaml"))
        heads = type(build_model(rfnet).roi_heads).__name__
        cfg.merge_from_list(POINTREND)
        torch.manual_seed(0)
        model = build_model(cfg)
        records = get_detection_dataset_dicts(name)
        loader = build_detection_train_loader(dataset=records, mapper=mapper, total_batch_size=2, num_workers=0)
        losses = train(cfg, model, loader)
        print(f"{type(model.roi_heads.mask_head).__name__} on our backbone: loss {losses[0]:.2f}; beside it {heads}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "output/examples"))
