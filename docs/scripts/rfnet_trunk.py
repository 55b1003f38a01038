"""The MobileNet of trained RF-Net weights, as a start for another network: a file for MODEL.FUNDUS_TIMM.WEIGHTS.

python docs/scripts/rfnet_trunk.py fundus_plugins/weights/rfnet_any_camera.safetensors rfnet_trunk.safetensors
"""

import sys

from safetensors.torch import load_file, save_file

BODY = "backbone.bottom_up.body."


def main() -> None:
    source, output = sys.argv[1:]
    state = {key.removeprefix(BODY): x for key, x in load_file(source).items() if key.startswith(BODY)}
    save_file(state, output, {"source": f"the backbone of {source}"})
    print(f"{len(state)} tensors -> {output}")


if __name__ == "__main__":
    main()
