"""The most pixels that are read."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from fundus_plugins.photographs.limits import MOST, USUAL, VARIABLE, pixel_limit
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("environment", "limit"), [({}, USUAL), ({VARIABLE: "90000"}, 90000), ({VARIABLE: str(MOST)}, MOST)]
)
def test_the_environment_says_it(environment, limit):
    assert pixel_limit(environment) == limit


@pytest.mark.parametrize("text", ["", "0", "-5", "1e6", "many", "٣", str(MOST + 1)])
def test_what_is_no_number_of_pixels(text):
    with pytest.raises(ValueError, match=f"{VARIABLE}: expected a whole number from 1 to"):
        pixel_limit({VARIABLE: text})


def test_pillow_opens_no_more():
    assert MOST == 2 * Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("limit", "told"), [("1999", "at most 1,999 pixels, found 50 x 40"), ("x", "expected a whole number")]
)
def test_a_command_keeps_it(tmp_path, limit, told):
    Image.new("RGB", (50, 40)).save(tmp_path / "a.png")
    command = [sys.executable, "-m", "fundus_plugins", "predict", tmp_path / "a.png", "--output", tmp_path / "out"]
    done = subprocess.run(command, env=os.environ | {VARIABLE: limit}, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode in (1, 2) and told in done.stderr and "Traceback" not in done.stderr
