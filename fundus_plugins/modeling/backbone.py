"""timm's networks as Detectron2 backbones (MobileNet-v1 by default), alone and under a feature pyramid."""

import torch
import torch.nn.functional as F
from detectron2.config import configurable
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from detectron2.modeling.backbone import FPN
from torch import nn

from fundus_plugins.modeling.timm_network import create_timm_network, refuse_remote_name

STRIDES = (4, 8, 16, 32)


class TimmBackbone(Backbone):
    """The feature maps of a timm network at strides 4, 8, 16 and 32, named "res2" to "res5" as Detectron2 names them.

    Input: (N, 3, H, W) float, normalised as the weights expect (MobileNet-v1: RGB, (x - 127.5) / 127.5).
    Output: {"res2": (N, C2, H/4, W/4), ..., "res5": (N, C5, H/32, W/32)}.

    Args:
        name: timm's model name.
        pretrained: load timm's own pretrained weights (timm fetches them).
        weights: a .safetensors or .pth file in timm's names, local or the package's (fundus://NAME), used instead of
            `pretrained`; "" for none.
        freeze_at: 0: train everything; 2 to 5: everything up to that feature map stays as it is, batch norms' running
            statistics too, and no gradient is computed below it.

    Raises:
        ValueError: the network has no features at one of the four strides, or `freeze_at` is none of those numbers.
        FileNotFoundError: `weights` is not there.
        ConnectionError: the pretrained weights could not be had.
        RuntimeError: the file does not fit the network.
    """

    @configurable
    def __init__(self, *, name: str, pretrained: bool = False, weights: str = "", freeze_at: int = 0):
        super().__init__()
        import timm  # here, for it takes a second, and registering this class should not

        refuse_remote_name(name)
        reductions = timm.create_model(name, features_only=True).feature_info.reduction()
        missing = [stride for stride in STRIDES if stride not in reductions]
        if missing:
            raise ValueError(f"timm model {name}: no features at strides {missing}; it has {list(reductions)}")
        indices = tuple(reductions.index(stride) for stride in STRIDES)
        options = {"features_only": True, "out_indices": indices}
        self.body = create_timm_network(name, pretrained=pretrained, weights=weights, **options)
        if freeze_at and not 2 <= freeze_at < 2 + len(STRIDES):
            raise ValueError(f"MODEL.TIMM.FREEZE_AT {freeze_at}: expected 0, or 2 to {1 + len(STRIDES)}")
        names = self.body.feature_info.module_name()
        self._frozen = _modules_up_to(self.body, names[freeze_at - 2]) if freeze_at else []
        for module in self._frozen:
            module.requires_grad_(False)
        channels = self.body.feature_info.channels()
        self._out_features = [f"res{level}" for level in range(2, 2 + len(STRIDES))]
        self._out_feature_strides = dict(zip(self._out_features, STRIDES))
        self._out_feature_channels = dict(zip(self._out_features, channels))

    @classmethod
    def from_config(cls, cfg):
        node = cfg.MODEL.TIMM
        return {
            "name": node.NAME,
            "pretrained": node.PRETRAINED,
            "weights": node.WEIGHTS,
            "freeze_at": node.FREEZE_AT,
        }

    def train(self, mode: bool = True):
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return dict(zip(self._out_features, self.body(x)))

    def compute_in(self, precision: torch.dtype) -> None:
        """Convert everything above stride 2 to `precision`; what comes before reads float32 and stays in it.

        The first convolutions turn small differences of dark pixels into features; rounded there to bfloat16, the
        cup's outline moves visibly, rounded later it does not. A network with nothing at stride 2 is converted whole.
        """
        first = [info["module"] for info in self.body.feature_info.info if info["reduction"] == 2]
        kept = set(_modules_up_to(self.body, first[-1])) if first else set()
        for module in self.body.modules():
            if module not in kept and (module._parameters or module._buffers):
                module.to(precision)
        if first:
            last = _module_named(self.body, first[-1])
            last.register_forward_hook(lambda module, inputs, output: output.to(precision))
        else:
            self.body.register_forward_pre_hook(lambda module, inputs: (inputs[0].to(precision),))

    @property
    def size_divisibility(self) -> int:
        return STRIDES[-1]


def _modules_up_to(body: nn.Module, name: str) -> list[nn.Module]:
    """The modules, in the order timm defines and runs them, up to the one of that name and its own."""
    last, found = _module_named(body, name), []
    for module in body.modules():
        if module is last:
            break
        if module._parameters:
            found.append(module)
    return found + list(last.modules())


def _module_named(body: nn.Module, wanted: str) -> nn.Module:
    for name, module in body.named_modules():
        if name.replace(".", "_") == wanted.replace(".", "_"):  # timm writes either
            return module
    raise ValueError(f"{type(body).__name__} has no module {wanted}")


class SquareFPN(FPN):
    """Detectron2's FPN, whose `square_pad` never cuts anything off.

    Inputs (N, C, H, W) that fit into that square are padded to it with zeros, at the bottom and to the right. Larger
    ones stay as they are, where Detectron2, which pads to its `padding_constraints`, would crop them without a word.
    """

    @property
    def padding_constraints(self) -> dict[str, int]:
        return {"square_size": 0}

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        height, width = x.shape[-2:]
        if max(height, width) <= self._square_pad:
            x = F.pad(x, (0, self._square_pad - width, 0, self._square_pad - height))
        return super().forward(x)


@BACKBONE_REGISTRY.register()
def build_timm_backbone(cfg, input_shape: ShapeSpec) -> TimmBackbone:
    """The network named by MODEL.TIMM."""
    return TimmBackbone(cfg)


@BACKBONE_REGISTRY.register()
def build_timm_fpn_backbone(cfg, input_shape: ShapeSpec) -> FPN:
    """Detectron2's FPN with P2 to P5 over the network named by MODEL.TIMM (RF-Net section 3.1)."""
    return SquareFPN(
        bottom_up=TimmBackbone(cfg),
        in_features=cfg.MODEL.FPN.IN_FEATURES,
        out_channels=cfg.MODEL.FPN.OUT_CHANNELS,
        norm=cfg.MODEL.FPN.NORM,
        fuse_type=cfg.MODEL.FPN.FUSE_TYPE,
        square_pad=cfg.MODEL.FPN.SQUARE_PAD,
    )
