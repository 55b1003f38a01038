"""The one reader of weight files: it runs no code that a file may hold, and fetches nothing."""

import hashlib
import os
import re
import zipfile
from collections.abc import Mapping

import torch
from detectron2.utils.file_io import PathManager
from safetensors import safe_open
from torch import nn

from fundus_plugins.files import refuse_changed
from fundus_plugins.weights import PREFIX

SUFFIXES = (".safetensors", ".pth", ".pt")
DIGEST = "tensors sha256"  # in a release's metadata


def local_weights(path: str, key: str = "MODEL.WEIGHTS") -> str:
    """The file on this disk that a config's key names; `fundus://NAME` is one of the package's.

    Any config can name a path, a stranger's too, so an address is never fetched and a pickle never opened.

    Raises:
        ValueError: an address, or another suffix than SUFFIXES; the text says what to do instead.
        FileNotFoundError: no such file, or no path.
    """
    if re.match(r"[a-z][a-z0-9+.-]+://", path, re.IGNORECASE) and not path.startswith(PREFIX):
        raise ValueError(f"{key}: {path} is an address, and weights are not fetched: download it, name the local file")
    if not path or not PathManager.isfile(path):
        raise FileNotFoundError(f"{key}: no file {path!r}; it must name a trained checkpoint")
    if not path.endswith(SUFFIXES):
        raise ValueError(
            f"{key}: {path}: expected a {', '.join(SUFFIXES)} file, found {os.path.splitext(path)[1] or 'no suffix'}; "
            "pickles (.pkl) are not opened, for they can run any code"
        )
    return PathManager.get_local_path(path)


def read_weights(path: str, key: str = "MODEL.WEIGHTS") -> dict:
    """What a file of weights holds, on the CPU: tensors by name, or a checkpoint with those under "model".

    `key` is the config's, for error texts.

    Raises:
        ValueError, FileNotFoundError: as `local_weights`.
        RuntimeError: the file is damaged, or holds more than tensors and plain values.

    Damage is told by the checksums in a `.pth` file, by those in a release, and by a SHA256SUMS beside the file.
    """
    local = local_weights(path, key)
    try:
        refuse_changed(local)
        if local.endswith(".safetensors"):
            return _read_safetensors(local)
        if zipfile.is_zipfile(local):  # PyTorch writes checksums, and does not read them
            with zipfile.ZipFile(local) as file:
                if damaged := file.testzip():
                    raise ValueError(f"the checksum of {damaged} in it is wrong: it is damaged")
        found = torch.load(local, map_location="cpu", weights_only=True)
    except Exception as error:  # torch, pickle, zip and safetensors each have their own
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no reason'}"
        raise RuntimeError(f"{key}: {path} cannot be read as weights: {reason}") from error
    if not isinstance(found, dict):
        raise RuntimeError(f"{key}: {path}: expected tensors by name, found {type(found).__name__}")
    return found


def digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """The SHA-256 of tensors with their names, types and shapes."""
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _read_safetensors(path: str) -> dict[str, torch.Tensor]:
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
        wanted = (file.metadata() or {}).get(DIGEST)
    if wanted is not None and digest(tensors) != wanted:
        raise ValueError("its tensors are not those of its checksum: it is damaged")
    return tensors


def load_trained_weights(model: nn.Module, path: str, key: str = "MODEL.WEIGHTS") -> None:
    """Load a checkpoint or a release, all of it or nothing.

    Detectron2's checkpointer goes on with random weights where a file or a tensor is missing; no patient should meet
    those.

    Raises:
        ValueError, FileNotFoundError, RuntimeError: as `read_weights`; RuntimeError also where it does not fit.
    """
    state = read_weights(path, key)
    try:
        model.load_state_dict(state.get("model", state))
    except Exception as error:
        raise RuntimeError(f"{key}: {path} does not fit the model of this config: {error}") from error
