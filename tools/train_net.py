#!/usr/bin/env python3
"""Train or evaluate a model: python tools/train_net.py --config-file configs/rfnet_refuge.yaml [--num-gpus N] [KEY VALUE ...]"""

import sys

from detectron2.checkpoint import DetectionCheckpointer
from detectron2.engine import default_argument_parser, default_setup, launch

import fundus_plugins
from fundus_plugins.data.coco import require_dataset


def main(args) -> None:
    fundus_plugins.register_fundus_datasets()
    cfg = fundus_plugins.get_fundus_cfg(args.config_file, args.opts)
    for name in cfg.DATASETS.TEST if args.eval_only else cfg.DATASETS.TRAIN + cfg.DATASETS.TEST:
        require_dataset(name)
    cfg.freeze()
    default_setup(cfg, args)
    if args.eval_only:
        model = fundus_plugins.FundusTrainer.build_model(cfg)
        DetectionCheckpointer(model, save_dir=cfg.OUTPUT_DIR).resume_or_load(cfg.MODEL.WEIGHTS, resume=args.resume)
        fundus_plugins.FundusTrainer.test(cfg, model)
        return
    trainer = fundus_plugins.FundusTrainer(cfg)
    trainer.resume_or_load(resume=args.resume)
    trainer.train()


if __name__ == "__main__":
    args = default_argument_parser(epilog=__doc__).parse_args()
    try:
        launch(main, args.num_gpus, args.num_machines, args.machine_rank, args.dist_url, args=(args,))
    except FileNotFoundError as error:
        sys.exit(f"error: {error}")
