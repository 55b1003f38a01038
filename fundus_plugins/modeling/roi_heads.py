"""RF-Net's ROI heads: a detector of the disc alone, whose mask branch gives the disc and the cup."""

from collections.abc import Sequence

import torch
from detectron2.config import configurable
from detectron2.layers import ShapeSpec
from detectron2.modeling import ROI_HEADS_REGISTRY, ROI_MASK_HEAD_REGISTRY, build_mask_head
from detectron2.modeling.roi_heads import FastRCNNOutputLayers, StandardROIHeads, select_foreground_proposals
from detectron2.structures import Boxes, Instances

from fundus_plugins.modeling.mask_head import RFNetMaskHead
from fundus_plugins.modeling.poolers import FusionFeaturePooler, build_roi_pooler

# The RPN and the box head know one class, the disc, while MODEL.ROI_HEADS.NUM_CLASSES counts what comes out: disc, cup.
NUM_DETECTED_CLASSES = 1


@ROI_HEADS_REGISTRY.register()
class RFNetROIHeads(StandardROIHeads):
    """Detectron2's StandardROIHeads with RF-Net's detection branch, Fusion Feature Pooling and mask branch.

    Training needs targets with `gt_boxes` and `gt_classes` (all 0) of the discs and `gt_disc_cup` (DiscCupMasks), as
    `DiscCupMapper` makes them. At inference every detected disc gives two rows with the same box and score: class 0,
    the disc, then class 1, the cup.

    Other structures that lie each within the one before, as many as you like, are named by MODEL.RFNET.CLASSES: the
    first is detected, and each gives a row.

    Args:
        mask_rois_per_image: at most so many positive RoIs of an image, at random, train the mask branch; 0: all.
        num_structures: the rows of one detection, the mask head's channels.
        kwargs: as for StandardROIHeads.

    Raises:
        ValueError: another mask head than RFNetMaskHead; MODEL.ROI_HEADS.NUM_CLASSES that are not MODEL.RFNET.CLASSES;
            of a call, targets that are not DiscCupMapper's.
    """

    @configurable
    def __init__(self, *, mask_rois_per_image: int = 0, num_structures: int = 2, **kwargs):
        super().__init__(**kwargs)
        self.mask_rois_per_image = mask_rois_per_image
        self.num_structures = num_structures
        if self.mask_on:
            _require_our_mask_head(type(self.mask_head))

    @classmethod
    def from_config(cls, cfg, input_shape: dict[str, ShapeSpec]):
        structures = cfg.MODEL.RFNET.CLASSES
        if cfg.MODEL.ROI_HEADS.NUM_CLASSES != len(structures):
            raise ValueError(
                f"MODEL.ROI_HEADS.NUM_CLASSES {cfg.MODEL.ROI_HEADS.NUM_CLASSES}: RFNetROIHeads give "
                f"MODEL.RFNET.CLASSES, which are {len(structures)}: {', '.join(structures)}"
            )
        arguments = super().from_config(cfg, input_shape)
        arguments["num_classes"] = NUM_DETECTED_CLASSES
        arguments["mask_rois_per_image"] = cfg.MODEL.RFNET.MASK_ROIS_PER_IMAGE
        arguments["num_structures"] = len(structures)
        return arguments

    @classmethod
    def _init_box_head(cls, cfg, input_shape):
        arguments = super()._init_box_head(cfg, input_shape)
        head = cfg.MODEL.ROI_BOX_HEAD
        scales = [1.0 / input_shape[name].stride for name in cfg.MODEL.ROI_HEADS.IN_FEATURES]
        arguments["box_pooler"] = build_roi_pooler(head.POOLER_RESOLUTION, scales, head.POOLER_SAMPLING_RATIO)
        arguments["box_predictor"] = FastRCNNOutputLayers(
            cfg, arguments["box_head"].output_shape, num_classes=NUM_DETECTED_CLASSES
        )
        return arguments

    @classmethod
    def _init_mask_head(cls, cfg, input_shape):
        if not cfg.MODEL.MASK_ON:
            return {}
        names, head = cfg.MODEL.ROI_HEADS.IN_FEATURES, cfg.MODEL.ROI_MASK_HEAD
        _require_our_mask_head(ROI_MASK_HEAD_REGISTRY.get(head.NAME))
        pooler = FusionFeaturePooler(
            head.POOLER_RESOLUTION,
            [1.0 / input_shape[name].stride for name in names],
            head.POOLER_SAMPLING_RATIO,
            cfg.MODEL.RFNET.POOLING,
        )
        shape = ShapeSpec(channels=input_shape[names[0]].channels)
        return {"mask_in_features": names, "mask_pooler": pooler, "mask_head": build_mask_head(cfg, shape)}

    def forward(self, images, features, proposals, targets: list[Instances] | None = None):
        """As StandardROIHeads."""
        if self.training and targets is not None:
            _require_our_targets(targets, self.mask_on)
        return super().forward(images, features, proposals, targets)

    def detect(self, features: dict[str, torch.Tensor], proposals: list[Instances]) -> list[Instances]:
        """The detected discs alone, a row each, without masks: what inference finds before its mask branch."""
        return super()._forward_box(features, proposals)

    def _forward_box(self, features, proposals):
        result = super()._forward_box(features, proposals)
        return result if self.training else [_rows_of_structures(x, self.num_structures) for x in result]

    def _forward_mask(self, features, instances):
        if not self.mask_on:
            return {} if self.training else instances
        features = [features[name] for name in self.mask_in_features]
        if self.training:
            instances, _ = select_foreground_proposals(instances, self.num_classes)
            instances = [self._sample_mask_rois(x) for x in instances]
            pooled = self.mask_pooler(features, [x.proposal_boxes for x in instances])
            return self.mask_head(pooled, instances)
        # A disc and its cup share a box, so the branch runs once for both.
        boxes, rows = zip(*(torch.unique(x.pred_boxes.tensor, dim=0, return_inverse=True) for x in instances))
        pooled = self.mask_pooler(features, [Boxes(x) for x in boxes])
        offsets = torch.tensor([0] + [len(x) for x in boxes[:-1]], device=rows[0].device).cumsum(0)
        rows = torch.cat([row + offset for row, offset in zip(rows, offsets)])
        return self.mask_head(pooled, instances, rows)

    def _sample_mask_rois(self, positives: Instances) -> Instances:
        if not 0 < self.mask_rois_per_image < len(positives):
            return positives
        device = positives.proposal_boxes.device
        return positives[torch.randperm(len(positives), device=device)[: self.mask_rois_per_image]]


def _rows_of_structures(found: Instances, number: int) -> Instances:
    """Each of R detections `number` times, alike but for the class: 0 the disc, 1 the cup, and so on."""
    device = found.pred_classes.device
    rows = found[torch.arange(len(found), device=device).repeat_interleave(number)]
    rows.pred_classes = torch.arange(number, device=device).repeat(len(found))
    return rows


def _require_our_mask_head(head: type) -> None:
    if not issubclass(head, RFNetMaskHead):
        raise ValueError(
            f"RFNetROIHeads pool two maps for RFNetMaskHead; found MODEL.ROI_MASK_HEAD.NAME {head.__name__}"
        )


def _require_our_targets(targets: Sequence[Instances], mask_on: bool) -> None:
    for x in targets:
        if x.has("gt_disc_cup"):
            continue
        # Without masks a disc is a disc; but a cup, class 1 of one, would be background.
        if mask_on or bool((x.gt_classes >= NUM_DETECTED_CLASSES).any()):
            raise ValueError(
                f"RFNetROIHeads learn discs with gt_disc_cup, found {', '.join(x.get_fields())}: "
                "give your data loader mapper=fundus_plugins.DiscCupMapper(cfg, is_train=True)"
            )
