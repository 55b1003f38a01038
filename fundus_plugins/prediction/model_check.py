"""Whether a model is one whose disc and cup can be predicted."""

from torch import nn

from fundus_plugins.modeling.roi_heads import RFNetROIHeads
from fundus_plugins.modeling.segmentation import DiscCupSegmentor

KNOWN = ("detectron2", "fundus_plugins")  # packages whose models without ROI heads give no instances with masks


def require_disc_and_cup(model: nn.Module) -> None:
    """Raise ValueError unless `model` gives the disc (class 0) and the cup (class 1) as instances with masks.

    RF-Net may know the disc alone. A model of somebody else's without `roi_heads` is taken at its word.
    """
    if isinstance(model, DiscCupSegmentor):
        return
    heads = getattr(model, "roi_heads", None)
    if heads is None:
        if type(model).__module__.partition(".")[0] in KNOWN:
            raise ValueError(f"FundusPredictor wants a disc and a cup with masks; {type(model).__name__} gives none")
        return
    if not getattr(heads, "mask_on", True):
        raise ValueError("a model without a mask branch (MODEL.MASK_ON False) outlines nothing")
    if isinstance(heads, RFNetROIHeads):
        if heads.num_structures > 2:
            raise ValueError(f"expected disc and cup, found {heads.num_structures} structures (MODEL.RFNET.CLASSES)")
    elif heads.num_classes != 2:
        raise ValueError(
            f"expected two classes, 0 the disc and 1 the cup; MODEL.ROI_HEADS.NUM_CLASSES is {heads.num_classes}"
        )


def require_several_views(model: nn.Module) -> None:
    """Raise ValueError unless `model` is RF-Net of disc and cup, whose masks of several views can be averaged."""
    if isinstance(model, DiscCupSegmentor):
        raise ValueError("DiscCupSegmentor has one view: TEST.FLIPS none and TEST.CROP 0; several are RF-Net's")
    heads = getattr(model, "roi_heads", None)
    if not isinstance(heads, RFNetROIHeads) or heads.num_structures != 2 or not heads.mask_on:
        found = type(model if heads is None else heads).__name__
        raise ValueError(
            f"TEST.FLIPS and TEST.CROP want RFNetROIHeads of disc and cup; found {found}: TEST.FLIPS none, TEST.CROP 0"
        )
