"""Lovász-Softmax beside a definition by sets, and its properties."""

from itertools import combinations

import numpy as np
import pytest
import torch

from fundus_plugins.modeling.losses import build_mask_loss, lovasz_loss
from fundus_plugins.modeling.lovasz import lovasz_per_class


def jaccard_of_wrong_pixels(wrong: set[int], target: np.ndarray) -> float:
    """Equation 6: 1 - IoU where exactly the pixels `wrong` are wrong."""
    predicted = np.array([bool(y) != (i in wrong) for i, y in enumerate(target)])
    union = (predicted | (target > 0)).sum()
    return 1 - (predicted & (target > 0)).sum() / union if union else 0.0


def by_definition(errors: np.ndarray, target: np.ndarray) -> float:
    """The Lovász extension as an integral over thresholds: of the sets of pixels whose errors are above each."""
    levels = np.unique([0.0, *errors])
    return sum(
        (high - low) * jaccard_of_wrong_pixels(set(np.flatnonzero(errors > low)), target)
        for low, high in zip(levels, levels[1:])
    )


@pytest.mark.parametrize("seed", range(5))
def test_is_the_extension_of_the_jaccard_loss(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, 2, 3, 4, generator=generator)
    target = (torch.rand(2, 2, 3, 4, generator=generator) > 0.6).float()
    found = lovasz_per_class(logits, target)
    errors = (target - logits.sigmoid()).abs().double()
    for n, k in np.ndindex(2, 2):
        expected = by_definition(errors[n, k].numpy().ravel(), target[n, k].numpy().ravel())
        assert found[n, k].item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("wrong", [x for n in range(4) for x in combinations(range(4), n)])
def test_at_certain_predictions_it_is_one_minus_iou(wrong):
    target = np.array([1, 1, 0, 0])
    signs = np.where([(y > 0) != (i in wrong) for i, y in enumerate(target)], 60.0, -60.0)
    found = lovasz_per_class(torch.tensor(signs).reshape(1, 1, 2, 2), torch.tensor(target).reshape(1, 1, 2, 2))
    assert found.item() == pytest.approx(jaccard_of_wrong_pixels(set(wrong), target), abs=1e-6)


def test_of_an_empty_mask_it_is_the_largest_probability():
    logits = torch.tensor([[[[-3.0, 0.5], [-1.0, -2.0]]]])
    assert lovasz_per_class(logits, torch.zeros_like(logits)).item() == pytest.approx(1 / (1 + np.exp(-0.5)))


def test_unknown_masks_do_not_count_and_none_gives_zero():
    logits = torch.randn(2, 2, 4, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    target = torch.zeros(2, 2, 4, 4)
    target[:, :, 1:3] = 1
    weight = torch.tensor([[1, 1], [1, 0]])
    lovasz_loss(logits, target, weight).backward()
    assert logits.grad[0].any() and logits.grad[1, 0].any() and not logits.grad[1, 1].any()
    assert build_mask_loss("lovasz") is lovasz_loss
    assert lovasz_loss(logits[:0], target[:0]).item() == 0
