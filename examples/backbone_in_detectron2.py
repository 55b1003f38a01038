"""Our backbone in Detectron2's own RetinaNet and Mask R-CNN, trained by a plain loop on a COCO set."""

import sys
from pathlib import Path

import torch
from detectron2 import model_zoo
from detectron2.config import CfgNode, get_cfg
from detectron2.data import DatasetCatalog, build_detection_test_loader, build_detection_train_loader
from detectron2.data.datasets import register_coco_instances
from detectron2.evaluation import COCOEvaluator, inference_on_dataset
from detectron2.modeling import build_model
from plain_loop import train
from toy_coco import SIDE, write_toy_coco

import fundus_plugins

# Detectron2's own YAML -> the builder with the levels that it reads.
MODELS = {
    "COCO-Detection/retinanet_R_50_FPN_1x.yaml": "build_fundus_timm_fpn_p6p7_backbone",
    "COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_1x.yaml": "build_fundus_timm_fpn_p6_backbone",
}


def config(name: str, builder: str, output: Path) -> CfgNode:
    """Detectron2's config of that name with our backbone in it, made small."""
    cfg = get_cfg()
    fundus_plugins.add_fundus_config(cfg)
    cfg.merge_from_file(model_zoo.get_config_file(name))
    cfg.MODEL.BACKBONE.NAME = builder
    cfg.MODEL.FUNDUS_TIMM.NAME = "mobilenetv1_100"
    cfg.MODEL.FUNDUS_TIMM.WEIGHTS = "fundus://mobilenetv1_100_imagenet.safetensors"
    cfg.MODEL.WEIGHTS = ""  # theirs is of a ResNet
    # What the backbone's weights have seen, where the YAML has BGR.
    cfg.INPUT.FORMAT, cfg.MODEL.PIXEL_MEAN, cfg.MODEL.PIXEL_STD = "RGB", [127.5] * 3, [127.5] * 3
    cfg.MODEL.RETINANET.NUM_CLASSES = cfg.MODEL.ROI_HEADS.NUM_CLASSES = 2
    cfg.MODEL.FPN.OUT_CHANNELS, cfg.MODEL.ROI_BOX_HEAD.FC_DIM, cfg.MODEL.RETINANET.NUM_CONVS = 32, 64, 1
    cfg.MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE, cfg.MODEL.RPN.POST_NMS_TOPK_TEST = 32, 50
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MIN_SIZE_TEST = (SIDE,), SIDE
    cfg.DATASETS.TRAIN, cfg.DATASETS.TEST = ("toy",), ("toy",)
    cfg.DATALOADER.NUM_WORKERS = 0
    cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.BASE_LR, cfg.SOLVER.MAX_ITER, cfg.SOLVER.STEPS = 2, 0.002, 3, ()
    cfg.MODEL.DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
    cfg.OUTPUT_DIR = str(output)
    cfg.SEED = 0
    return cfg


def main(output: Path) -> None:
    if "toy" not in DatasetCatalog.list():
        register_coco_instances("toy", {}, str(write_toy_coco(output / "toy", photographs=4)), str(output / "toy"))
    for name, builder in MODELS.items():
        cfg = config(name, builder, output)
        torch.manual_seed(cfg.SEED)
        model = build_model(cfg)
        losses = train(cfg, model, build_detection_train_loader(cfg))
        evaluator = COCOEvaluator("toy", output_dir=str(output), use_fast_impl=False)
        results = inference_on_dataset(model, build_detection_test_loader(cfg, "toy"), evaluator)
        found = ", ".join(f"{task} AP {values['AP']:.1f}" for task, values in results.items())
        print(f"{name}: levels {', '.join(model.backbone.output_shape())}; loss {losses[0]:.2f}; {found}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "output/examples"))
