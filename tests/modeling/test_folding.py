"""Folded batch norms give the same features."""

import pytest
import torch
from torch import nn

from fundus_plugins.modeling.backbone import TimmBackbone
from fundus_plugins.modeling.folding import fold_batch_norms


def with_random_statistics(module):
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.2, 0.2)
            nn.init.uniform_(layer.running_var, 0.5, 2)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.2, 0.2)
    return module.eval()


# In a DenseNet norms come before convolutions, so most of them have nothing to be folded into.
@pytest.mark.parametrize(
    "name, left", [("mobilenetv1_100", 0), ("resnet18", 0), ("mobilenetv3_small_100", 0), ("densenet121", 62)]
)
def test_features_stay_the_same(name, left):
    torch.manual_seed(0)
    backbone = with_random_statistics(TimmBackbone(name=name)).double()
    norms = sum(isinstance(layer, nn.BatchNorm2d) for layer in backbone.modules())
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        before = backbone(x)
        assert fold_batch_norms(backbone, x[:1]) == norms - left
        after = backbone(x)
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in backbone.modules()) == left
    for key, features in before.items():
        torch.testing.assert_close(after[key], features)


def test_a_convolution_that_runs_twice_is_left_alone():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x):
            return self.norm(self.conv(self.conv(x)))

    model = with_random_statistics(Twice())
    x = torch.randn(1, 3, 8, 8)
    before = model(x)
    assert fold_batch_norms(model, x) == 0
    torch.testing.assert_close(model(x), before)


def test_training_mode_is_refused():
    with pytest.raises(AssertionError, match="training mode"):
        fold_batch_norms(TimmBackbone(name="resnet18").train(), torch.zeros(1, 3, 64, 64))
