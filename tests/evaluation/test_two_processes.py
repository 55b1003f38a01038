"""Five photographs evaluated by two processes: each once, with the measures of one process."""

import json

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from detectron2.data import DatasetCatalog, MetadataCatalog, build_detection_test_loader
from detectron2.evaluation import inference_on_dataset
from detectron2.structures import Boxes, Instances

from fundus_plugins.data.coco import mask_to_rle
from fundus_plugins.evaluation import DiscCupEvaluator
from tests.conftest import disk

NAME, SIDE = "five_photographs", 64


def records():
    size = {"height": SIDE, "width": SIDE}
    masks = [(disk(SIDE, SIDE, 32, 30 + i, 16), disk(SIDE, SIDE, 32, 30 + i, 8)) for i in range(5)]
    annotations = [[{"category_id": c, "segmentation": mask_to_rle(m)} for c, m in enumerate(x)] for x in masks]
    return [{"image_id": i, "file_name": f"{i}.png", "annotations": x, **size} for i, x in enumerate(annotations)]


class OneMask(torch.nn.Module):
    """The same prediction for every photograph, so that each has a Dice of its own."""

    def forward(self, batch):
        masks = torch.from_numpy(np.stack([disk(SIDE, SIDE, 32, 30, r) for r in (16, 8)]))
        found = Instances((SIDE, SIDE), pred_masks=masks, pred_classes=torch.arange(2), scores=torch.ones(2))
        found.pred_boxes = Boxes(torch.zeros(2, 4))
        return [{"instances": found} for _ in batch]


def evaluate(rank, processes, folder):
    if processes > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=processes)
    DatasetCatalog.register(NAME, records)
    MetadataCatalog.get(NAME).set(thing_classes=["disc", "cup"])
    try:
        loader = build_detection_test_loader(records(), mapper=dict, num_workers=0)
        evaluator = DiscCupEvaluator(NAME, f"{folder}/{processes}")
        results = inference_on_dataset(OneMask(), loader, evaluator)
        assert bool(results) == (rank == 0) and len(evaluator._rows) == len(loader) < 5 + (processes == 1)
    finally:
        DatasetCatalog.remove(NAME)
        MetadataCatalog.remove(NAME)
        if processes > 1:
            dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_measure_what_one_does(tmp_path):
    evaluate(0, 1, str(tmp_path))
    mp.spawn(evaluate, (2, str(tmp_path)), nprocs=2)
    for name in (f"{NAME}_images.csv", f"{NAME}_metrics.json"):
        one, two = ((tmp_path / str(n) / name).read_text() for n in (1, 2))
        assert one == two
    assert json.loads(two)["images"] == 5 and (tmp_path / "2" / f"{NAME}_images.csv").read_text().count("\n") == 6
