"""The polar transformation about the middle, and back."""

import math

import pytest
import torch
from torch.nn.functional import interpolate

from fundus_plugins.modeling.segmentation.polar import from_polar, to_polar
from tests.conftest import disk


def test_there_and_back():
    torch.manual_seed(0)
    picture = interpolate(torch.rand(2, 3, 6, 6), (96, 96), mode="bicubic")  # smooth
    again = from_polar(to_polar(picture))
    inside = torch.from_numpy(disk(96, 96, 47.5, 47.5, 46))
    assert (again - picture).abs()[..., inside].max() < 0.03
    assert not again[..., ~torch.from_numpy(disk(96, 96, 47.5, 47.5, 48.5))].any()


def test_a_disc_in_the_middle_is_a_band():
    mask = torch.from_numpy(disk(64, 64, 31.5, 31.5, 16)).float()[None, None]
    polar = to_polar(mask, "nearest")[0, 0]
    assert polar[:31].all() and not polar[34:].any()  # rows are half pixels


@pytest.mark.parametrize("row, column, angle", [(32, 60, 0.0), (60, 32, 0.25), (32, 4, 0.5), (4, 32, 0.75)])
def test_angles_go_from_the_right_downwards(row, column, angle):
    mask = torch.from_numpy(disk(64, 64, row - 0.5, column - 0.5, 2)).float()[None, None]
    rows, columns = to_polar(mask)[0, 0].gt(0.5).nonzero().T
    turn = (columns + 0.5) * 2 * math.pi / 64
    mean = math.atan2(turn.sin().mean(), turn.cos().mean()) / (2 * math.pi) % 1
    assert (mean - angle + 0.5) % 1 - 0.5 == pytest.approx(0, abs=0.01)
    assert (rows + 0.5).mean() / 2 == pytest.approx(28, abs=0.5)


def test_the_first_angle_is_beside_the_last():
    polar = torch.ones(1, 1, 32, 32)
    inside = torch.from_numpy(disk(32, 32, 15.5, 15.5, 15))
    assert from_polar(polar)[0, 0][inside].min() > 1 - 1e-6


def test_gradients_and_types_pass():
    x = torch.rand(1, 2, 16, 16, requires_grad=True)
    from_polar(to_polar(x)).sum().backward()
    assert x.grad.any()
    assert to_polar(x.bfloat16()).dtype == from_polar(x.bfloat16()).dtype == torch.bfloat16


def test_only_squares():
    with pytest.raises(ValueError, match="takes squares, found 20 x 16 pixels"):
        to_polar(torch.zeros(1, 1, 16, 20))
