"""Detectron2 plugins for the optic disc, the optic cup and glaucoma; importing this package registers its parts."""

try:
    import detectron2  # noqa: F401
except ImportError as error:
    raise ImportError(
        "fundus_plugins needs Detectron2, which PyPI does not have under that name. Run `bash tools/setup.sh` in the "
        "repository of fundus_plugins, or follow https://detectron2.readthedocs.io/tutorials/install.html."
    ) from error

from . import modeling, weights  # noqa: F401  (register the models' parts, and the packaged weights' fundus://)
from .config import add_fundus_config, get_fundus_cfg
from .data.coco import register_fundus_datasets
from .data.grading_mapper import GradingMapper
from .data.mapper import DiscCupMapper
from .engine import FundusTrainer, train
from .evaluation import DiscCupEvaluator, GradingEvaluator
from .inference import FundusPredictor
from .release import release_cfg

__version__ = "0.1.0"

__all__ = [
    "DiscCupEvaluator",
    "DiscCupMapper",
    "FundusPredictor",
    "FundusTrainer",
    "GradingEvaluator",
    "GradingMapper",
    "add_fundus_config",
    "get_fundus_cfg",
    "register_fundus_datasets",
    "release_cfg",
    "train",
]
