"""What has to be installed apart from this package."""

import importlib.util

MISSING = (
    "this part of fundus_plugins needs Detectron2, which PyPI does not have under that name: see "
    "https://detectron2.readthedocs.io/tutorials/install.html, or run `bash tools/setup.sh` in the repository of "
    "fundus_plugins"
)
TRAINING = "this needs more than prediction does: pip install 'fundus-plugins[train]'"


def require_detectron2() -> None:
    """Raise ImportError, with the sentence that tells how to get it, where Detectron2 is not installed."""
    if importlib.util.find_spec("detectron2") is None:
        raise ImportError(MISSING)
