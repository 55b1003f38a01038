"""Class activation maps: equation 2 by hand, against the logits, and against grad-cam; the hook leaves no trace."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fundus_plugins.measures.cam_overlap import energy_share
from fundus_plugins.modeling.backbone import TimmBackbone
from fundus_plugins.modeling.cam import captured_outputs, class_activation_maps, normalise_maps, upsample_maps
from fundus_plugins.modeling.grade_classifier import GradeClassifier


def test_equation_2_by_hand():
    features = torch.tensor([[[[1.0, 2.0], [0.0, 1.0]], [[0.0, 1.0], [3.0, 0.0]]]])
    maps = class_activation_maps(features, torch.tensor([[1.0, 2.0], [-1.0, 0.5]]))
    expected = torch.tensor([[[1.0, 4.0], [6.0, 1.0]], [[-1.0, -1.5], [1.5, -1.0]]])
    torch.testing.assert_close(maps, expected[None], rtol=0, atol=0)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4), st.integers(1, 6), st.integers(0, 9))
def test_mean_of_the_map_and_bias_are_the_logit(n, channels, classes, side, seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, channels, side, side + 1, generator=generator, dtype=torch.float64).float()
    layer = nn.Linear(channels, classes)
    maps = class_activation_maps(features, layer.weight)
    torch.testing.assert_close(maps.mean((2, 3)) + layer.bias, layer(features.mean((2, 3))), rtol=1e-5, atol=1e-5)


def test_parity_with_the_logits_of_a_real_network():
    torch.manual_seed(0)
    network = GradeClassifier(name="resnet18", num_classes=3).eval()
    images = torch.randint(0, 256, (2, 3, 96, 96))
    with torch.no_grad():
        logits, maps = network.logits_and_maps(images)
        assert maps.shape == (2, 3, 6, 6)
        torch.testing.assert_close(logits, network(images))
        torch.testing.assert_close(maps.mean((2, 3)) + network.classifier.bias, logits, rtol=1e-5, atol=1e-5)


def test_parity_with_grad_cam():
    library = pytest.importorskip("pytorch_grad_cam", reason="grad-cam is not installed")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    torch.manual_seed(0)
    network = GradeClassifier(name="resnet18", num_classes=3).eval()
    images = torch.randint(0, 256, (2, 3, 96, 96)).float()
    targets = [ClassifierOutputTarget(2), ClassifierOutputTarget(0)]
    with library.GradCAM(model=network, target_layers=[network.trunk]) as cam:
        theirs = cam(input_tensor=images, targets=targets)
    # After average pooling the gradients are the weights over the area: Grad-CAM is the map, cut off at 0.
    maps = network.logits_and_maps(images)[1].detach()
    ours = torch.stack([maps[0, 2], maps[1, 0]])[:, None].clamp(min=0)
    ours = upsample_maps(ours, (96, 96))[:, 0]
    np.testing.assert_allclose(theirs / theirs.max((1, 2), keepdims=True), ours / ours.amax((1, 2), True), atol=0.02)


def test_captured_outputs_of_any_module_and_no_hook_left():
    backbone = TimmBackbone(name="mobilenetv1_100").eval()
    with torch.no_grad(), captured_outputs(backbone) as whole, captured_outputs(backbone.body.conv_stem) as stem:
        features = backbone(torch.zeros(1, 3, 64, 64))
    assert whole[0]["res5"] is features["res5"] and stem[0].shape == (1, 32, 32, 32)
    with pytest.raises(RuntimeError, match="in the middle"), captured_outputs(backbone):
        raise RuntimeError("in the middle")
    assert not any(module._forward_hooks for module in backbone.modules())


def test_captured_features_make_the_same_map():
    network = GradeClassifier(name="resnet18", num_classes=2).eval()
    images = torch.randint(0, 256, (1, 3, 64, 64))
    with torch.no_grad(), captured_outputs(network.trunk) as outputs:
        maps = network.logits_and_maps(images)[1]
    torch.testing.assert_close(class_activation_maps(outputs[0], network.classifier.weight), maps)


def test_normalised_maps_go_from_0_to_1():
    maps = torch.stack([torch.tensor([[-3.0, 1.0], [0.0, -1.0]]), torch.full((2, 2), 7.0)])
    expected = torch.stack([torch.tensor([[0.0, 1.0], [0.75, 0.5]]), torch.ones(2, 2)])
    torch.testing.assert_close(normalise_maps(maps), expected)
    large = upsample_maps(normalise_maps(torch.randn(2, 3, 4, 4)), (33, 47))
    assert large.shape == (2, 3, 33, 47) and large.min() >= 0 and large.max() <= 1


def test_energy_share():
    mask = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    assert energy_share(mask, torch.tensor([[True, False], [True, True]])) == 0.75
    assert energy_share(mask, torch.zeros(2, 2, dtype=torch.bool)) == 0
    assert np.isnan(energy_share(mask * 0, mask > 0))
