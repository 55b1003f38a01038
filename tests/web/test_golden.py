"""The page's own functions against Python's: the golden values are what Python gives today, and node's tests pass."""

import base64
import json
import shutil
import subprocess
import zlib

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.web.golden import FILE, golden


def same(found, kept) -> bool:
    """Numbers nearly so, and packed pixels or masks but for a step in few of them."""
    if isinstance(found, dict):
        return found.keys() == kept.keys() and all(same(found[key], kept[key]) for key in found)
    if isinstance(found, list | tuple):
        return len(found) == len(kept) and all(map(same, found, kept))
    if isinstance(found, str):
        arrays = [np.frombuffer(zlib.decompress(base64.b64decode(x)), np.uint8).astype(int) for x in (found, kept)]
        return arrays[0].shape == arrays[1].shape and float(np.abs(arrays[0] - arrays[1]).mean()) < 0.5
    return found == pytest.approx(kept, abs=1e-3)


def test_the_golden_values_are_what_python_gives():
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    for name, values in golden().items():
        assert same(values, kept[name]), f"{name}: python -m tests.web.golden writes them anew"


def test_the_page_s_functions_pass_node_s_tests():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    done = subprocess.run([node, "--test"], cwd=ROOT / "web", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_lock_file_names_no_host_but_npm_s():
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text(encoding="utf-8"))
    hosts = [x["resolved"] for x in lock["packages"].values() if "resolved" in x]
    assert all(x.startswith("https://registry.npmjs.org/") for x in hosts)
    assert all("integrity" in x for name, x in lock["packages"].items() if name)
