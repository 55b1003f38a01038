"""Checkpoints of a run: read without running what they may hold."""

import os

from detectron2.checkpoint import DetectionCheckpointer
from detectron2.config import CfgNode

from fundus_plugins.weights.loading import local_weights, read_weights


class FundusCheckpointer(DetectionCheckpointer):
    """Detectron2's checkpointer, which neither unpickles nor fetches what a config or `last_checkpoint` names.

    Raises ValueError, FileNotFoundError or RuntimeError as `read_weights`.
    """

    def load(self, path, *args, **kwargs):
        return super().load(local_weights(path) if path else path, *args, **kwargs)

    def _load_file(self, filename):
        found = read_weights(filename)
        return found if "model" in found else {"model": found}


def forget_checkpoints(cfg: CfgNode) -> None:
    """A run in OUTPUT_DIR that starts anew must not be resumed from an older run's checkpoint."""
    path = os.path.join(cfg.OUTPUT_DIR, "last_checkpoint")
    if os.path.isfile(path):
        os.remove(path)
