"""Soft windows about the disc."""

import math

import pytest
import torch

from fundus_plugins.modeling.disc_window import disc_windows


def test_golden_values():
    # A disc of 8 x 4 pixels about (16, 16), a window of one and a half diameters: its edge is 6 and 3 pixels away.
    window = disc_windows(torch.tensor([[12.0, 14.0, 20.0, 18.0]]), 1.5, 32)[0, 0]
    assert window.shape == (32, 32) and window.dtype == torch.float32
    assert (window[15:17, 11:21] == 1).all()  # middles of pixels up to 4.5 to either side, half a pixel off in height
    x, y = 24.5 - 16, 0.5  # of pixel (24, 16)
    distance = math.hypot(x / 6, y / 3)
    assert window[16, 24].item() == pytest.approx(math.exp(-0.5 * ((distance - 1) / 0.25) ** 2), rel=1e-5)
    assert window[0, 0] < 1e-6


@pytest.mark.parametrize("diameters", [1.0, 2.0, 3.0])
def test_a_larger_window_shows_more_and_never_less(diameters):
    boxes = torch.tensor([[10.0, 20.0, 30.0, 44.0], [-5.0, 0.0, 8.0, 12.0]])
    smaller, larger = disc_windows(boxes, diameters, 64), disc_windows(boxes, diameters + 0.5, 64)
    assert (larger >= smaller).all() and (0 <= smaller).all() and (larger <= 1).all()
    assert smaller.shape == (2, 1, 64, 64)


def test_a_box_without_area_gives_numbers():
    assert torch.isfinite(disc_windows(torch.tensor([[5.0, 5.0, 5.0, 5.0]]), 2.0, 16)).all()
