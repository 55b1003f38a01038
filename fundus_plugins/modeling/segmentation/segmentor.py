"""The meta-architecture of semantic segmentation: any encoder-decoder that gives a disc's and a cup's map."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.structures import ImageList
from torch import nn

from fundus_plugins.modeling.losses import build_mask_loss
from fundus_plugins.modeling.segmentation.instances import at_photograph_size, disc_cup_instances
from fundus_plugins.modeling.segmentation.network import Maps, build_disc_cup_network
from fundus_plugins.modeling.segmentation.objective import Objective
from fundus_plugins.modeling.segmentation.polar import from_polar, to_polar
from fundus_plugins.modeling.segmentation.targets import full_masks


@META_ARCH_REGISTRY.register()
class DiscCupSegmentor(nn.Module):
    """Segments disc and cup of whole pictures, and gives them as RF-Net does, so that all that reads RF-Net reads it.

    Input, in Detectron2's manner: dicts with `image` (3, h, w) uint8, in the order of `pixel_mean`; in training
    `instances` of `DiscCupMapper`; at inference `height` and `width` of the photograph, and `from_photograph` (2, 3)
    where the picture is a part of it (`at_photograph_size`). Output: a dict of losses, float32; at inference dicts with
    `instances` at the size of the photograph (`disc_cup_instances`).

    A picture without a disc teaches that there is none; a cup that is not annotated teaches nothing.

    Args:
        network: gives `Maps` of (N, 3, H, W), see DISC_CUP_NETWORK_REGISTRY.
        objective: of `Maps`, masks (N, 2, H, W) and known (N, 2) to losses by name.
        pixel_mean, pixel_std: three of each.
        square_pad: pictures that fit into this square, in pixels, are padded to it, as RF-Net's are; larger ones, and
            all with 0, only to multiples of the network's `size_divisibility`.
        polar: the network sees, and learns from, the picture in polar coordinates about its middle, which is where the
            disc should be.

    Raises:
        ValueError: a `square_pad` that is no multiple of the network's `size_divisibility`; `polar`, and pictures that
            are no squares or need padding.
    """

    @configurable
    def __init__(
        self,
        *,
        network: nn.Module,
        objective: Callable[[Maps, torch.Tensor, torch.Tensor], dict[str, torch.Tensor]],
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        square_pad: int = 0,
        polar: bool = False,
    ):
        super().__init__()
        self.network = network
        self.objective = objective
        self.square_pad = square_pad
        self.polar = polar
        self.precision = torch.float32  # of what the network reads
        self.register_buffer("pixel_mean", torch.tensor(pixel_mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(pixel_std).view(-1, 1, 1), persistent=False)

    @classmethod
    def from_config(cls, cfg):
        """MODEL.SEGMENTOR, and of MODEL.RFNET what the focal losses need. Raises ValueError for what does not fit."""
        node, rfnet = cfg.MODEL.SEGMENTOR, cfg.MODEL.RFNET
        if cfg.INPUT.TARGETS != "disc_cup":
            raise ValueError(f"DiscCupSegmentor learns from INPUT.TARGETS disc_cup, found {cfg.INPUT.TARGETS}")
        if list(rfnet.CLASSES) != ["disc", "cup"]:
            raise ValueError(f"DiscCupSegmentor outlines disc and cup; found MODEL.RFNET.CLASSES {rfnet.CLASSES}")
        if node.POLAR and cfg.INPUT.DISC_CROP.ABOUT == "none":
            raise ValueError(
                "MODEL.SEGMENTOR.POLAR wants the disc in the middle: INPUT.DISC_CROP.ABOUT true or detected"
            )
        mask_loss = build_mask_loss(
            node.LOSS, focal_weight=rfnet.FOCAL_WEIGHT, alpha=rfnet.FOCAL_ALPHA, gamma=rfnet.FOCAL_GAMMA
        )
        objective = Objective(
            mask_loss,
            class_weights=node.CLASS_WEIGHTS,
            prediction_weight=node.PREDICTION_WEIGHT,
            side_weight=node.SIDE_WEIGHT,
            edge_weight=node.EDGE_WEIGHT,
        )
        return {
            "network": build_disc_cup_network(cfg),
            "objective": objective,
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
            # A square about the disc is a square already, and not as large.
            "square_pad": cfg.MODEL.FPN.SQUARE_PAD if cfg.INPUT.DISC_CROP.ABOUT == "none" else 0,
            "polar": node.POLAR,
        }

    @property
    def device(self) -> torch.device:
        return self.pixel_mean.device

    def compute_in(self, precision: torch.dtype) -> None:
        """Convert the network, for inference, to `precision`; the maps' arithmetic stays in float32.

        A network that has a `compute_in` of its own reads float32 and converts itself.
        """
        if hasattr(self.network, "compute_in"):
            self.network.compute_in(precision)
            return
        self.network.to(precision)
        self.precision = precision

    def forward(self, batched_inputs: list[dict]) -> dict[str, torch.Tensor] | list[dict]:
        images = self.preprocess_image(batched_inputs)
        x = images.tensor
        if self.training:
            size = x.shape[-2], x.shape[-1]
            masks, known = full_masks([item["instances"] for item in batched_inputs], size)
            masks, known = masks.to(self.device, non_blocking=True), known.to(self.device, non_blocking=True)
            if self.polar:
                x, masks = to_polar(x), to_polar(masks.float(), "nearest")
            return self.objective(self.network(x), masks, known)
        probabilities = self.probabilities(x)
        results = []
        for item, own, (height, width) in zip(batched_inputs, probabilities, images.image_sizes):
            size = item.get("height", height), item.get("width", width)
            full = at_photograph_size(own[:, :height, :width], size, item.get("from_photograph"))
            results.append({"instances": disc_cup_instances(full)})
        return results

    def preprocess_image(self, batched_inputs: list[dict]) -> ImageList:
        """Normalise the pictures and pad them with zeros, at the bottom and to the right."""
        images = [(item["image"].to(self.device).float() - self.pixel_mean) / self.pixel_std for item in batched_inputs]
        divisibility = self.network.size_divisibility
        batch = ImageList.from_tensors(images, divisibility)
        height, width = batch.tensor.shape[-2:]
        side = self.square_pad
        if side % divisibility:
            raise ValueError(f"MODEL.FPN.SQUARE_PAD {side}: expected a multiple of {divisibility}")
        if self.polar and any(tuple(size) != (height, width) for size in batch.image_sizes):
            raise ValueError(f"MODEL.SEGMENTOR.POLAR: expected pictures whose sides are multiples of {divisibility}")
        if max(height, width) <= side:
            batch = ImageList(F.pad(batch.tensor, (0, side - width, 0, side - height)), batch.image_sizes)
        return batch

    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised pictures (N, 3, H, W) to probabilities (N, 2, H, W) float32, the cup's at most the disc's."""
        if self.polar:
            x = to_polar(x)
        disc, cup = self.network(x.to(self.precision)).logits.float().sigmoid().unbind(1)
        probabilities = torch.stack([disc, torch.minimum(disc, cup)], dim=1)
        return from_polar(probabilities) if self.polar else probabilities
