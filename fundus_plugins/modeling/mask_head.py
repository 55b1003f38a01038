"""RF-Net's multi-class mask branch (section 3.3): two feature scales in, a disc and a cup probability map out."""

from collections.abc import Callable, Sequence
from itertools import accumulate

import fvcore.nn.weight_init as weight_init
import torch
import torch.nn.functional as F
from detectron2.config import configurable
from detectron2.layers import Conv2d, ConvTranspose2d, ShapeSpec, cat, get_norm
from detectron2.modeling import ROI_HEADS_REGISTRY, ROI_MASK_HEAD_REGISTRY
from detectron2.structures import Instances
from detectron2.utils.events import get_event_storage
from torch import nn

from fundus_plugins.config import parse_readers
from fundus_plugins.modeling.losses import build_mask_loss

NOBODY = 0  # among the readers: no style


def _conv(in_channels: int, out_channels: int, norm: str) -> Conv2d:
    layer = Conv2d(
        in_channels,
        out_channels,
        kernel_size=3,
        padding=1,
        bias=not norm,
        norm=get_norm(norm, out_channels),
        activation=F.relu,
    )
    weight_init.c2_msra_fill(layer)
    return layer


@ROI_MASK_HEAD_REGISTRY.register()
class RFNetMaskHead(nn.Module):
    """Convolutions on the high-level map, upsampled and added to the low-level map, convolutions, one channel a class.

    The channels are independent sigmoids: 0 the disc, 1 the cup. At inference the cup's probability is capped by the
    disc's, so that the cup never leaves the disc, after pasting into the photograph either (bilinear, one threshold).
    So it is with any structures each of which lies within the one before.

    Args:
        in_channels: of both maps.
        conv_dim: channels of the convolutions.
        num_conv: 3 x 3 convolutions in all; half of them (rounded down) on the high-level map.
        num_classes: output channels.
        mask_loss: function of logits (R, K, S, S), target (R, K, S, S) and weight (R, K) to a scalar.
        norm: Detectron2's name of a normalisation; "" for none.
        readers: names of the readers whose styles are learned: each scales and shifts the channels of the fused map
            (FiLM, Perez et al. 2018), by nothing at first. Empty, the paper's: no styles.
        reader_dropout: part of the RoIs that are learned without their reader's style, which is that of nobody.
        test_readers: whose styles' mean inference gives; empty: nobody's.
        class_names: of the output channels, for the log; empty: their numbers.

    Raises:
        ValueError: an unknown reader; ROI heads of Detectron2's own in the config, which pool one map; of a call,
            one map, or targets of another number of structures.
    """

    @configurable
    def __init__(
        self,
        *,
        in_channels: int,
        conv_dim: int,
        num_conv: int,
        num_classes: int,
        mask_loss: Callable,
        norm: str = "",
        readers: Sequence[str] = (),
        reader_dropout: float = 0.5,
        test_readers: Sequence[str] = (),
        class_names: Sequence[str] = (),
    ):
        super().__init__()
        self.class_names = list(class_names) or [str(i) for i in range(num_classes)]
        self.reader_dropout = reader_dropout
        if unknown := set(test_readers) - set(readers):
            raise ValueError(f"TEST.READERS: expected some of {', '.join(readers) or 'none'}, found {min(unknown)}")
        self.test_readers = [list(readers).index(name) + 1 for name in test_readers]
        self.styles = nn.Embedding(len(readers) + 1, 2 * conv_dim, padding_idx=0) if readers else None  # 0: nobody
        if self.styles is not None:
            nn.init.zeros_(self.styles.weight)
        before = num_conv // 2
        self.high = nn.Sequential(*(_conv(in_channels if i == 0 else conv_dim, conv_dim, norm) for i in range(before)))
        self.upsample = ConvTranspose2d(conv_dim if before else in_channels, conv_dim, kernel_size=2, stride=2)
        self.lateral = Conv2d(in_channels, conv_dim, kernel_size=1)
        self.fused = nn.Sequential(*(_conv(conv_dim, conv_dim, norm) for _ in range(num_conv - before)))
        self.predictor = Conv2d(conv_dim, num_classes, kernel_size=1)
        weight_init.c2_msra_fill(self.upsample)
        weight_init.c2_msra_fill(self.lateral)
        # As in Mask R-CNN: start close to a probability of one half.
        nn.init.normal_(self.predictor.weight, std=0.001)
        nn.init.zeros_(self.predictor.bias)
        self.mask_loss = mask_loss

    def _drawn_by(self, instances: list[Instances]) -> torch.Tensor | None:
        """The reader of each RoI, some of them at random nobody; None where no styles are learned."""
        if self.styles is None:
            return None
        device = self.styles.weight.device
        nothing = torch.zeros(0, dtype=torch.int64, device=device)
        readers = cat([x.gt_reader for x in instances if len(x)] or [nothing])
        return readers * (torch.rand(len(readers), device=device) >= self.reader_dropout)

    @classmethod
    def from_config(cls, cfg, input_shape: ShapeSpec):
        rfnet, head = cfg.MODEL.RFNET, cfg.MODEL.ROI_MASK_HEAD
        heads = ROI_HEADS_REGISTRY.get(cfg.MODEL.ROI_HEADS.NAME)
        if heads.__module__.startswith("detectron2."):
            raise ValueError(
                f"RFNetMaskHead reads the two maps of RFNetROIHeads; found {heads.__name__}, which pool one"
            )
        return {
            "in_channels": input_shape.channels,
            "conv_dim": head.CONV_DIM,
            "num_conv": head.NUM_CONV,
            "num_classes": len(rfnet.CLASSES),
            "class_names": rfnet.CLASSES,
            "norm": head.NORM,
            "readers": list(parse_readers(rfnet.READERS)),
            "reader_dropout": rfnet.READER_DROPOUT,
            "test_readers": cfg.TEST.READERS,
            "mask_loss": build_mask_loss(
                rfnet.MASK_LOSS, focal_weight=rfnet.FOCAL_WEIGHT, alpha=rfnet.FOCAL_ALPHA, gamma=rfnet.FOCAL_GAMMA
            ),
        }

    def layers(self, low: torch.Tensor, high: torch.Tensor, readers: torch.Tensor | None = None) -> torch.Tensor:
        """low (R, C, S, S) and high (R, C, S/2, S/2) to float32 logits (R, K, S, S).

        readers: (R,) int64, the reader of each, from 1; 0 and None: nobody.
        """
        fused = F.relu(self.upsample(self.high(high)) + self.lateral(low))
        if self.styles is not None and readers is not None:
            scale, shift = self.styles(readers)[..., None, None].to(fused.dtype).chunk(2, dim=1)
            fused = fused * (1 + scale) + shift
        return self.predictor(self.fused(fused)).float()

    def probabilities(self, features: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Pooled features (low, high) to probabilities (R, K, S, S) in which no later class exceeds an earlier one."""
        rois, device = len(features[0]), features[0].device
        readers = self.test_readers or [NOBODY]
        seen = [self.layers(*features, torch.full((rois,), x, device=device)).sigmoid() for x in readers]
        # torch.cummin, in operations that ONNX has too.
        return torch.stack(list(accumulate(torch.stack(seen).mean(0).unbind(1), torch.minimum)), dim=1)

    def forward(
        self,
        features: tuple[torch.Tensor, torch.Tensor],
        instances: list[Instances],
        rows: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor] | list[Instances]:
        """In training the loss; at inference `instances` with `pred_masks`.

        Args:
            features: low and high maps of the RoIs.
            instances: an image each, R rows in all. In training with `proposal_boxes` and `gt_disc_cup`
                (DiscCupMasks); at inference with `pred_classes`, and then `pred_masks` (R, 1, S, S) float is set, as
                Detectron2's heads set it.
            rows: (R,) int64, the RoI that each row of `instances` takes its mask from; None: RoI i for row i.
        """
        if isinstance(features, torch.Tensor):
            raise ValueError("RFNetMaskHead reads two maps, low and high, as FusionFeaturePooler gives them; found one")
        if not self.training:
            classes = cat([x.pred_classes for x in instances])
            rows = torch.arange(len(classes), device=classes.device) if rows is None else rows
            masks = self.probabilities(features)[rows, classes][:, None]
            for x, masks_of_image in zip(instances, masks.split([len(x) for x in instances])):
                x.pred_masks = masks_of_image
            return instances

        logits = self.layers(*features, self._drawn_by(instances))
        annotated = [x for x in instances if len(x)]
        if not annotated:
            return {"loss_mask": logits.sum() * 0}
        side = logits.shape[-1]
        target = cat([x.gt_disc_cup.crop_and_resize(x.proposal_boxes.tensor, side) for x in annotated])
        known = cat([x.gt_disc_cup.known for x in annotated])
        if target.shape != logits.shape:
            found = f"{target.shape[1]} in the targets"
            raise ValueError(f"expected masks of {', '.join(self.class_names)} (MODEL.RFNET.CLASSES), found {found}")
        correct = ((logits.detach() > 0) == (target >= 0.5)).float().mean((2, 3))
        shares, rois = (correct * known).sum(0).tolist(), known.sum(0).tolist()
        for name, share, number in zip(self.class_names, shares, rois):
            if number:  # nobody knows how right the masks are of what was not annotated
                get_event_storage().put_scalar(f"mask_accuracy/{name}", share / number)
        return {"loss_mask": self.mask_loss(logits, target, known)}
