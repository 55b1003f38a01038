"""INPUT.DISC_CROP: squares about the true or the detected disc, in training and back to the photograph."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog

import fundus_plugins
from fundus_plugins.boxes import box_of
from fundus_plugins.data.annotations import disc_and_cup
from fundus_plugins.data.augmentation import build_fundus_augmentations
from fundus_plugins.data.augmentation.disc_crop import RandomDiscCrop
from fundus_plugins.data.detected_discs import detected_discs
from fundus_plugins.data.mapper import DiscCropMapper, build_fundus_mapper
from fundus_plugins.modeling.segmentation.instances import at_photograph_size, disc_cup_instances
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.resampling import crop_about, warp
from tests.conftest import disk
from tests.modeling.segmentation.networks import network_config

SIDE = 96
CATEGORIES = [{"id": 1, "name": "optic_disc"}, {"id": 2, "name": "optic_cup"}]


@pytest.fixture
def records(phantoms):
    fundus_plugins.register_fundus_datasets(str(phantoms))
    return DatasetCatalog.get("phantom_val")


def config(*options):
    keys = ["INPUT.MIN_SIZE_TRAIN", (0,), "INPUT.DISC_CROP.SIDE", SIDE, "DATASETS.TEST", ("phantom_val",)]
    return network_config("unet_drishti", *keys, "INPUT.DISC_CROP.ABOUT", "true", *options)


def masks_of(record):
    size = record["height"], record["width"]
    found = disc_and_cup(record["annotations"], (0, 1), size, record["file_name"])
    return np.stack([found[0], found[1]])


def predictions(path, records, shift=0.0):
    """COCO JSON with every disc's true box, moved to the right by a part of its width; a worse one beside it."""
    images, annotations = [], []
    for i, record in enumerate(records):
        x1, y1, x2, y2 = box_of(masks_of(record)[0])
        images.append({"id": i, **{key: record[key] for key in ("file_name", "height", "width")}})
        for box, score in (([x1 + shift * (x2 - x1), y1, x2 - x1, y2 - y1], 0.9), ([0, 0, 5, 5], 0.2)):
            annotations.append({"id": len(annotations), "image_id": i, "category_id": 1, "bbox": box, "score": score})
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": CATEGORIES}))
    return str(path)


def test_the_square_is_so_many_discs_wide():
    matrix = crop_about(np.array([30.0, 40, 50, 70]), (200, 300), diameters=2, side=120)
    assert matrix.tolist() == [[2, 0, 60 - 80], [0, 2, 60 - 110]]
    whole = crop_about(None, (200, 300), diameters=2, side=120)
    assert whole == pytest.approx(np.array([[0.4, 0, 0], [0, 0.4, 20]]))


def test_what_is_seen_comes_back_to_its_place(records):
    """True masks, cut like the photograph and pasted back, are the true masks."""
    mapper = build_fundus_mapper(config(), False, structures=(0, 1))
    for record in records:
        item, masks = mapper(record), masks_of(record)
        assert item["image"].shape == (3, SIDE, SIDE) and "annotations" not in item
        matrix, box = item["from_photograph"], np.array(box_of(masks[0]))
        assert matrix[0, 0].item() == pytest.approx(SIDE / (2 * (box[2:] - box[:2]).max()))
        seen = np.stack([warp(255 * mask, matrix.numpy(), (SIDE, SIDE)) for mask in masks]) / 255
        size = record["height"], record["width"]
        found = disc_cup_instances(at_photograph_size(torch.from_numpy(seen).float(), size, matrix))
        for own, true in zip(found.pred_masks.numpy(), masks):
            assert (own != true).sum() <= 0.03 * true.sum()


def test_in_training_the_disc_is_in_the_middle(records):
    mapper = build_fundus_mapper(config("INPUT.DISC_CROP.JITTER", 0.0), True)
    assert isinstance(mapper, DiscCropMapper)
    item = mapper(records[0])
    assert item["image"].shape == (3, SIDE, SIDE) and item["instances"].image_size == (SIDE, SIDE)
    x1, y1, x2, y2 = item["instances"].gt_boxes.tensor[0].tolist()
    assert [(x1 + x2) / 2, (y1 + y2) / 2] == pytest.approx([SIDE / 2] * 2, abs=1.5)
    assert max(x2 - x1, y2 - y1) == pytest.approx(SIDE / 2, abs=2)


def test_the_square_is_cut_before_it_is_turned():
    """A photograph as it is has many times its pixels."""
    found = [type(x).__name__ for x in build_fundus_augmentations(config("INPUT.RANDOM_ROTATE_90", True), True)]
    assert found[:2] == ["ResizeShortestEdge", "RandomDiscCrop"] and "RandomFlip" in found and "RandomRotation" in found


def test_a_detector_is_a_little_off():
    np.random.seed(0)
    disc = disk(200, 300, 80, 120, 20).astype(np.uint8)
    crop = RandomDiscCrop(2, 100, 0.2)
    found = np.array([crop.get_transform(np.zeros((200, 300, 3), np.uint8), disc).matrix for _ in range(200)])
    diameters = 100 / found[:, 0, 0] / 2
    assert 41 * np.exp(-0.2) <= diameters.min() < 38 and 44 < diameters.max() <= 41 * np.exp(0.2)
    off = ((50 - found[:, :, 2]) / found[:, :1, 0] - [120.5, 80.5]) / 41
    assert np.abs(off).max() <= 0.2 + 1e-9 and off.min() < -0.15 and off.max() > 0.15


@pytest.mark.parametrize("disc", [None, np.zeros((200, 300), np.uint8)])
def test_without_a_disc_it_is_the_whole_photograph(disc):
    matrix = RandomDiscCrop(2, 100, 0.2).get_transform(np.zeros((200, 300, 3), np.uint8), disc).matrix
    assert np.array_equal(matrix, crop_about(None, (200, 300), 2, 100))


def test_detected_discs_decide_where_it_is(records, tmp_path):
    def seen(path):
        options = ["INPUT.DISC_CROP.ABOUT", "detected", "INPUT.DISC_CROP.DISCS", path]
        return build_fundus_mapper(config(*options), False)(records[0])

    true = build_fundus_mapper(config(), False, structures=(0, 1))(records[0])
    exact = seen(predictions(tmp_path / "exact.json", records))
    assert torch.equal(exact["image"], true["image"]) and torch.equal(exact["from_photograph"], true["from_photograph"])
    moved = seen(predictions(tmp_path / "moved.json", records, shift=0.25))["from_photograph"]
    x1, _, x2, _ = box_of(masks_of(records[0])[0])
    expected = float(true["from_photograph"][0, 2]) - 0.25 * (x2 - x1) * float(moved[0, 0])
    assert float(moved[0, 2]) == pytest.approx(expected)
    document = json.loads((tmp_path / "exact.json").read_text())
    document["annotations"] = [x for x in document["annotations"] if x["image_id"] != 0]
    (tmp_path / "missed.json").write_text(json.dumps(document))
    missed = seen(str(tmp_path / "missed.json"))["from_photograph"].numpy()
    assert np.array_equal(missed, crop_about(None, (records[0]["height"], records[0]["width"]), 2, SIDE))


def test_where_no_disc_was_looked_for_is_told(records, tmp_path):
    """The whole photograph would be seen, or another place of it."""
    path, record = tmp_path / "other.json", records[0]
    name, height, width = Path(record["file_name"]).name, record["height"], record["width"]
    document = json.loads(Path(predictions(path, records)).read_text())
    first = document["images"].pop(0)
    found = [x for x in document["annotations"] if x["image_id"] != first["id"]]
    larger = [first | {"height": 2 * height, "width": 2 * width}, *document["images"]]
    for changed, message in (
        (document | {"annotations": found}, f"it in the JSON .* found it is not among {len(records) - 1} photographs"),
        (document | {"images": larger}, f"{2 * width} x {2 * height} pixels.* found {width} x {height}"),
    ):
        path.write_text(json.dumps(changed))
        cfg = config("INPUT.DISC_CROP.ABOUT", "detected", "INPUT.DISC_CROP.DISCS", str(path))
        with pytest.raises(BadInput, match=f"{name}: expected {message}"):
            build_fundus_mapper(cfg, False)(record)
        with pytest.raises(BadInput, match=f"{name}: expected {message}"):  # a training makes it before its first step
            fundus_plugins.FundusTrainer.build_test_loader(cfg, "phantom_val")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda x: x["images"][1].update(file_name="other/a.png"), "photographs of different file names"),
        (lambda x: x["annotations"][0].pop("bbox"), "a bbox of the disc of a.png"),
        (lambda x: x["categories"][0].update(name="lesion"), "other categories"),
    ],
)
def test_what_are_no_discs(tmp_path, change, message):
    images = [{"id": i, "file_name": f"{name}.png", "height": 9, "width": 9} for i, name in enumerate("ab")]
    annotations = [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 1, 3, 3]}]
    document = {"images": images, "annotations": annotations, "categories": [dict(x) for x in CATEGORIES]}
    change(document)
    (tmp_path / "discs.json").write_text(json.dumps(document))
    with pytest.raises(BadInput, match=message):
        detected_discs(tmp_path / "discs.json")


@pytest.mark.parametrize(
    "options, message",
    [
        (["INPUT.DISC_CROP.ABOUT", "somewhere"], "ABOUT 'somewhere': expected one of none, true, detected"),
        (["INPUT.DISC_CROP.ABOUT", "detected"], "DISC_CROP.DISCS, COCO JSON .* found none"),
        (["MODEL.META_ARCHITECTURE", "GeneralizedRCNN"], "needs MODEL.META_ARCHITECTURE DiscCupSegmentor"),
        (["INPUT.RANDOM_AFFINE.SIDE", 64], "both frame the photograph"),
        (["INPUT.DISC_CROP.DIAMETERS", 0.5], "DIAMETERS of at least 1"),
    ],
)
def test_what_cannot_be_cut(options, message):
    with pytest.raises(ValueError, match=message):
        build_fundus_mapper(config(*options), True)


@pytest.mark.parametrize("turn", [np.fliplr, np.flipud, np.rot90])
def test_squares_are_the_same_before_and_after_a_flip(turn):
    image = np.random.default_rng(0).integers(0, 256, (160, 240, 3), np.uint8)
    disc = disk(160, 240, 70, 90, 21).astype(np.uint8)
    crop = RandomDiscCrop(2, 64, 0)
    first, later = (crop.get_transform(x, y).apply_image(x) for x, y in ((image, disc), (turn(image), turn(disc))))
    assert np.abs(turn(first).astype(int) - later).max() <= 1
