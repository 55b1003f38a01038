"""The networks of segmentation_models_pytorch: U-Net, DeepLabv3+, SegFormer and others, with timm's encoders."""

import torch
from detectron2.config import configurable
from torch import nn

from fundus_plugins.modeling.depthwise import speed_up_depthwise
from fundus_plugins.modeling.segmentation.network import DISC_CUP_NETWORK_REGISTRY, Maps
from fundus_plugins.modeling.timm_network import load_timm_weights, refuse_remote_name

MISSING = (
    "SMPNetwork needs segmentation_models_pytorch: pip install 'fundus-plugins[segmentation]' "
    "(or segmentation-models-pytorch)"
)


@DISC_CUP_NETWORK_REGISTRY.register()
class SMPNetwork(nn.Module):
    """A network of segmentation_models_pytorch with two output channels.

    Args:
        architecture: its name there, such as unet, deeplabv3plus or segformer.
        encoder: one of its own encoders, such as mit_b0; "": timm's network `name`.
        name: timm's model name.
        pretrained: load the encoder's ImageNet weights (they are fetched).
        weights: a .safetensors or .pth file in the encoder's names, local or the package's (fundus://NAME), used
            instead of `pretrained`; "" for none.

    Raises:
        ImportError: segmentation_models_pytorch is not installed.
        ValueError: it has no such architecture or encoder.
        FileNotFoundError, RuntimeError: as `create_timm_network`.
        ConnectionError: the pretrained weights could not be had.
    """

    size_divisibility = 32

    @configurable
    def __init__(
        self, *, architecture: str, encoder: str = "", name: str = "", pretrained: bool = False, weights: str = ""
    ):
        super().__init__()
        try:
            import segmentation_models_pytorch as smp
        except ImportError:
            raise ImportError(MISSING) from None
        refuse_remote_name(name)
        encoder = encoder or f"tu-{name}"
        pretrained = pretrained and not weights
        try:
            self.network = smp.create_model(
                architecture, encoder, encoder_weights="imagenet" if pretrained else None, in_channels=3, classes=2
            )
        except KeyError as error:
            raise ValueError(f"MODEL.SMP: {error.args[0]}") from None
        except Exception as error:
            if not pretrained:
                raise
            raise ConnectionError(
                f"the pretrained weights of {encoder} could not be fetched ({type(error).__name__}: {error}). Without "
                "a network, set MODEL.FUNDUS_TIMM.WEIGHTS to a local file, or MODEL.FUNDUS_TIMM.PRETRAINED False."
            ) from error
        body = self.network.encoder.model if encoder.startswith("tu-") else self.network.encoder
        if weights:
            load_timm_weights(body, weights, encoder)
        speed_up_depthwise(self.network)

    @classmethod
    def from_config(cls, cfg):
        timm = cfg.MODEL.FUNDUS_TIMM
        if timm.FREEZE_AT:
            raise ValueError(
                f"MODEL.FUNDUS_TIMM.FREEZE_AT {timm.FREEZE_AT}: SMPNetwork trains all of its encoder, so 0"
            )
        return {
            "architecture": cfg.MODEL.SMP.ARCHITECTURE,
            "encoder": cfg.MODEL.SMP.ENCODER,
            "name": timm.NAME,
            "pretrained": timm.PRETRAINED,
            "weights": timm.WEIGHTS,
        }

    def forward(self, x: torch.Tensor) -> Maps:
        return Maps(self.network(x))
