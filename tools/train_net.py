#!/usr/bin/env python3
"""Train or evaluate a model.

    python tools/train_net.py --config-file configs/rfnet_refuge.yaml [--num-gpus N] [KEY VALUE ...]
    python tools/train_net.py --config-file configs/rfnet_refuge.yaml --resume
    python tools/train_net.py --config-file configs/rfnet_refuge.yaml --eval-only MODEL.WEIGHTS model_best.pth

Exit code: 0 done, 1 something is missing or went wrong.
"""

import sys

from detectron2.engine import default_argument_parser, default_setup, launch
from detectron2.modeling import GeneralizedRCNNWithTTA
from detectron2.utils import comm
from detectron2.utils.logger import setup_logger

import fundus_plugins
from fundus_plugins.data.coco import require_dataset
from fundus_plugins.engine import train
from fundus_plugins.inference import without_weights
from fundus_plugins.weights.loading import load_trained_weights


def main(args) -> None:
    fundus_plugins.register_fundus_datasets()
    cfg = fundus_plugins.get_fundus_cfg(args.config_file, args.opts)
    for name in cfg.DATASETS.TEST if args.eval_only else cfg.DATASETS.TRAIN + cfg.DATASETS.TEST:
        require_dataset(name)
    cfg.freeze()
    default_setup(cfg, args)
    setup_logger(cfg.OUTPUT_DIR, distributed_rank=comm.get_rank(), name="fundus_plugins")
    if args.eval_only:
        model = fundus_plugins.FundusTrainer.build_model(without_weights(cfg))
        load_trained_weights(model, cfg.MODEL.WEIGHTS)
        if cfg.TEST.AUG.ENABLED:
            model = GeneralizedRCNNWithTTA(cfg, model)
        fundus_plugins.FundusTrainer.test(cfg, model)
        return
    train(cfg, resume=args.resume)


if __name__ == "__main__":
    args = default_argument_parser(epilog=__doc__).parse_args()
    try:
        launch(main, args.num_gpus, args.num_machines, args.machine_rank, args.dist_url, args=(args,))
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # a data set, weights, an option: the message says which and what to do
        sys.exit(f"error: {error}")
