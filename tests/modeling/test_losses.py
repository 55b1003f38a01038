"""RF-Net's mask losses: golden values worked by hand, references, properties."""

import math
import pickle

import pytest
import torch
import torch.nn.functional as F
from fvcore.nn import sigmoid_focal_loss
from monai.losses import DiceLoss

from fundus_plugins.modeling.losses import MASK_LOSSES, bce_loss, build_mask_loss, dice_loss, focal_loss


def example(rois=3, classes=2, side=8, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(rois, classes, side, side, generator=generator, dtype=dtype)
    target = (torch.rand(rois, classes, side, side, generator=generator) > 0.6).to(dtype)
    return logits, target


# One RoI, one class, two pixels of probability 1/2; truth 1 and 0. With SMOOTH = 1:
# bce = ln 2; dice = 1 - (2 * .5 + 1) / (1 + .5 + 1) = 0.2; focal (alpha 1, gamma 3) = (.5^3 ln 2) / 2;
# focal at alpha .5 = (.5 * .5^3 ln 2 * 2) / 2.
LN2 = math.log(2)
GOLDEN = [
    ("bce", {}, LN2),
    ("dice", {}, 0.2),
    ("focal", {}, LN2 / 16),
    ("focal", {"alpha": 0.5}, LN2 / 16),
    ("focal", {"gamma": 0.0}, LN2 / 2),
    ("bce_dice", {}, LN2 + 0.2),
    ("focal_dice", {}, 0.3 * LN2 / 16 + 0.2),
    ("focal_dice", {"focal_weight": 1.0}, LN2 / 16 + 0.2),
]


@pytest.mark.parametrize("name, arguments, expected", GOLDEN)
def test_golden_values(name, arguments, expected):
    loss = build_mask_loss(name, **arguments)(torch.zeros(1, 1, 1, 2), torch.tensor([[[[1.0, 0.0]]]]))
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_bce_is_torch_bce_summed_over_classes():
    logits, target = example(dtype=torch.float32)
    expected = 2 * F.binary_cross_entropy_with_logits(logits, target)
    torch.testing.assert_close(bce_loss(logits, target), expected)


def test_dice_is_monai_dice_with_squares():
    logits, target = example(dtype=torch.float32)
    expected = 2 * DiceLoss(sigmoid=True, squared_pred=True, smooth_nr=1.0, smooth_dr=1.0)(logits, target)
    torch.testing.assert_close(dice_loss(logits, target), expected)


@pytest.mark.parametrize("alpha", [0.25, 0.75])
def test_balanced_focal_is_fvcore_focal(alpha):
    logits, target = example(dtype=torch.float32)
    expected = 2 * sigmoid_focal_loss(logits, target, alpha=alpha, gamma=3.0, reduction="mean")
    torch.testing.assert_close(focal_loss(logits, target, alpha=alpha), expected)


def test_paper_alpha_ignores_negative_pixels():
    logits, target = example()
    changed = torch.where(target == 0, logits + 5, logits)
    torch.testing.assert_close(focal_loss(logits, target), focal_loss(changed, target))


@pytest.mark.parametrize("name", MASK_LOSSES)
def test_unknown_class_has_no_gradient_and_known_rois_keep_their_weight(name):
    logits, target = example(dtype=torch.float32)
    logits.requires_grad_()
    loss = build_mask_loss(name, alpha=0.5)
    weight = torch.tensor([[1, 1], [1, 0], [1, 1]])
    loss(logits, target, weight).backward()
    assert not logits.grad[1, 1].any() and logits.grad[1, 0].any()
    expected = loss(logits[:, :1], target[:, :1]) + loss(logits[[0, 2], 1:], target[[0, 2], 1:])
    torch.testing.assert_close(loss(logits, target, weight), expected)


@pytest.mark.parametrize("name", MASK_LOSSES)
@pytest.mark.parametrize("value", [-80.0, 80.0])
def test_extreme_logits_stay_finite_in_value_and_gradient(name, value):
    for truth in (0.0, 1.0):
        logits = torch.full((1, 2, 4, 4), value, dtype=torch.bfloat16, requires_grad=True)
        loss = build_mask_loss(name, alpha=0.5)(logits, torch.full((1, 2, 4, 4), truth))
        loss.backward()
        assert loss.dtype == torch.float32 and torch.isfinite(loss) and torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", MASK_LOSSES)
def test_perfect_prediction_costs_nothing_and_no_rois_cost_zero(name):
    _, target = example(dtype=torch.float32)
    loss = build_mask_loss(name, alpha=0.5)
    assert loss((target - 0.5) * 200, target).item() == pytest.approx(0, abs=1e-5)
    empty = torch.zeros(0, 2, 4, 4, requires_grad=True)
    assert loss(empty, torch.zeros(0, 2, 4, 4)).item() == 0


@pytest.mark.parametrize("name", MASK_LOSSES)
def test_float32_under_autocast(name):
    logits, target = example(dtype=torch.float32)
    loss = build_mask_loss(name)
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(logits, target)
    torch.testing.assert_close(inside, loss(logits, target), rtol=0, atol=0)


def test_unknown_name_is_refused():
    with pytest.raises(ValueError, match="'iou'.*focal_dice"):
        build_mask_loss("iou")


@pytest.mark.parametrize("name", MASK_LOSSES)
def test_every_loss_takes_a_weight_by_name_and_can_be_pickled(name):
    logits, target = example()
    weight = torch.tensor([[1, 1], [1, 0], [0, 1]])
    loss = build_mask_loss(name, alpha=0.5)
    by_name = loss(logits, target, weight=weight)
    assert torch.equal(by_name, loss(logits, target, weight))
    assert torch.equal(by_name, pickle.loads(pickle.dumps(loss))(logits, target, weight))
