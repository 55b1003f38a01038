"""Fusion Feature Pooling against Detectron2's own pooler."""

import pytest
import torch
from detectron2.modeling.poolers import ROIPooler
from detectron2.structures import Boxes
from torchvision.ops import roi_align

from fundus_plugins.modeling.poolers import FusionFeaturePooler, build_roi_pooler

SCALES = [1 / 4, 1 / 8, 1 / 16, 1 / 32]
BOXES = [Boxes(torch.tensor([[10.0, 20, 70, 90], [0, 0, 128, 128]])), Boxes(torch.tensor([[40.0, 30, 50, 44]]))]
ROIS = torch.tensor([[0.0, 10, 20, 70, 90], [0, 0, 0, 128, 128], [1, 40, 30, 50, 44]])


def levels():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, int(128 * s), int(128 * s), generator=generator) for s in SCALES]


def test_fusion_is_the_maximum_over_pairs_of_levels():
    features = levels()
    low, high = FusionFeaturePooler(56, SCALES, 2)(features, BOXES)
    expected = [
        roi_align(level, ROIS, side, scale, 2, aligned=True)
        for level, scale, side in zip(features, SCALES, (56, 56, 28, 28))
    ]
    torch.testing.assert_close(low, torch.maximum(expected[0], expected[1]), atol=5e-5, rtol=0)
    torch.testing.assert_close(high, torch.maximum(expected[2], expected[3]), atol=5e-5, rtol=0)


def test_pyramid_takes_the_one_level_detectron2_assigns():
    features = levels()
    low, high = FusionFeaturePooler(28, SCALES, 2, "pyramid")(features, BOXES)
    for pooled, side in ((low, 28), (high, 14)):
        expected = ROIPooler(side, SCALES, 2, "ROIAlignV2")(features, BOXES)
        torch.testing.assert_close(pooled, expected, atol=5e-5, rtol=0)


def test_no_boxes():
    features = [x.requires_grad_() for x in levels()]
    none = [Boxes(torch.zeros(0, 4))] * 2
    for pooling in ("fusion", "pyramid"):
        low, high = FusionFeaturePooler(56, SCALES, 2, pooling)(features, none)
        assert low.shape == (0, 3, 56, 56) and high.shape == (0, 3, 28, 28)


def test_box_pooler_is_detectron2s():
    features = levels()
    expected = ROIPooler(7, SCALES, 2, "ROIAlignV2")(features, BOXES)
    torch.testing.assert_close(build_roi_pooler(7, SCALES, 2)(features, BOXES), expected, atol=5e-5, rtol=0)


@pytest.mark.parametrize("arguments, words", [((56, SCALES, 2, "max"), "fusion, pyramid"), ((57, SCALES, 2), "even")])
def test_bad_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        FusionFeaturePooler(*arguments)
