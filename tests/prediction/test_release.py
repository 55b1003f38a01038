"""A model in one file."""

from fundus_plugins.config import get_fundus_cfg
from fundus_plugins.prediction.release import portable_cfg


def test_no_key_that_an_older_detectron2_refuses():
    cfg = get_fundus_cfg()
    cfg.FLOAT32_PRECISION = "high"
    assert "FLOAT32_PRECISION" not in portable_cfg(cfg)
    assert cfg.FLOAT32_PRECISION == "high"
