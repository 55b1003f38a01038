"""One classifying network: a timm network, global average pooling, and the head of stage 1 or stage 2."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from fundus_plugins.modeling.cam import class_activation_maps
from fundus_plugins.modeling.timm_network import create_timm_network

_PROBE = 64  # pixels, a side of the picture that shows a network's stride


class GradeClassifier(nn.Module):
    """Logits, and class activation maps, of photographs (2sRanking-CNN sections 2.2.1, 2.2.3 and 3.1).

    Input: (N, 3, H, W) RGB from 0 to 255, as integers or floats; normalised here with the mean and standard deviation
    that timm names for the network. Output: (N, num_classes) float32 logits.

    Args:
        name: timm's model name.
        num_classes: logits.
        feature_stride: 16 or 32, pixels of the input per pixel of the feature map. The whole network is kept; for 16
            its last halving is left out (dilation where timm has it, else the last pooling goes), which for
            DenseNet-121 and 512 x 512 gives the paper's maps of 32 x 32.
        fc_dim: size of the fully connected layer with batch norm, ReLU and dropout of stage 2; 0: none, as in stage 1,
            which class activation maps need.
        dropout: rate after the fully connected layer.
        pretrained, weights: as `create_timm_network`.

    Raises:
        ValueError: the network cannot have that stride.
        FileNotFoundError, ConnectionError, RuntimeError: as `create_timm_network`.
    """

    def __init__(
        self,
        *,
        name: str,
        num_classes: int,
        feature_stride: int = 16,
        fc_dim: int = 0,
        dropout: float = 0.5,
        pretrained: bool = False,
        weights: str = "",
    ):
        super().__init__()
        self.trunk, channels = _create_trunk(name, feature_stride, pretrained, weights)
        for key in ("mean", "std"):
            values = torch.tensor(self.trunk.pretrained_cfg[key]).view(1, 3, 1, 1) * 255
            self.register_buffer(key, values, persistent=False)
        if fc_dim:
            # Batch norm takes the layer's bias away again.
            layers = nn.Linear(channels, fc_dim, bias=False), nn.BatchNorm1d(fc_dim), nn.ReLU(), nn.Dropout(dropout)
            self.neck = nn.Sequential(*layers)
        else:
            self.neck = nn.Identity()
        self.classifier = nn.Linear(fc_dim or channels, num_classes)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """What enters the pooling, (N, K, H / stride, W / stride)."""
        normalised = (images.float() - self.mean) / self.std
        # channels_last: the layout of the CPU's fast convolutions; the values are the same.
        return self.trunk(normalised.contiguous(memory_format=torch.channels_last))

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """(N, num_classes) float32."""
        with torch.autocast(features.device.type, enabled=False):
            return self.classifier(self.neck(F.adaptive_avg_pool2d(features.float(), 1).flatten(1)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits(self.features(images))

    def logits_and_maps(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and every class's activation map (equation 2), (N, num_classes, H / stride, W / stride) float32."""
        if not isinstance(self.neck, nn.Identity):
            raise ValueError("class activation maps need the head of stage 1: fc_dim (MODEL.GRADING.FC_DIM) 0")
        features = self.features(images)
        return self.logits(features), class_activation_maps(features, self.classifier.weight)


def _create_trunk(name: str, stride: int, pretrained: bool, weights: str) -> tuple[nn.Module, int]:
    """The network without its classifier, and its number of channels."""
    if stride not in (16, 32):
        raise ValueError(f"MODEL.GRADING.FEATURE_STRIDE {stride}: expected 16 or 32")
    options: dict[str, Any] = {"num_classes": 0, "global_pool": "", "pretrained": pretrained, "weights": weights}
    try:
        trunk = create_timm_network(name, output_stride=stride, **options)
    except TypeError:  # a network without that option, such as DenseNet
        trunk = create_timm_network(name, **options)
        if stride == 16:
            _drop_last_pooling(trunk)
    with torch.no_grad():
        shape = tuple(trunk.eval()(torch.zeros(1, 3, _PROBE, _PROBE)).shape)
    trunk.train()
    if len(shape) != 4 or shape[2:] != (_PROBE // stride,) * 2:
        raise ValueError(
            f"MODEL.GRADING.FEATURE_STRIDE {stride}: timm model {name} gives {shape} for a picture of {_PROBE} x "
            f"{_PROBE}, expected (1, channels, {_PROBE // stride}, {_PROBE // stride})"
        )
    return trunk, shape[1]


def _drop_last_pooling(trunk: nn.Module) -> None:
    kinds = (nn.AvgPool2d, nn.MaxPool2d)
    poolings = [
        key for key, module in trunk.named_modules() if isinstance(module, kinds) and module.stride in (2, (2, 2))
    ]
    if poolings:
        trunk.set_submodule(poolings[-1], nn.Identity())
