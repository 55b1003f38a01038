"""Semantic segmentation of disc and cup: a meta-architecture, and the networks it can have."""

from fundus_plugins.modeling.segmentation.etnet import ETNet
from fundus_plugins.modeling.segmentation.mnet import MNet
from fundus_plugins.modeling.segmentation.network import DISC_CUP_NETWORK_REGISTRY, Maps
from fundus_plugins.modeling.segmentation.segmentor import DiscCupSegmentor
from fundus_plugins.modeling.segmentation.smp_network import SMPNetwork
from fundus_plugins.modeling.segmentation.unet import UNet

__all__ = ["DISC_CUP_NETWORK_REGISTRY", "DiscCupSegmentor", "ETNet", "MNet", "Maps", "SMPNetwork", "UNet"]
