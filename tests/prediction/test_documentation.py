"""The examples of the documentation, run as they stand."""

import re

import cv2
import numpy as np

from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters
from tests.conftest import ROOT


def test_prediction_from_python(tmp_path, monkeypatch):
    rng = np.random.default_rng((31, 2))
    image = draw_phantom(sample_parameters(rng, "normal", "macula"), 400, rng).image
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("eye.jpg", image[..., ::-1])
    text = (ROOT / "docs" / "predict.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict = {"image": image}
    exec(compile(code, "docs/predict.md", "exec"), names)
    assert names["found"].disc.any() and names["found"].vcdr > 0
