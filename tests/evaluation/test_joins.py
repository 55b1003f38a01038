"""DiscCupEvaluator in other projects: sets that somebody else registered, and a log that somebody else set up."""

import json
import logging

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances
from detectron2.structures import Boxes, Instances

from fundus_plugins import DiscCupEvaluator
from fundus_plugins.data.coco import mask_to_rle
from fundus_plugins.data.mapper import DiscCupMapper
from fundus_plugins.data.registration import disc_cup_structures
from fundus_plugins.evaluation.logger import visible_logger
from fundus_plugins.photographs.problems import BadInput
from tests.conftest import disk

SIDE = 80
DISC, CUP = disk(SIDE, SIDE, 40, 40, 20), disk(SIDE, SIDE, 40, 40, 10)


@pytest.fixture
def register():
    names = []

    def add(name, load, **metadata):
        DatasetCatalog.register(name, load)
        MetadataCatalog.get(name).set(**metadata)
        names.append(name)
        return name

    yield add
    for name in names:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def dice(name):
    """Of a perfect prediction for the set's one photograph."""
    evaluator = DiscCupEvaluator(name)
    evaluator.reset()
    masks = torch.from_numpy(np.stack([DISC, CUP]))
    found = Instances((SIDE, SIDE), pred_masks=masks, pred_classes=torch.arange(2), scores=torch.ones(2))
    found.pred_boxes = Boxes(torch.zeros(2, 4))
    evaluator.process([{"file_name": "1.png", "image_id": 1}], [{"instances": found}])
    results = evaluator.evaluate()["disc_cup"]
    return results["dice_od"], results["dice_oc"]


def record(*annotations):
    return {"file_name": "1.png", "image_id": 1, "height": SIDE, "width": SIDE, "annotations": list(annotations)}


def test_a_set_that_a_function_makes(register):
    own = record(
        {"category_id": 1, "segmentation": mask_to_rle(DISC)}, {"category_id": 0, "segmentation": mask_to_rle(CUP)}
    )
    assert dice(register("made_by_a_function", lambda: [own], thing_classes=["cup", "disc"])) == (1, 1)


def test_names_are_checked_when_it_is_built(register):
    with pytest.raises(BadInput, match="expected categories named optic_disc.*found cat, dog"):
        DiscCupEvaluator(register("pets", lambda: [record()], thing_classes=["cat", "dog"]))
    with pytest.raises(BadInput, match="found none"):
        DiscCupEvaluator(register("nameless", lambda: [record()]))
    register("papillae", lambda: [record()], thing_classes=["papilla", "excavation"])
    DiscCupEvaluator("papillae", categories=["disc=papilla", "cup=excavation"])


@pytest.mark.parametrize("halves", [False, True])
def test_any_order_and_halves_by_detectron2s_own_registration(tmp_path, halves):
    """The cup before the disc, and a disc in two annotations: evaluator and mapper see one whole disc."""
    left = np.arange(SIDE)[None] < 40
    discs = [DISC & left, DISC & ~left] if halves else [DISC]
    masks = [(7, CUP)] + [(9, x) for x in discs]
    annotations = [
        {"id": i, "image_id": 1, "category_id": c, "iscrowd": 0, "bbox": [20, 20, 40, 40], "area": int(x.sum()),
         "segmentation": mask_to_rle(x)}
        for i, (c, x) in enumerate(masks, start=1)
    ]  # fmt: skip
    categories = [{"id": 7, "name": "optic_cup"}, {"id": 9, "name": "optic_disc"}]
    images = [{"id": 1, "file_name": "1.png", "height": SIDE, "width": SIDE}]
    path = tmp_path / "eyes.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    import cv2

    cv2.imwrite(str(tmp_path / "1.png"), np.repeat(DISC[..., None] * np.uint8(120) + 40, 3, axis=2))
    name = f"registered_by_detectron2_{halves}"
    register_coco_instances(name, {}, str(path), str(tmp_path))
    try:
        assert dice(name) == (1, 1)
        settings = {"augmentations": [], "image_format": "RGB", "structures": disc_cup_structures(name)}
        seen = DiscCupMapper(True, **settings)(DatasetCatalog.get(name)[0])["instances"].gt_disc_cup
        assert np.array_equal(seen.masks[0].numpy() > 0, np.stack([DISC, CUP]))
    finally:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def test_the_table_is_seen_where_only_detectron2_is_listened_to(monkeypatch):
    name, own = "fundus_plugins.evaluation.disc_cup", logging.getLogger("fundus_plugins")
    monkeypatch.setattr(own, "handlers", [])  # whatever other tests have set up
    monkeypatch.setattr(own, "propagate", True)
    assert visible_logger(name).name == name  # pytest listens to everything
    monkeypatch.setattr(logging.root, "handlers", [])
    assert visible_logger(name).name == f"detectron2.{name}"
    monkeypatch.setattr(own, "handlers", [logging.NullHandler()])
    assert visible_logger(name).name == name
