"""ROIAlign as matrix products against torchvision's kernel."""

import pytest
import torch
from torchvision.ops import roi_align as reference

from fundus_plugins.modeling.roi_align import ROIAlign, interpolation_matrix, roi_align

# index, x1, y1, x2, y2 in pixels of a 64 x 96 image: inside, over each border, far outside, the whole, empty, tiny
ROIS = torch.tensor(
    [
        [0, 10.3, 5.7, 40.2, 33.1],
        [1, -12.0, -9.5, 20.0, 18.0],
        [1, 70.0, 40.0, 120.0, 90.0],
        [0, 200.0, 200.0, 220.0, 210.0],
        [0, 0.0, 0.0, 96.0, 64.0],
        [1, 30.0, 30.0, 30.0, 30.0],
        [0, 50.1, 20.2, 51.3, 21.0],
    ]
)


@pytest.mark.parametrize("scale", [1.0, 1 / 4, 1 / 32])
@pytest.mark.parametrize("output, samples", [((7, 7), 2), ((56, 56), 2), ((5, 9), 1), ((4, 3), 3)])
def test_values_and_gradients_equal_torchvision(scale, output, samples):
    shape = (2, 3, max(1, int(64 * scale)), max(1, int(96 * scale)))
    ours = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    rois = ROIS.double()
    a = roi_align(ours, rois, output, scale, samples)
    b = reference(theirs, rois, output, scale, samples, aligned=True)
    torch.testing.assert_close(a, b, atol=1e-10, rtol=0)
    weight = torch.randn(a.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (a * weight).sum().backward()
    (b * weight).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-9, rtol=0)


def test_gradcheck():
    features = torch.randn(2, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    rois = ROIS[[0, 1, 2]].double()
    assert torch.autograd.gradcheck(lambda x: roi_align(x, rois, (3, 3), 1 / 12, 2), (features,))


def test_no_boxes_keep_the_graph():
    features = torch.randn(1, 2, 5, 6, requires_grad=True)
    pooled = roi_align(features, torch.zeros(0, 5), (7, 7), 1.0, 2)
    assert pooled.shape == (0, 2, 7, 7)
    pooled.sum().backward()
    assert torch.equal(features.grad, torch.zeros_like(features))


def test_weights_of_a_bin_inside_sum_to_one():
    weights = interpolation_matrix(torch.tensor([2.2]), torch.tensor([7.9]), 4, 2, 12)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 4))
    # Worked by hand: one bin from 1 to 3 with one sample reads cell 2 alone.
    assert interpolation_matrix(torch.tensor([1.0]), torch.tensor([3.0]), 1, 1, 5).tolist() == [[[0, 0, 1, 0, 0]]]


@pytest.mark.parametrize("samples", [2, 0])  # with 0 it is torchvision's, as on a GPU
def test_bfloat16_keeps_float32_coordinates(samples):
    features = torch.randn(1, 8, 128, 128, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[0, 401.3, 397.8, 498.6, 489.2]])
    exact = reference(features, rois, (14, 14), 0.25, samples, aligned=True)
    rounded = ROIAlign(14, 0.25, samples)(features.bfloat16(), rois)
    assert rounded.dtype == torch.bfloat16
    # A coordinate in bfloat16 would be off by up to a pixel, which on noise is an error of the order of 1.
    assert (rounded.float() - exact).abs().mean() < 0.01


def test_adaptive_sampling_uses_torchvision():
    features = torch.randn(2, 3, 16, 24)
    torch.testing.assert_close(
        ROIAlign(7, 0.25, 0)(features, ROIS), reference(features, ROIS, (7, 7), 0.25, 0, aligned=True)
    )
