"""timm's networks as Detectron2 backbones (MobileNet-v1 by default), alone and under a feature pyramid."""

import logging

import torch
import torch.nn.functional as F
from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from detectron2.modeling.backbone import FPN
from detectron2.modeling.backbone.fpn import LastLevelMaxPool, LastLevelP6P7
from torch import nn

from fundus_plugins.modeling.timm_network import create_timm_network, options_for_any_size, refuse_remote_name

STRIDES = (4, 8, 16, 32)
DETECTRON2_FREEZE_AT = 2  # the default of MODEL.BACKBONE.FREEZE_AT, of whoever never thought of it


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
        input_side: of the square pictures it will see, for the networks that can be made for one size alone; 0: any.

    Raises:
        ValueError: the network has no features at one of the four strides, or wants an `input_side` and has none, or
            `freeze_at` is none of those numbers; of a call, a picture of another size than that side.
        FileNotFoundError: `weights` is not there.
        ConnectionError: the pretrained weights could not be had.
        RuntimeError: the file does not fit the network.
    """

    @configurable
    def __init__(
        self, *, name: str, pretrained: bool = False, weights: str = "", freeze_at: int = 0, input_side: int = 0
    ):
        super().__init__()
        import timm  # here, for it takes a second, and registering this class should not

        refuse_remote_name(name)
        reductions = timm.create_model(name, features_only=True).feature_info.reduction()
        missing = [stride for stride in STRIDES if stride not in reductions]
        if missing:
            raise ValueError(f"timm model {name}: no features at strides {missing}; it has {list(reductions)}")
        size = options_for_any_size(name, input_side)
        self._side = size.get("img_size", 0)
        indices = tuple(reductions.index(stride) for stride in STRIDES)
        options = {"features_only": True, "out_indices": indices} | size
        self.body = create_timm_network(name, pretrained=pretrained, weights=weights, **options)
        self._channels_last = getattr(self.body, "output_fmt", "NCHW") == "NHWC"  # Swin's and others'
        if freeze_at and not 2 <= freeze_at < 2 + len(STRIDES):
            raise ValueError(f"MODEL.FUNDUS_TIMM.FREEZE_AT {freeze_at}: expected 0, or 2 to {1 + len(STRIDES)}")
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
        node = cfg.MODEL.FUNDUS_TIMM
        _check_stock_keys(cfg)
        return {
            "name": node.NAME,
            "pretrained": node.PRETRAINED,
            "weights": node.WEIGHTS,
            "freeze_at": node.FREEZE_AT,
            "input_side": cfg.MODEL.FPN.SQUARE_PAD,
        }

    def train(self, mode: bool = True):
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        if self._side and x.shape[-2:] != (self._side, self._side):
            found = f"{x.shape[-1]} x {x.shape[-2]}"
            raise ValueError(f"this timm model takes {self._side} x {self._side} pixels, found {found}")
        maps = self.body(x)
        if self._channels_last:
            maps = [x.permute(0, 3, 1, 2).contiguous() for x in maps]
        return dict(zip(self._out_features, maps))

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


def _check_stock_keys(cfg: CfgNode) -> None:
    """Raise ValueError, or warn, where what a stock YAML says would be ignored, or does not fit MODEL.FUNDUS_TIMM."""
    frozen = cfg.MODEL.BACKBONE.FREEZE_AT
    if frozen not in (0, DETECTRON2_FREEZE_AT, cfg.MODEL.FUNDUS_TIMM.FREEZE_AT):
        raise ValueError(
            f"MODEL.BACKBONE.FREEZE_AT {frozen} is for Detectron2's ResNets; ours: MODEL.FUNDUS_TIMM.FREEZE_AT"
        )
    if not (cfg.MODEL.FUNDUS_TIMM.WEIGHTS or cfg.MODEL.FUNDUS_TIMM.PRETRAINED):
        return
    # timm's weights have seen RGB, centred and scaled to about one; a stock YAML has BGR and a deviation of one.
    if cfg.INPUT.FORMAT != "RGB" or min(cfg.MODEL.PIXEL_STD) < 10:
        logging.getLogger(__name__).warning(
            f"MODEL.FUNDUS_TIMM's weights expect RGB pixels with a deviation of about one; found INPUT.FORMAT "
            f"{cfg.INPUT.FORMAT}, MODEL.PIXEL_MEAN {list(cfg.MODEL.PIXEL_MEAN)}, PIXEL_STD {list(cfg.MODEL.PIXEL_STD)}"
        )


def _wanted_levels(cfg: CfgNode) -> set[str]:
    """The levels that the rest of the model, one of Detectron2's, is told to read."""
    if cfg.MODEL.META_ARCHITECTURE == "RetinaNet":
        return set(cfg.MODEL.RETINANET.IN_FEATURES)
    if cfg.MODEL.META_ARCHITECTURE in ("GeneralizedRCNN", "ProposalNetwork", "PanopticFPN"):
        return {*cfg.MODEL.RPN.IN_FEATURES, *cfg.MODEL.ROI_HEADS.IN_FEATURES}
    return set()


def _build_fpn(cfg: CfgNode, bottom_up: TimmBackbone, top_block: nn.Module | None) -> FPN:
    fpn = SquareFPN(
        bottom_up=bottom_up,
        in_features=cfg.MODEL.FPN.IN_FEATURES,
        out_channels=cfg.MODEL.FPN.OUT_CHANNELS,
        norm=cfg.MODEL.FPN.NORM,
        top_block=top_block,
        fuse_type=cfg.MODEL.FPN.FUSE_TYPE,
        square_pad=cfg.MODEL.FPN.SQUARE_PAD,
    )
    missing = _wanted_levels(cfg) - set(fpn.output_shape())
    if missing & {"p6", "p7"}:
        raise ValueError(
            f"MODEL.BACKBONE.NAME {cfg.MODEL.BACKBONE.NAME}: no {min(missing)} for this model, "
            f"only {', '.join(fpn.output_shape())}; build_fundus_timm_fpn_p6_backbone gives p6 (for Mask R-CNN), "
            "build_fundus_timm_fpn_p6p7_backbone p6 and p7 (for RetinaNet)"
        )
    return fpn


@BACKBONE_REGISTRY.register()
def build_fundus_timm_backbone(cfg, input_shape: ShapeSpec) -> TimmBackbone:
    """The network named by MODEL.FUNDUS_TIMM."""
    return TimmBackbone(cfg)


@BACKBONE_REGISTRY.register()
def build_fundus_timm_fpn_backbone(cfg, input_shape: ShapeSpec) -> FPN:
    """Detectron2's FPN with P2 to P5 over the network named by MODEL.FUNDUS_TIMM (RF-Net section 3.1)."""
    return _build_fpn(cfg, TimmBackbone(cfg), None)


@BACKBONE_REGISTRY.register()
def build_fundus_timm_fpn_p6_backbone(cfg, input_shape: ShapeSpec) -> FPN:
    """The same with P6, of P5 by pooling, in the place of Detectron2's `build_resnet_fpn_backbone` (Mask R-CNN)."""
    return _build_fpn(cfg, TimmBackbone(cfg), LastLevelMaxPool())


@BACKBONE_REGISTRY.register()
def build_fundus_timm_fpn_p6p7_backbone(cfg, input_shape: ShapeSpec) -> FPN:
    """The same with P6 and P7, in the place of Detectron2's `build_retinanet_resnet_fpn_backbone` (RetinaNet)."""
    bottom_up = TimmBackbone(cfg)
    channels = bottom_up.output_shape()["res5"].channels
    return _build_fpn(cfg, bottom_up, LastLevelP6P7(channels, cfg.MODEL.FPN.OUT_CHANNELS))


def build_timm_fpn_backbone(cfg, input_shape: ShapeSpec) -> FPN:
    """The old name of `build_fundus_timm_fpn_backbone`, for one release."""
    return build_fundus_timm_fpn_backbone(cfg, input_shape)


# Not registered over somebody else's; and build_timm_backbone, the other old name, is left to Detic, who registers it.
if "build_timm_fpn_backbone" not in BACKBONE_REGISTRY:
    BACKBONE_REGISTRY.register(build_timm_fpn_backbone)
