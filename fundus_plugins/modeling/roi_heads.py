"""RF-Net's ROI heads: a detector of the disc alone, whose mask branch gives the disc and the cup."""

import torch
from detectron2.config import configurable
from detectron2.layers import ShapeSpec
from detectron2.modeling import ROI_HEADS_REGISTRY, build_mask_head
from detectron2.modeling.roi_heads import FastRCNNOutputLayers, StandardROIHeads, select_foreground_proposals
from detectron2.structures import Boxes, Instances

from fundus_plugins.modeling.poolers import FusionFeaturePooler, build_roi_pooler

# The RPN and the box head know one class, the disc, while MODEL.ROI_HEADS.NUM_CLASSES counts what comes out: disc, cup.
NUM_DETECTED_CLASSES = 1
CUP_CLASS = 1


@ROI_HEADS_REGISTRY.register()
class RFNetROIHeads(StandardROIHeads):
    """Detectron2's StandardROIHeads with RF-Net's detection branch, Fusion Feature Pooling and mask branch.

    Training needs targets with `gt_boxes` and `gt_classes` (all 0) of the discs and `gt_disc_cup` (DiscCupMasks), as
    `DiscCupMapper` makes them. At inference every detected disc gives two rows with the same box and score: class 0,
    the disc, then class 1, the cup.

    Args:
        mask_rois_per_image: at most so many positive RoIs of an image, at random, train the mask branch; 0: all.
        kwargs: as for StandardROIHeads.
    """

    @configurable
    def __init__(self, *, mask_rois_per_image: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.mask_rois_per_image = mask_rois_per_image

    @classmethod
    def from_config(cls, cfg, input_shape: dict[str, ShapeSpec]):
        arguments = super().from_config(cfg, input_shape)
        arguments["num_classes"] = NUM_DETECTED_CLASSES
        arguments["mask_rois_per_image"] = cfg.MODEL.RFNET.MASK_ROIS_PER_IMAGE
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
        pooler = FusionFeaturePooler(
            head.POOLER_RESOLUTION,
            [1.0 / input_shape[name].stride for name in names],
            head.POOLER_SAMPLING_RATIO,
            cfg.MODEL.RFNET.POOLING,
        )
        shape = ShapeSpec(channels=input_shape[names[0]].channels)
        return {"mask_in_features": names, "mask_pooler": pooler, "mask_head": build_mask_head(cfg, shape)}

    def detect(self, features: dict[str, torch.Tensor], proposals: list[Instances]) -> list[Instances]:
        """The detected discs alone, a row each, without masks: what inference finds before its mask branch."""
        return super()._forward_box(features, proposals)

    def _forward_box(self, features, proposals):
        result = super()._forward_box(features, proposals)
        return result if self.training else [_add_cup_rows(detected) for detected in result]

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


def _add_cup_rows(discs: Instances) -> Instances:
    """Each of R detected discs (class 0) followed by a row of class 1 that differs in nothing else; 2R rows."""
    both = discs[torch.arange(len(discs), device=discs.pred_classes.device).repeat_interleave(2)]
    both.pred_classes[1::2] = CUP_CLASS
    return both
