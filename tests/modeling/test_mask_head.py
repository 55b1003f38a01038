"""The mask branch alone: shapes, gradients, the cup within the disc."""

import pytest
import torch
from detectron2.layers import ShapeSpec
from detectron2.modeling import build_mask_head
from detectron2.modeling.postprocessing import detector_postprocess
from detectron2.structures import Boxes, Instances
from hypothesis import given, settings
from hypothesis import strategies as st

from fundus_plugins.modeling.losses import MASK_LOSSES


@pytest.fixture
def head(small_cfg):
    return build_mask_head(small_cfg, ShapeSpec(channels=16))


def detections(boxes):
    """As at inference: a disc's row and a cup's row for every box, in a 64 x 64 image."""
    instances = Instances((64, 64))
    instances.pred_boxes = Boxes(torch.tensor(boxes).repeat_interleave(2, 0))
    instances.scores = torch.linspace(0.9, 0.5, len(boxes)).repeat_interleave(2)
    instances.pred_classes = torch.tensor([0, 1] * len(boxes))
    return instances


@pytest.mark.parametrize("num_conv", [0, 1, 4])
@pytest.mark.parametrize("side", [28, 56])
def test_logits_and_gradients(small_cfg, num_conv, side):
    small_cfg.MODEL.ROI_MASK_HEAD.NUM_CONV = num_conv
    head = build_mask_head(small_cfg, ShapeSpec(channels=16))
    logits = head.layers(torch.randn(3, 16, side, side), torch.randn(3, 16, side // 2, side // 2))
    assert logits.shape == (3, 2, side, side) and logits.dtype == torch.float32
    logits.square().sum().backward()
    assert [n for n, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", MASK_LOSSES)
def test_every_loss_is_one_key_away(small_cfg, name):
    small_cfg.MODEL.RFNET.MASK_LOSS = name
    loss = build_mask_head(small_cfg, ShapeSpec(channels=16)).mask_loss(torch.zeros(1, 2, 4, 4), torch.ones(1, 2, 4, 4))
    assert torch.isfinite(loss)


def test_no_positive_roi_trains_with_zero_loss_and_a_gradient_for_every_parameter(head):
    nobody = Instances((64, 64), proposal_boxes=Boxes(torch.zeros(0, 4)), gt_classes=torch.zeros(0, dtype=torch.int64))
    loss = head((torch.zeros(0, 16, 56, 56), torch.zeros(0, 16, 28, 28)), [nobody])["loss_mask"]
    assert loss.item() == 0
    loss.backward()
    assert all(p.grad is not None for p in head.parameters())


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    left=st.floats(-10, 50),
    top=st.floats(-10, 50),
    width=st.floats(2, 60),
    height=st.floats(2, 60),
    size=st.tuples(st.integers(40, 200), st.integers(40, 200)),
)
def test_cup_never_leaves_the_disc_after_pasting(seed, left, top, width, height, size):
    from fundus_plugins.modeling import RFNetMaskHead

    torch.manual_seed(seed)
    head = RFNetMaskHead(in_channels=4, conv_dim=4, num_conv=2, num_classes=2, mask_loss=None).eval()
    torch.nn.init.normal_(head.predictor.weight, std=3.0)  # so that cup and disc disagree everywhere
    instances = detections([[left, top, left + width, top + height]])
    instances = head((torch.randn(1, 4, 28, 28), torch.randn(1, 4, 14, 14)), [instances], torch.tensor([0, 0]))[0]
    pasted = detector_postprocess(instances, *size)
    if len(pasted):
        disc, cup = pasted.pred_masks
        assert not (cup & ~disc).any()
