"""Trained weights from a file: all of them or none."""

import torch
from detectron2.utils.file_io import PathManager
from safetensors.torch import load_file
from torch import nn


def load_trained_weights(model: nn.Module, path: str, key: str = "MODEL.WEIGHTS") -> None:
    """Load a checkpoint or a release, all of it or nothing, and without running any code it may hold.

    Detectron2's checkpointer goes on with random weights where a file or a tensor is missing; no patient should meet
    those. `key` is the config's, for error texts.

    Raises:
        FileNotFoundError: no such file, or no path.
        RuntimeError: the checkpoint does not fit the model, or is no checkpoint.
    """
    if not PathManager.isfile(path):
        raise FileNotFoundError(f"{key}: no file {path!r}; it must name a trained checkpoint")
    try:
        local = PathManager.get_local_path(path)
        if local.endswith(".safetensors"):
            state = load_file(local)
        else:
            state = torch.load(local, map_location="cpu", weights_only=True)
        model.load_state_dict(state.get("model", state))
    except Exception as error:
        raise RuntimeError(f"{key}: {path} does not fit the model of this config: {error}") from error
