"""What a run of the benchmark was asked to do; it can be sent to another process."""

from dataclasses import dataclass
from pathlib import Path

from detectron2.config import CfgNode

from fundus_plugins.config import get_fundus_cfg


@dataclass(frozen=True)
class Settings:
    """
    Attributes:
        config_files: of RF-Net.
        weights: a checkpoint for each of them; none: random weights.
        opts: keys and values for every config.
        boxes: discs that a model with random weights is made to find.
        mask_rois: positives the mask branch learns from, per image, where the config says all.
        threads: of torch and OpenCV; 0: as many as they like.
    """

    config_files: tuple[str, ...]
    weights: tuple[str, ...] = ()
    opts: tuple = ()
    boxes: int = 1
    mask_rois: int = 6
    threads: int = 0

    def configs(self) -> dict[str, CfgNode]:
        """A config for each file, under the file's name without its ending; MODEL.WEIGHTS "" for random weights."""
        found = {}
        for index, path in enumerate(self.config_files):
            cfg = get_fundus_cfg(path, self.opts)
            cfg.MODEL.DEVICE = "cpu"
            cfg.MODEL.FUNDUS_TIMM.PRETRAINED = False  # nothing is fetched
            cfg.MODEL.WEIGHTS = self.weights[index] if self.weights else ""
            found[Path(path).stem] = cfg
        return found

    def input_side(self) -> int:
        """The longer side, in pixels, that photographs are resized to for every model: the first config's."""
        return next(iter(self.configs().values())).INPUT.MAX_SIZE_TEST
