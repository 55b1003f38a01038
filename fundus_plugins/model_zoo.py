"""The package's configs by name, in the manner of `detectron2.model_zoo`."""

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detectron2.config import CfgNode

CONFIGS = Path(__file__).resolve().parent / "configs"
PACKAGED_WEIGHTS = {"rfnet_released.yaml": "fundus://rfnet_any_camera.safetensors"}


def list_configs() -> list[str]:
    """Names of the packaged configs, such as `rfnet_refuge.yaml` and `ablations/loss_bce.yaml`."""
    return sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml"))


def get_config_file(name: str) -> str:
    """The path of the packaged config `name`; its suffix may be left out.

    Raises FileNotFoundError, which names those like it.
    """
    for path in (CONFIGS / name, CONFIGS / f"{name}.yaml"):
        if path.is_file():
            return str(path)
    close = difflib.get_close_matches(name, list_configs(), n=3, cutoff=0.4) or ["rfnet_refuge.yaml"]
    raise FileNotFoundError(f"no config {name}: expected a file, or one of the package's such as {', '.join(close)}")


def find_config_file(path: str | os.PathLike) -> str:
    """A config file: `path` where there is such a file, else the packaged one of that name.

    In front of a packaged one's name, `configs/`, its folder in the repository, may stand. Raises FileNotFoundError.
    """
    path = os.fspath(path)
    if os.path.isfile(path):
        return path
    return get_config_file(Path(path).as_posix().removeprefix("configs/"))


def get_config(name: str, trained: bool = False) -> "CfgNode":
    """The packaged config `name`, ready to build a model from.

    With `trained`, MODEL.WEIGHTS names the weights that come with the package. Raises FileNotFoundError for a name
    that there is not, ValueError for a config whose weights are not in the package.
    """
    from .config import get_fundus_cfg

    file = get_config_file(name)
    if not trained:
        return get_fundus_cfg(file)
    own = Path(file).relative_to(CONFIGS).as_posix()
    if own not in PACKAGED_WEIGHTS:
        raise ValueError(f"{own} has no weights in the package; trained ones have {', '.join(PACKAGED_WEIGHTS)}")
    return get_fundus_cfg(file, ["MODEL.WEIGHTS", PACKAGED_WEIGHTS[own]])
