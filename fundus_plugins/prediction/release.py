"""A trained model in one file: its weights in half precision, its config, and how it was made."""

import json
from collections.abc import Mapping, Sequence

from detectron2.config import CfgNode
from detectron2.modeling import build_model
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from fundus_plugins.config import get_fundus_cfg, on_what_there_is, parse_readers, without_weights
from fundus_plugins.files import atomic_write
from fundus_plugins.old_names import merge_with_old_names
from fundus_plugins.weights.loading import DIGEST, digest, load_trained_weights, local_weights

PACKAGED = "fundus://rfnet_any_camera.safetensors"


def write_release(cfg: CfgNode, path: str, facts: Mapping[str, object]) -> None:
    """Write the model of `cfg` with the weights MODEL.WEIGHTS names to a safetensors file, float16.

    Args:
        cfg: a full config; it is kept in the file without the paths of weights, data sets and folders.
        facts: how the weights were made, for whoever reads the file.

    Raises:
        FileNotFoundError, RuntimeError: as `load_trained_weights`.
    """
    kept = portable_cfg(cfg)
    model = build_model(_on_cpu(kept))
    load_trained_weights(model, cfg.MODEL.WEIGHTS)
    state = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in model.state_dict().items()
    }
    metadata = {"config": kept.dump(), "facts": json.dumps(dict(facts)), DIGEST: digest(state)}
    with atomic_write(path, "wb") as file:
        file.write(save(state, metadata))


def release_cfg(path: str = PACKAGED, opts: Sequence = ()) -> CfgNode:
    """The config of a file that `write_release` wrote, with MODEL.WEIGHTS that file, for FundusPredictor.

    `opts` are alternating keys and values over it. Raises ValueError or FileNotFoundError as
    `local_weights`, RuntimeError for another kind of file.
    """
    cfg = get_fundus_cfg()
    kept = CfgNode.load_cfg(_metadata(path)["config"])
    merge_with_old_names(cfg, lambda x: x.merge_from_other_cfg(kept))
    merge_with_old_names(cfg, lambda x: x.merge_from_list(["MODEL.WEIGHTS", path, *opts]))
    return on_what_there_is(cfg)


def release_facts(path: str = PACKAGED) -> dict[str, object]:
    """How the weights of a file that `write_release` wrote were made; raises as `release_cfg`."""
    return json.loads(_metadata(path).get("facts", "{}"))


def portable_cfg(cfg: CfgNode) -> CfgNode:
    """A copy of `cfg` without the paths of weights, data sets and folders."""
    kept = without_weights(cfg)
    kept.DATASETS.TRAIN = kept.DATASETS.TEST = ()
    kept.DATASETS.SHARES = []
    kept.MODEL.RFNET.READERS = [f"{name}=its_own" for name in parse_readers(cfg.MODEL.RFNET.READERS)]
    kept.INPUT.DISC_CROP.DISCS = kept.INPUT.DISC_CROP.DETECTOR = ""
    kept.pop("FLOAT32_PRECISION", None)  # of newer Detectron2s; older ones refuse what they do not know
    kept.DATALOADER.CACHE, kept.OUTPUT_DIR, kept.MODEL.DEVICE = "", "output", "cuda"
    return kept


def _metadata(path: str) -> dict[str, str]:
    try:
        with safe_open(local_weights(path), framework="pt") as file:
            found = file.metadata() or {}
    except SafetensorError as error:
        raise RuntimeError(f"{path}: expected released weights with their config: {error!r}") from None
    if "config" not in found:
        raise RuntimeError(f"{path}: expected released weights with their config: there is none in it")
    return found


def _on_cpu(cfg: CfgNode) -> CfgNode:
    cfg = cfg.clone()
    cfg.MODEL.DEVICE = "cpu"
    return cfg
