"""Disc and cup of COCO annotations by the names of their categories, whoever wrote and registered them."""

import json

import numpy as np
import pycocotools.mask as mask_util
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances
from detectron2.structures import Boxes, Instances
from hypothesis import given, settings
from hypothesis import strategies as st

import fundus_plugins
from fundus_plugins.data.annotations import (
    CUP,
    DISC,
    IGNORED,
    decode_segmentation,
    disc_and_cup,
    parse_categories,
    structures_of,
)
from fundus_plugins.data.coco import mask_to_rle
from fundus_plugins.data.registration import disc_cup_structures, require_dataset
from fundus_plugins.photographs.problems import BadInput
from tests.conftest import disk
from tests.data.folders import photograph

SIZE = (60, 70)
DISC_MASK, CUP_MASK = disk(*SIZE, 30, 35, 20), disk(*SIZE, 30, 35, 9)


def uncompressed(mask):
    flat = mask.ravel(order="F").astype(np.int8)
    changes = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *changes, flat.size]).tolist()
    return {"size": list(mask.shape), "counts": ([0] if flat[0] else []) + runs}


def rectangle(x1, y1, x2, y2):
    return [[x1, y1, x2, y1, x2, y2, x1, y2]]


def own_json(path, *, names=("cup", "disc"), mark=b"", slash="/", changed=None):
    """Two photographs, cup before disc, the first one's disc in two pieces; `changed` edits the document."""
    images, annotations = [], []
    left, right = DISC_MASK.copy(), DISC_MASK.copy()
    left[:, 35:] = right[:, :35] = False
    for i in (1, 2):
        photograph(path.parent / "eyes" / f"{i}.png", SIZE)
        images.append({"id": i, "file_name": f"eyes{slash}{i}.png", "height": 60, "width": 70})
        parts = [(2, left), (2, right)] if i == 1 else [(2, DISC_MASK)]
        for category, mask in [(1, CUP_MASK), *parts]:
            annotations.append({"id": len(annotations) + 1, "image_id": i, "category_id": category, "iscrowd": 1})
            annotations[-1] |= {"bbox": [0, 0, 9, 9], "area": int(mask.sum()), "segmentation": uncompressed(mask)}
    categories = [{"id": i, "name": name} for i, name in enumerate(names, start=1)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    if changed:
        changed(document)
    path.write_bytes(mark + json.dumps(document).encode())
    return str(path)


def swap(document):
    """The same with the numbers of the categories exchanged."""
    for annotation in document["annotations"]:
        annotation["category_id"] = 3 - annotation["category_id"]


@pytest.fixture
def forget():
    """Removes what a test registered."""
    before = set(DatasetCatalog.list())
    yield
    for name in set(DatasetCatalog.list()) - before:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def perfect(evaluator, record):
    instances = Instances(SIZE, scores=torch.ones(2), pred_classes=torch.tensor([0, 1]))
    instances.pred_masks = torch.from_numpy(np.stack([DISC_MASK, CUP_MASK]))
    instances.pred_boxes = Boxes(torch.zeros(2, 4))
    evaluator.process([record], [{"instances": instances}])


@pytest.mark.parametrize("names", [("cup", "disc"), ("OC", "OD"), ("Optic Cup", "optic-disc")])
@pytest.mark.parametrize("road", ["path", "Detectron2"])
def test_a_cup_before_the_disc_is_a_cup_on_every_road(tmp_path, small_cfg, forget, road, names):
    # Detectron2's own reader knows no byte-order mark, no backslashes, and drops crowds from training.
    ours = {"mark": b"\xef\xbb\xbf", "slash": "\\"} if road == "path" else {}
    name = path = own_json(tmp_path / "own.json", names=names, **ours)
    if road == "path":
        require_dataset(name)
    else:
        register_coco_instances(name := f"own_{names[0]}", {}, path, str(tmp_path))
    small_cfg.DATASETS.TRAIN = (name,)
    small_cfg.INPUT.RANDOM_FLIP, small_cfg.INPUT.RANDOM_FLIP_VERTICAL = "none", False
    small_cfg.INPUT.RANDOM_ROTATE_90 = False
    small_cfg.INPUT.MIN_SIZE_TRAIN, small_cfg.INPUT.MAX_SIZE_TRAIN = (60,), 70
    mapper = fundus_plugins.DiscCupMapper(small_cfg, True)
    evaluator = fundus_plugins.DiscCupEvaluator(name)
    for record in DatasetCatalog.get(name):
        targets = mapper(record)["instances"].gt_disc_cup
        np.testing.assert_array_equal(targets.masks[0].numpy() > 0, [DISC_MASK, CUP_MASK])
        assert targets.known.all()
        perfect(evaluator, record)
    found = evaluator.evaluate()["disc_cup"]
    assert found["dice_od"] == found["dice_oc"] == 1 and found["vcdr_mae"] == 0
    other = own_json(tmp_path / "other.json", names=("disc", "cup"), changed=swap)
    register_coco_instances(f"other_{road}_{names[0]}", {}, other, str(tmp_path))
    small_cfg.DATASETS.TRAIN = (name, f"other_{road}_{names[0]}")
    loader = fundus_plugins.FundusTrainer.build_train_loader(small_cfg)
    for batch, _ in zip(loader, range(3)):
        for image in batch:
            disc, cup = image["instances"].gt_disc_cup.masks[0].flatten(1).sum(1)
            assert disc > 3 * cup > 0


def test_unknown_names_are_refused_before_the_first_iteration(tmp_path, small_cfg, forget):
    path = own_json(tmp_path / "own.json", names=("excavation", "papilla"))
    require_dataset(path)
    with pytest.raises(
        BadInput, match=r"optic_disc, disc, OD.*--categories disc=NAME cup=NAME ignore=NAME.*found excavation, papilla"
    ):
        DatasetCatalog.get(path)
    register_coco_instances("own_unknown", {}, path, str(tmp_path))
    small_cfg.DATASETS.TRAIN, small_cfg.DATASETS.TEST = (), ("own_unknown",)
    with pytest.raises(BadInput, match="found excavation, papilla"):
        fundus_plugins.FundusTrainer(small_cfg)
    own = parse_categories(["disc=Papilla", "cup=excavation"])
    assert disc_cup_structures("own_unknown", own) == [CUP, DISC]
    evaluator = fundus_plugins.DiscCupEvaluator("own_unknown", categories=["disc=papilla", "cup=excavation"])
    perfect(evaluator, DatasetCatalog.get("own_unknown")[0])
    assert evaluator.evaluate()["disc_cup"]["dice_oc"] == 1


def test_names():
    assert structures_of(["objects", "Cup", "OPTIC_DISC", "fovea"], "x") == [None, CUP, DISC, None]
    assert structures_of(["a", "b"], "x", parse_categories(["disc=b"])) == [None, DISC]
    assert structures_of(["disc", "Fovea"], "x", parse_categories(["ignore=fovea"])) == [DISC, IGNORED]
    with pytest.raises(ValueError, match="disc=papilla cup=excavation, found 'rim=x'"):
        parse_categories(["rim=x"])
    with pytest.raises(BadInput, match="unknown category: eye.png"):
        disc_and_cup([{"category_id": 0, "segmentation": []}], [None], SIZE, "eye.png")


@settings(max_examples=40, deadline=None)
@given(st.integers(5, 25), st.integers(0, 3), st.sampled_from(["rle", "counts", "polygon"]))
def test_every_way_to_write_a_mask(radius, pieces, how):
    disc = disk(*SIZE, 30, 35, radius)
    parts = [disc & (np.arange(70) % (pieces + 1) == piece)[None] for piece in range(pieces + 1)]
    if how == "polygon":
        boxes = [(35 - radius, 30 - radius, 35 + radius, 30 + radius), (35, 30, 36 + radius, 31 + radius)]
        disc = np.zeros(SIZE, bool)
        for x1, y1, x2, y2 in boxes:
            disc[y1:y2, x1:x2] = True
        segmentations = [rectangle(*box) for box in boxes]
    else:
        segmentations = [mask_to_rle(part) if how == "rle" else uncompressed(part) for part in parts]
    annotations = [{"category_id": 7, "segmentation": x} for x in segmentations]
    found = disc_and_cup(annotations, {7: DISC}, SIZE, "eye.png")
    np.testing.assert_array_equal(found[DISC] > 0, disc)
    assert list(found) == [DISC]


BROKEN = {
    "a box alone": (
        None,
        "no mask: eye.png: expected a segmentation of the disc as polygons or RLE, found a box alone",
    ),
    "another size": (mask_to_rle(DISC_MASK.T), "expected a mask of 70 x 60 pixels, found 60 x 70 pixels"),
    "a line": ([[1, 2, 3, 4]], "fewer than three points"),
    "not a number": ([[1, 2, 3, float("nan"), 5, 6]], "points that are no numbers"),
    "parts of the sides": ([[0.1, 0.1, 0.9, 0.1, 0.9, 0.9]], "none beyond 1: are they parts of the sides"),
    "on a larger picture": (rectangle(0, 0, 300, 300), r"polygon beyond.* points from \(0, 0\) to \(300, 300\)"),
    "too few pixels": ({"size": list(SIZE), "counts": [3, 4]}, "not the picture's pixels"),
    "garbage": ({"size": list(SIZE), "counts": "~~~~"}, "unreadable mask"),
    "no characters of RLE": ({"size": list(SIZE), "counts": "ab é"}, "unreadable mask"),
    "too few compressed": (
        mask_to_rle(DISC_MASK) | {"counts": mask_to_rle(DISC_MASK)["counts"][:-2]},
        "unreadable mask",
    ),
    "text": ("disc", "unreadable mask"),
    "inverted": (mask_to_rle(~DISC_MASK), "impossible disc.*is the mask inverted"),
    "a rim": (mask_to_rle(DISC_MASK & ~CUP_MASK), "impossible disc.*a ring"),
}


@pytest.mark.parametrize("segmentation, message", BROKEN.values(), ids=list(BROKEN))
def test_what_is_no_mask_names_the_photograph(segmentation, message):
    with pytest.raises(BadInput, match=message) as caught:
        disc_and_cup([{"category_id": 0, "segmentation": segmentation}], [DISC], SIZE, "eye.png")
    assert "eye.png" in str(caught.value) and "\n" not in str(caught.value)


def test_predictions_are_not_joined_and_may_be_impossible():
    annotations = [
        {"category_id": 0, "segmentation": mask_to_rle(DISC_MASK), "score": 0.4},
        {"category_id": 0, "segmentation": mask_to_rle(~DISC_MASK), "score": 0.6},
    ]
    found = disc_and_cup(annotations, [DISC], SIZE, "eye.png", true=False)
    np.testing.assert_array_equal(found[DISC] > 0, ~DISC_MASK)


def test_a_cup_outside_its_disc():
    shifted = [mask_to_rle(DISC_MASK), mask_to_rle(np.roll(CUP_MASK, 15, axis=1))]
    annotations = [{"category_id": i, "segmentation": x} for i, x in enumerate(shifted)]
    with pytest.raises(BadInput, match="cup outside disc: eye.png"):
        disc_and_cup(annotations, [DISC, CUP], SIZE, "eye.png")


def test_an_empty_cup_is_known_and_empty():
    annotations = [
        {"category_id": i, "segmentation": mask_to_rle(x)} for i, x in enumerate((DISC_MASK, CUP_MASK & False))
    ]
    found = disc_and_cup(annotations, [DISC, CUP], SIZE, "eye.png")
    assert CUP in found and not found[CUP].any()
    np.testing.assert_array_equal(decode_segmentation(mask_to_rle(CUP_MASK), SIZE), CUP_MASK)
    assert mask_util.area(mask_to_rle(CUP_MASK)) == CUP_MASK.sum()
