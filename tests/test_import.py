"""What importing the package does: it registers, quickly, changes nothing else, and works without Detectron2."""

import subprocess
import sys

import pytest

import fundus_plugins
from fundus_plugins import model_zoo
from tests.conftest import ROOT


def python(code: str, *flags: str) -> str:
    done = subprocess.run([sys.executable, *flags, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


REGISTERED = (
    "from detectron2.modeling import BACKBONE_REGISTRY as B, META_ARCH_REGISTRY as M, ROI_HEADS_REGISTRY as R\n"
    "from detectron2.utils.file_io import PathManager as P\n"
    "print('build_timm_fpn_backbone' in B, 'RankingCNN' in M, 'RFNetROIHeads' in R,"
    " P.exists('fundus://rfnet_any_camera.safetensors'))"
)


@pytest.mark.parametrize("order", ["import fundus_plugins\n", "import detectron2.modeling\nimport fundus_plugins\n"])
def test_it_registers_before_and_after_detectron2(order):
    assert python(order + REGISTERED) == "True True True True"


def test_it_registers_once_though_the_spec_was_asked_for_before():
    ask = "import fundus_plugins, importlib.util\nimportlib.util.find_spec('detectron2.modeling')\n"
    assert python(ask + REGISTERED) == "True True True True"


def test_packaged_weights_are_found_without_the_models():
    code = "import sys\nimport fundus_plugins\nfrom detectron2.utils.file_io import PathManager as P\n"
    found = "P.isfile('fundus://rfnet_any_camera.safetensors'), 'detectron2.modeling' in sys.modules"
    assert python(f"{code}print({found})") == "True False"


def test_it_is_light_and_leaves_no_finder_behind():
    code = "import sys\nimport fundus_plugins\n"
    assert python(code + "print('torch' in sys.modules, 'numpy' in sys.modules)") == "False False"
    ours = "[x for x in sys.meta_path if 'fundus' in type(x).__module__]"
    assert python(f"{code}import detectron2.modeling\nprint({ours})") == "[]"


def test_it_brings_nothing_slow_beyond_detectron2():
    code = (
        "import sys\nimport detectron2.modeling, detectron2.engine, detectron2.evaluation\nbefore = set(sys.modules)\n"
        "import fundus_plugins\nprint(*sorted({x.split('.')[0] for x in set(sys.modules) - before}))"
    )
    brought = set(python(code).split())
    assert not brought & {"timm", "pandas", "sklearn", "scipy", "matplotlib", "rich_click"}, brought


STATE = """
import logging, sys, warnings, json, os
import detectron2.modeling, detectron2.data, detectron2.evaluation, detectron2.engine, torch, numpy
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling import *
from detectron2.modeling import build_backbone
from fvcore.common.registry import Registry
import detectron2.modeling as m

def state():
    registries = {k: {n: o.__module__ for n, o in v} for k, v in vars(m).items() if isinstance(v, Registry)}
    loggers = {k: (v.level, len(v.handlers), v.propagate) for k, v in logging.Logger.manager.loggerDict.items()
               if isinstance(v, logging.Logger) and not k.startswith('fundus_plugins')}
    return registries, {
        'defaults': get_cfg().dump(), 'sets': DatasetCatalog.list(), 'metadata': MetadataCatalog.list(),
        'filters': [str(x) for x in warnings.filters], 'root': (logging.root.level, len(logging.root.handlers)),
        'loggers': loggers, 'threads': (torch.get_num_threads(), torch.get_num_interop_threads()),
        'dtype': str(torch.get_default_dtype()), 'grad': torch.is_grad_enabled(), 'errors': numpy.geterr(),
        'environment': dict(os.environ), 'path': list(sys.path), 'finders': len(sys.meta_path),
        'hook': str(sys.excepthook), 'random': torch.random.get_rng_state().sum().item()}

registries, before = state()
"""
AFTER = """
ours, after = state()
changed = [key for key in before if before[key] != after[key]]
for key, names in registries.items():
    gone = [name for name in names if ours[key].get(name) != names[name]]
    new = [name for name in ours[key] if name not in names and not ours[key][name].startswith('fundus_plugins.')]
    changed += gone + new
print(changed, sum(map(len, ours.values())) > sum(map(len, registries.values())))
"""


def test_it_changes_nothing_but_adding_our_names():
    """Registries, defaults, catalogs, filters of warnings, loggers, threads, the environment, random numbers."""
    assert python(f"{STATE}\nimport fundus_plugins, fundus_plugins.modeling\n{AFTER}") == "[] True"


def test_help_shows_every_public_name():
    import pydoc

    text = pydoc.render_doc(fundus_plugins, renderer=pydoc.plaintext)
    assert [name for name in fundus_plugins.__all__ if name not in text] == []
    from fundus_plugins import modeling

    assert set(modeling.__all__) <= set(fundus_plugins.__all__)


@pytest.mark.parametrize(
    "what", ["fundus_plugins.release_cfg", "import fundus_plugins.modeling", "import fundus_plugins.engine.trainer"]
)
def test_without_detectron2(what):
    code = "import sys\nsys.modules['detectron2'] = None\nimport fundus_plugins, fundus_plugins.measures.overlap\n"
    assert "needs Detectron2" in python(f"{code}try:\n  {what}\nexcept ImportError as error:\n  print(error)")


def test_public_names():
    for name in fundus_plugins.__all__:
        assert getattr(fundus_plugins, name) is not None and name in dir(fundus_plugins)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fundus_plugins.nothing  # noqa: B018


def test_model_zoo(tmp_path, monkeypatch):
    names = model_zoo.list_configs()
    assert "rfnet_refuge.yaml" in names and "ablations/loss_bce.yaml" in names
    assert model_zoo.get_config_file("rfnet_refuge") == model_zoo.get_config_file("rfnet_refuge.yaml")
    assert model_zoo.get_config("rfnet_refuge.yaml").DATASETS.TRAIN == ("refuge_train",)
    assert model_zoo.get_config("rfnet_released.yaml", trained=True).MODEL.WEIGHTS.startswith("fundus://")
    with pytest.raises(ValueError, match="rfnet_refuge.yaml has no weights in the package"):
        model_zoo.get_config("rfnet_refuge.yaml", trained=True)
    with pytest.raises(FileNotFoundError, match="no config resnet.yaml: expected a file, or one of"):
        model_zoo.get_config("resnet.yaml")
    monkeypatch.chdir(tmp_path)
    assert model_zoo.find_config_file("configs/softmax_cnn.yaml") == model_zoo.get_config_file("softmax_cnn.yaml")
    (tmp_path / "softmax_cnn.yaml").write_text("OUTPUT_DIR: mine\n")  # a path goes before a name
    assert fundus_plugins.get_fundus_cfg("softmax_cnn.yaml").OUTPUT_DIR == "mine"


def test_the_repositorys_configs_are_the_packages():
    assert (ROOT / "configs").resolve() == model_zoo.CONFIGS
