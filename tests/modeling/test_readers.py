"""Readers' styles in the mask branch: nothing at first, learned where there is a reader, chosen at prediction."""

import pytest
import torch
from detectron2.layers import ShapeSpec
from detectron2.modeling import build_mask_head, build_model
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage

from fundus_plugins.config import parse_readers
from fundus_plugins.data.mapper import build_fundus_mapper
from fundus_plugins.data.registration import disc_cup_dataset, register_fundus_datasets
from tests.conftest import training_input

READERS = ["first=a_train", "second=b_train"]


@pytest.fixture
def head(small_cfg):
    small_cfg.MODEL.RFNET.READERS = READERS
    small_cfg.MODEL.RFNET.READER_DROPOUT = 0.0
    return build_mask_head(small_cfg, ShapeSpec(channels=16))


def features(rois=3):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(rois, 16, side, side, generator=generator) for side in (56, 28)]


def test_a_new_style_changes_nothing(head, small_cfg):
    logits = head.layers(*features())
    for reader in range(3):
        torch.testing.assert_close(head.layers(*features(), torch.full((3,), reader)), logits, rtol=0, atol=0)


def test_without_readers_nothing_is_added(small_cfg):
    names = build_mask_head(small_cfg, ShapeSpec(channels=16)).state_dict()
    assert not [name for name in names if "style" in name]


def test_each_reader_learns_its_own_and_nobody_stays(small_cfg):
    small_cfg.MODEL.RFNET.READERS = READERS
    small_cfg.MODEL.RFNET.READER_DROPOUT = 0.0
    model = build_model(small_cfg)
    inputs = [training_input(seed=0), training_input(seed=1)]
    for x, reader in zip(inputs, (2, 0)):
        x["instances"].gt_reader = torch.tensor([reader])
    with EventStorage():
        sum(model.train()(inputs).values()).backward()
    gradient = model.roi_heads.mask_head.styles.weight.grad
    assert gradient[2].any() and not gradient[0].any() and not gradient[1].any()


def test_all_of_them_dropped_leaves_no_style(small_cfg):
    small_cfg.MODEL.RFNET.READERS = READERS
    small_cfg.MODEL.RFNET.READER_DROPOUT = 1.0
    head = build_mask_head(small_cfg, ShapeSpec(channels=16))
    nobody = Instances((64, 64), gt_reader=torch.tensor([1, 2, 2]))
    assert head._drawn_by([nobody]).tolist() == [0, 0, 0]


def test_prediction_is_nobodys_one_readers_or_the_mean(small_cfg):
    small_cfg.MODEL.RFNET.READERS = READERS
    predictions = {}
    for names in ([], ["first"], ["second"], ["first", "second"]):
        small_cfg.TEST.READERS = names
        torch.manual_seed(0)
        head = build_mask_head(small_cfg, ShapeSpec(channels=16)).eval()
        torch.nn.init.normal_(head.predictor.weight, std=0.3)
        torch.nn.init.normal_(head.styles.weight[1:].data)
        predictions[tuple(names)] = head.probabilities(tuple(features()))
    first, second, mean = (predictions[x] for x in (("first",), ("second",), ("first", "second")))
    assert not torch.allclose(first, second) and not torch.allclose(first, predictions[()])
    torch.testing.assert_close(mean[:, 0], ((first + second) / 2)[:, 0])  # the disc; the cup is capped by it


def test_unknown_readers(small_cfg):
    small_cfg.MODEL.RFNET.READERS, small_cfg.TEST.READERS = READERS, ["third"]
    with pytest.raises(ValueError, match="TEST.READERS: expected some of first, second, found third"):
        build_mask_head(small_cfg, ShapeSpec(channels=16))
    for words in (["first"], ["=a"], ["first=a", "first=b"]):
        with pytest.raises(ValueError, match="expected words such as"):
            parse_readers(words)


def test_the_mapper_tells_whose_masks_they_are(small_cfg, phantoms):
    register_fundus_datasets(str(phantoms))
    records = disc_cup_dataset(["phantom_train", "phantom_val"])
    small_cfg.DATASETS.TRAIN = ("phantom_train", "phantom_val")
    small_cfg.MODEL.RFNET.READERS = ["nobody=other_train", "drawn=phantom_val"]
    mapper = build_fundus_mapper(small_cfg, is_train=True)
    readers = [mapper(record)["instances"].gt_reader.tolist() for record in records]
    assert readers == [[0]] * 6 + [[2]] * 2


def test_boxes_of_several_images(head):
    images = [Instances((64, 64), proposal_boxes=Boxes(torch.zeros(n, 4))) for n in (1, 0, 2)]
    for image, readers in zip(images, ([1], [], [2, 0])):
        image.gt_reader = torch.tensor(readers, dtype=torch.int64)
    assert head._drawn_by(images).tolist() == [1, 2, 0]
