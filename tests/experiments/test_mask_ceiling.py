"""True masks through the mask branch's grid: finer grids lose less, and what is lost is what the grid cannot hold."""

import json

import cv2
import numpy as np
import pytest

from fundus_plugins.experiments.mask_ceiling import through_the_grid
from fundus_plugins.measures.overlap import dice
from tests.cli.run import run


def circle(radius, size=(240, 320), centre=(150.0, 110.0)):
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2


@pytest.mark.parametrize("input_size", [160, 320])
def test_a_finer_grid_loses_less(input_size):
    disc, cup = circle(60), circle(25)
    scores = []
    for side in (7, 14, 28, 56):
        found = through_the_grid(disc, cup, input_size=input_size, side=side)
        assert found[0].shape == disc.shape and not (found[1] & ~found[0]).any()
        scores.append([dice(mask, true) for mask, true in zip(found, (disc, cup))])
    assert (np.diff(scores, axis=0) > 0).all() and scores[0][1] < 0.9 and scores[-1][0] > 0.985


def test_a_full_square_is_kept_whole():
    disc = np.zeros((100, 100), bool)
    disc[20:60, 30:70] = True
    found, cup = through_the_grid(disc, np.zeros_like(disc), input_size=100, side=4)
    assert dice(found, disc) > 0.97 and not cup.any()


@pytest.mark.slow
def test_tool(tmp_path):
    for number in range(2):
        mask = np.full((240, 320), 255, np.uint8)
        mask[circle(60 + number)], mask[circle(25)] = 128, 0
        cv2.imwrite(str(tmp_path / f"{number}.png"), mask)
    (tmp_path / "torn.png").write_bytes(b"not a picture")
    output = tmp_path / "ceiling.json"
    done = run(
        "measure_mask_side.py", "--gt", tmp_path, "--sides", 7, 56, "--input", 320, "--output", output, datasets=""
    )
    assert done.returncode == 1 and "torn.png" in done.stderr and "2 photographs" in done.stdout, done.stderr
    sides = json.loads(output.read_text())["sides"]
    assert sides["7"]["dice_oc"]["mean"] < sides["56"]["dice_oc"]["mean"]
