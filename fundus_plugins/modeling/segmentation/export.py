"""A DiscCupSegmentor's inference as tensors alone, for engines that know neither Detectron2 nor instances."""

import torch
import torch.nn.functional as F
from torch import nn

from fundus_plugins.modeling.segmentation.segmentor import DiscCupSegmentor


class PictureMaps(nn.Module):
    """The probabilities of disc and cup of one picture.

    Args:
        model: in eval mode; its layers are shared.
        side: of the square to which the picture is padded, pixels, a multiple of the network's `size_divisibility`.
        channel_order: "RGB" or "BGR", how the model takes the channels (INPUT.FORMAT).
    """

    def __init__(self, model: DiscCupSegmentor, side: int, channel_order: str = "RGB"):
        super().__init__()
        assert not model.training, "PictureMaps: the model is in training mode"
        self.model = model
        self.side = side
        self.reverse = channel_order == "BGR"

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(1, 3, H, W) uint8 RGB, within the square, to (1, 2, H, W) float32; the cup's is at most the disc's."""
        height, width = image.shape[-2:]
        pixels = image.flip(1) if self.reverse else image
        x = (pixels.float() - self.model.pixel_mean) / self.model.pixel_std
        x = F.pad(x, (0, self.side - width, 0, self.side - height))
        return self.model.probabilities(x)[..., :height, :width]
