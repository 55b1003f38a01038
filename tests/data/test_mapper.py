"""From COCO JSON to targets: Detectron2's augmentations move photograph, disc and cup alike."""

import cv2
import detectron2.data.transforms as T
import numpy as np
import pycocotools.mask as mask_util
import pytest
import torch
from detectron2.data import detection_utils
from detectron2.structures import BitMasks, BoxMode

from fundus_plugins.data.annotations import IGNORED
from fundus_plugins.data.augmentation import build_fundus_augmentations
from fundus_plugins.data.mapper import DiscCupMapper, build_fundus_mapper
from tests.conftest import disk


def record(tmp_path, *, height=90, width=120, cup="drawn", polygon=False):
    """A photograph whose red is the disc and whose green is the cup, and its annotations."""
    disc_mask, cup_mask = disk(height, width, 40, 80, 20), disk(height, width, 44, 84, 9)
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 2], image[..., 1] = disc_mask * 255, cup_mask * 255  # BGR
    path = str(tmp_path / "eye.png")
    cv2.imwrite(path, image)
    masks = {"drawn": [disc_mask, cup_mask], "empty": [disc_mask, cup_mask & False], "unknown": [disc_mask]}[cup]
    annotations = []
    for category, mask in enumerate(masks):
        segmentation = mask_util.encode(np.asfortranarray(mask.astype(np.uint8)))
        if polygon:
            contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            segmentation = [contour.ravel().astype(float).tolist() for contour in contours]
        annotations.append(
            {"segmentation": segmentation, "category_id": category, "bbox": [0, 0, 1, 1], "bbox_mode": BoxMode.XYWH_ABS}
        )
    return {"file_name": path, "height": height, "width": width, "image_id": 1, "annotations": annotations}


def mapper(*augmentations, is_train=True):
    return DiscCupMapper(is_train, augmentations=list(augmentations), image_format="RGB")


AUGMENTATIONS = [
    T.RandomFlip(1.0),
    T.RandomFlip(1.0, horizontal=False, vertical=True),
    *(T.RandomRotation([angle], expand=True, sample_style="choice") for angle in (0, 90, 180, 270)),
]


@pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=str)
def test_masks_move_with_the_photograph(tmp_path, augmentation):
    mapped = mapper(augmentation)(record(tmp_path))
    masks = mapped["instances"].gt_disc_cup.masks[0]
    assert masks.shape[1:] == mapped["image"].shape[1:]
    assert torch.equal(masks[0].bool(), mapped["image"][0] > 127)
    assert torch.equal(masks[1].bool(), mapped["image"][1] > 127)


@pytest.mark.parametrize("angle, turns", [(90, 1), (180, 2), (270, 3)])
def test_rotation_is_exact(tmp_path, angle, turns):
    whole = mapper()(record(tmp_path))["instances"].gt_disc_cup.masks[0]
    rotated = mapper(T.RandomRotation([angle], expand=True, sample_style="choice"))(record(tmp_path))
    assert torch.equal(rotated["instances"].gt_disc_cup.masks[0], torch.rot90(whole, turns, (1, 2)))


def test_box_is_tight_and_in_pixels_of_the_resized_photograph(tmp_path):
    mapped = mapper(T.ResizeShortestEdge(45, 60))(record(tmp_path))
    assert mapped["image"].shape == (3, 45, 60) and mapped["image"].dtype == torch.uint8
    instances = mapped["instances"]
    assert instances.image_size == (45, 60) and instances.gt_classes.tolist() == [0]
    tight = BitMasks(instances.gt_disc_cup.masks[:, 0]).get_bounding_boxes()
    assert torch.equal(instances.gt_boxes.tensor, tight.tensor)
    np.testing.assert_allclose(instances.gt_boxes.tensor[0], [30, 10, 50, 30], atol=1)


def test_polygons_are_read_too(tmp_path):
    exact = mapper()(record(tmp_path))["instances"].gt_disc_cup.masks
    drawn = mapper()(record(tmp_path, polygon=True))["instances"].gt_disc_cup.masks
    assert (exact != drawn).float().mean() < 0.01


@pytest.mark.parametrize("cup, known", [("drawn", True), ("empty", True), ("unknown", False)])
def test_an_unknown_cup_is_not_an_empty_one(tmp_path, cup, known):
    masks = mapper()(record(tmp_path, cup=cup))["instances"].gt_disc_cup
    assert masks.known.tolist() == [[True, known]]
    assert masks.masks[0, 1].any() == (cup == "drawn")


def test_photograph_without_a_disc_gives_no_row(tmp_path):
    entry = record(tmp_path)
    entry["annotations"] = []
    instances = mapper()(entry)["instances"]
    assert len(instances) == 0 and len(instances.gt_disc_cup) == 0 and len(instances.gt_boxes) == 0


def test_at_test_time_there_are_no_targets(tmp_path):
    mapped = mapper(is_train=False)(record(tmp_path))
    assert "instances" not in mapped and "annotations" not in mapped
    assert mapped["height"] == 90 and mapped["image"].shape == (3, 90, 120)


def test_record_is_left_as_it_was(tmp_path):
    entry = record(tmp_path)
    mapper()(entry)
    assert len(entry["annotations"]) == 2


def test_config_decides_the_augmentations(small_cfg):
    kinds = [type(x).__name__ for x in build_fundus_augmentations(small_cfg, True)]
    assert kinds == ["ResizeShortestEdge", "RandomFlip", "RandomFlip", "RandomRotation"]
    assert [type(x).__name__ for x in build_fundus_augmentations(small_cfg, False)] == ["ResizeShortestEdge"]
    small_cfg.INPUT.RANDOM_FLIP_VERTICAL = small_cfg.INPUT.RANDOM_ROTATE_90 = False
    assert len(build_fundus_augmentations(small_cfg, True)) == 2


def test_cache_gives_the_same_and_follows_changes(tmp_path, monkeypatch):
    resize, flip = T.ResizeShortestEdge(60, 60), T.RandomFlip(1.0)
    plain = DiscCupMapper(True, augmentations=[resize, flip], image_format="RGB")
    cached = DiscCupMapper(True, augmentations=[resize, flip], image_format="RGB", cache=str(tmp_path / "cache"))

    def same(entry):
        a, b = plain(entry), cached(entry)
        assert torch.equal(a["image"], b["image"]) and a["image"].shape == (3, 45, 60)
        assert torch.equal(a["instances"].gt_disc_cup.masks, b["instances"].gt_disc_cup.masks)
        assert torch.equal(a["instances"].gt_boxes.tensor, b["instances"].gt_boxes.tensor)
        return len(list((tmp_path / "cache").iterdir()))

    entry = record(tmp_path)
    assert same(entry) == 1
    reads = []
    read_image = detection_utils.read_image
    monkeypatch.setattr(
        detection_utils, "read_image", lambda *args, **kw: reads.append(args) or read_image(*args, **kw)
    )
    cached(entry)
    assert not reads, "a kept photograph was decoded again"
    assert same(entry | {"annotations": entry["annotations"][:1]}) == 2  # another truth, another entry
    image = cv2.imread(entry["file_name"])
    cv2.imwrite(entry["file_name"], 255 - image)
    assert same(entry) == 3  # another photograph under the old name
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(b"damaged")
    assert same(entry) == 3
    monkeypatch.setattr("fundus_plugins.data.cache.READING", 999)  # a reader that reads otherwise
    assert same(entry) == 4
    plain.structures = cached.structures = (0, IGNORED)  # other names of categories
    assert same(entry) == 5


def test_cache_needs_one_size(tmp_path):
    with pytest.raises(ValueError, match="DATALOADER.CACHE needs one fixed size"):
        resize = T.ResizeShortestEdge((60, 80), 100, "choice")
        DiscCupMapper(True, augmentations=[resize], image_format="RGB", cache=str(tmp_path))


@pytest.mark.parametrize("cup, classes", [("drawn", [0, 1]), ("empty", [0]), ("unknown", [0])])
def test_instances_move_with_the_photograph(small_cfg, tmp_path, cup, classes):
    small_cfg.INPUT.TARGETS, small_cfg.INPUT.MASK_FORMAT = "instances", "bitmask"
    small_cfg.INPUT.MIN_SIZE_TRAIN, small_cfg.INPUT.MAX_SIZE_TRAIN = (90,), 120
    build, shapes = build_fundus_mapper(small_cfg, True), set()
    for seed in range(8):
        np.random.seed(seed)
        mapped = build(record(tmp_path, cup=cup))
        instances, image = mapped["instances"], mapped["image"]
        assert instances.gt_classes.tolist() == classes and instances.image_size == tuple(image.shape[1:])
        for mask, channel in zip(instances.gt_masks.tensor, image):
            assert torch.equal(mask, channel > 127)
        assert torch.equal(instances.gt_boxes.tensor, instances.gt_masks.get_bounding_boxes().tensor)
        shapes.add(tuple(image.shape))
    assert shapes == {(3, 90, 120), (3, 120, 90)}


def test_box_scale_enlarges_boxes_about_their_middles_within_the_image(tmp_path):
    def boxes(scale):
        mapped = DiscCupMapper(True, augmentations=[], image_format="RGB", box_scale=scale)(record(tmp_path))
        return mapped["instances"].gt_boxes.tensor

    assert boxes(1).tolist() == mapper()(record(tmp_path))["instances"].gt_boxes.tensor.tolist()
    tight = boxes(1)[0]
    reach = 1.25 * (tight[2:] - tight[:2]) / 2
    middle = (tight[:2] + tight[2:]) / 2
    torch.testing.assert_close(boxes(1.25)[0], torch.cat([middle - reach, middle + reach]))
    assert boxes(9)[0].tolist() == [0, 0, 120, 90]


def test_a_view_is_taken_about_the_true_disc(tmp_path):
    """The mask that RandomAffine aims by is the record's; the target has the size asked for."""
    from fundus_plugins.data.augmentation.affine import RandomAffine

    mapped = mapper(RandomAffine(64, (0.5, 0.5)))(record(tmp_path))
    box = mapped["instances"].gt_boxes.tensor[0]
    assert mapped["image"].shape == (3, 64, 64)
    assert (box[2:] - box[:2]).max().item() == pytest.approx(32, abs=1.5)


def test_a_config_asks_for_views_and_cameras_in_training_alone(small_cfg):
    from fundus_plugins.data.augmentation.affine import RandomAffine
    from fundus_plugins.data.augmentation.photometric import RandomPhotometric

    def kinds(is_train):
        return [type(x) for x in build_fundus_augmentations(small_cfg, is_train)]

    assert RandomAffine not in kinds(True) and RandomPhotometric not in kinds(True)
    small_cfg.INPUT.RANDOM_AFFINE.SIDE, small_cfg.INPUT.PHOTOMETRIC.TONE = 128, 0.3
    assert kinds(True)[-2:] == [RandomAffine, RandomPhotometric]
    assert kinds(False) == [T.ResizeShortestEdge]
    small_cfg.INPUT.FORMAT = "BGR"
    with pytest.raises(ValueError, match="INPUT.PHOTOMETRIC.*RGB.*BGR"):
        kinds(True)
    small_cfg.INPUT.FORMAT, small_cfg.INPUT.TARGETS = "RGB", "instances"
    with pytest.raises(ValueError, match="INPUT.RANDOM_AFFINE.SIDE.*disc_cup"):
        build_fundus_mapper(small_cfg, True)
