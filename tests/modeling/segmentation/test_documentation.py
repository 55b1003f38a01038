"""The network of your own in docs/plugins.md, run as it stands."""

import re
import sys

import cv2
import pytest

from fundus_plugins.modeling.segmentation import DISC_CUP_NETWORK_REGISTRY
from tests.conftest import ROOT, SMALL

pytest.importorskip("segmentation_models_pytorch")
PHANTOMS = ["DATASETS.TRAIN", ("phantom_train",), "DATASETS.TEST", ("phantom_val",), "DATASETS.CHECK", False]
SHORT = ["SOLVER.MAX_ITER", 2, "SOLVER.STEPS", (), "TEST.EVAL_PERIOD", 2]


def test_one_file_and_one_yaml(tmp_path, monkeypatch, phantoms, photograph):
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    section = text.split("\n## A network of your own for disc and cup\n")[1].split("\n## ")[0]
    before, *blocks = re.split(r"```(?:python|yaml)\n", section)
    files = {}
    for block in blocks:  # each is named in the line before it
        code, after = block.split("```", 1)
        files[re.findall(r"`(\w+\.\w+)`", before)[0]] = code
        before = after
    assert list(files) == ["my_network.py", "my_network.yaml", "train_mine.py"]
    assert sum(code.count("\n") for code in files.values()) <= 60
    for name, code in files.items():
        (tmp_path / name).write_text(code)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    cv2.imwrite(str(tmp_path / "eye.jpg"), photograph)

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("DETECTRON2_DATASETS", str(phantoms))
    options = [*SMALL, *PHANTOMS, *SHORT, "TEST.PRECISION", "float32"]
    monkeypatch.setattr(sys, "argv", ["train_mine.py", *map(str, options)])
    names: dict = {}
    try:
        exec(compile(files["train_mine.py"], "docs/plugins.md", "exec"), names)
    finally:
        DISC_CUP_NETWORK_REGISTRY._obj_map.pop("SumOfLevels", None)
        sys.modules.pop("my_network", None)
    assert names["found"].disc.shape == photograph.shape[:2]
    assert (tmp_path / "output" / "my_network" / "evaluation" / "phantom_val_metrics.json").is_file()
