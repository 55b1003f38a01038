"""Making timm networks, with timm's own pretrained weights or those of a local file."""

from typing import Any

from torch import nn

from fundus_plugins.modeling.depthwise import speed_up_depthwise
from fundus_plugins.weights.loading import read_weights


def refuse_remote_name(name: str) -> None:
    """Raise ValueError for a name with a source before it (`hf-hub:...`), which timm would fetch."""
    if ":" in name:
        raise ValueError(
            f"MODEL.FUNDUS_TIMM.NAME {name}: expected a model of timm's own, found a source; nothing is fetched"
        )


def options_for_any_size(name: str, side: int) -> dict[str, Any]:
    """The options of `timm.create_model` that a network needs to take other pictures than those it was trained on.

    Most need none. Some (Swin) can be told to take any size, others (MaxViT, Hiera) are made for `side` alone.

    Raises:
        ValueError: one of the latter, and `side` is 0.
    """
    import timm

    trained = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if trained is None or not trained.fixed_input_size:
        return {}
    try:
        timm.create_model(name, features_only=True, strict_img_size=False)
        return {"strict_img_size": False}
    except (TypeError, RuntimeError):  # no such option
        if not side:
            raise ValueError(f"timm model {name} is made for one size of picture: set MODEL.FPN.SQUARE_PAD") from None
        return {"img_size": side}


def create_timm_network(name: str, *, pretrained: bool = False, weights: str = "", **options) -> nn.Module:
    """timm's network of that name.

    Args:
        name: timm's model name.
        pretrained: load timm's own pretrained weights (timm fetches them).
        weights: a .safetensors or .pth file in timm's names, local or the package's (fundus://NAME), used instead of
            `pretrained`; "" for none. What only the file's classifier needs may be left over, nothing may be missing.
        options: further arguments of `timm.create_model`.

    Raises:
        ValueError: a name with a source before it.
        ValueError, FileNotFoundError, RuntimeError: as `read_weights`; RuntimeError also where it does not fit.
        ConnectionError: the pretrained weights could not be had.
        TypeError: the network has no such option.
    """
    import timm  # here, for it takes a second, and registering the models should not

    refuse_remote_name(name)
    pretrained = pretrained and not weights
    try:
        network = timm.create_model(name, pretrained=pretrained, **options)
    except Exception as error:
        if not pretrained or isinstance(error, TypeError):
            raise
        raise ConnectionError(
            f"timm could not fetch the pretrained weights of {name} ({type(error).__name__}: {error}). Without a "
            "network, set MODEL.FUNDUS_TIMM.WEIGHTS to a local file, or MODEL.FUNDUS_TIMM.PRETRAINED False to start "
            "from scratch."
        ) from error
    if weights:
        load_timm_weights(network, weights, name)
    speed_up_depthwise(network)
    return network


def load_timm_weights(network: nn.Module, path: str, name: str) -> None:
    """Load a file in timm's names into `network`, called `name` in error texts; raises as `create_timm_network`."""
    state = read_weights(path, "MODEL.FUNDUS_TIMM.WEIGHTS")
    state = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    try:
        missing = network.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:  # same names, other shapes
        raise RuntimeError(f"MODEL.FUNDUS_TIMM.WEIGHTS: {path} does not fit {name}: {error}") from error
    # Files without batch norm's step counter are common, and nothing reads it.
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    if missing:
        raise RuntimeError(
            f"MODEL.FUNDUS_TIMM.WEIGHTS: {path} does not fit {name}: {len(missing)} tensors missing, among them "
            f"{missing[:3]}"
        )
