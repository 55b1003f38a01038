"""A reader's style fitted to a few photographs that this reader outlined; nothing else of the model changes."""

from collections.abc import Callable

import torch
from detectron2.config import CfgNode
from detectron2.data import build_detection_train_loader
from detectron2.engine import SimpleTrainer
from detectron2.modeling import build_model
from detectron2.utils.events import EventStorage
from torch import nn

from fundus_plugins.config import parse_readers, without_weights
from fundus_plugins.data.annotations import CUP, DISC, parse_categories
from fundus_plugins.data.mapper import build_fundus_mapper
from fundus_plugins.data.registration import disc_cup_dataset
from fundus_plugins.weights.loading import load_trained_weights

LEARNING_RATE = 0.02  # of the style alone


def fit_reader(
    cfg: CfgNode, name: str, dataset: str, iterations: int, log: Callable[[int, float], None] = lambda *_: None
) -> tuple[CfgNode, nn.Module]:
    """Add a reader to a trained model with styles, and fit its style to a registered data set.

    Args:
        cfg: the model's config; MODEL.WEIGHTS names its weights.
        name: of the new reader, for TEST.READERS.
        dataset: with discs and cups, as this reader draws them; some ten photographs or more.
        iterations: of SOLVER.IMS_PER_BATCH photographs each.
        log: told the iteration and the mask loss.

    Returns:
        the config with the reader, and the model, on the CPU, in eval mode.

    Raises:
        ValueError: the model has no styles, or a reader of that name already; no cup is annotated.
        Others as `load_trained_weights`.
    """
    readers = parse_readers(cfg.MODEL.RFNET.READERS)
    if not readers:
        raise ValueError(f"{cfg.MODEL.WEIGHTS}: a model without readers' styles (MODEL.RFNET.READERS) cannot learn one")
    old = build_model(without_weights(cfg))
    load_trained_weights(old, cfg.MODEL.WEIGHTS)
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.RFNET.READERS = [*cfg.MODEL.RFNET.READERS, f"{name}={dataset}"]
    parse_readers(cfg.MODEL.RFNET.READERS)
    cfg.MODEL.RFNET.READER_DROPOUT = 0.0
    cfg.DATASETS.TRAIN, cfg.DATASETS.SHARES = (dataset,), []
    model = build_model(without_weights(cfg))
    state = old.state_dict()
    styles = model.roi_heads.mask_head.styles.weight
    known = state["roi_heads.mask_head.styles.weight"]
    begin = known[1:].mean(0, keepdim=True)  # as readers draw on average
    state["roi_heads.mask_head.styles.weight"] = torch.cat([known, begin.to(known)])
    model.load_state_dict(state)
    model.requires_grad_(False)
    styles.requires_grad_(True)  # only the new row ever has a gradient, for all photographs are this reader's
    records = disc_cup_dataset([dataset], parse_categories(cfg.DATASETS.CATEGORIES))
    if not any(x["category_id"] == CUP for record in records for x in record["annotations"]):
        raise ValueError(f"{dataset}: no cup is annotated, and it is cups that readers draw differently")
    mapper = build_fundus_mapper(cfg, is_train=True, structures=(DISC, CUP))
    loader = build_detection_train_loader(cfg, mapper=mapper, dataset=records)
    optimizer = torch.optim.AdamW([styles], lr=LEARNING_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    trainer = SimpleTrainer(model, loader, optimizer)  # which puts the model, with its batch norms, in training mode
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    with EventStorage() as storage:
        for iteration in range(iterations):
            trainer.iter = storage.iter = iteration
            trainer.run_step()
            schedule.step()
            log(iteration, storage.latest()["loss_mask"][0])
    return cfg, model.cpu().eval()
