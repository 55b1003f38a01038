"""The packaged configs of networks of whole pictures, made small."""

import fundus_plugins
from tests.conftest import ROOT, SMALL

FOLDER = ROOT / "configs" / "baselines"
NAMES = [
    "unet_drishti", "unet_smp_drishti", "mnet_drishti", "mnet_polar_drishti", "etnet_drishti", "deeplabv3plus_drishti",
    "segformer_drishti",
]  # fmt: skip
NARROW = ["MODEL.UNET.CHANNELS", (8, 16, 16, 32, 32), "MODEL.MNET.WIDTH", 4, "MODEL.ETNET.WIDTH", 8]


def network_config(name: str, *options):
    """One of the configs (its file's name) at 128 pixels and with few channels."""
    return fundus_plugins.get_fundus_cfg(str(FOLDER / f"{name}.yaml"), [*SMALL, *NARROW, *options])
