"""Where a mask is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fundus_plugins.boxes import box_of, window_of


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32])
def test_by_hand(kind):
    mask = np.zeros((20, 30), kind)
    assert box_of(mask) is None and mask[window_of(mask)].size == 0
    mask[3:8, 10:12] = 1
    assert box_of(mask) == (10, 3, 12, 8)
    assert window_of(mask) == (slice(3, 8), slice(10, 12))
    assert window_of(mask, margin=4) == (slice(0, 12), slice(6, 16))


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)), st.integers(0, 3))
def test_everything_is_within_and_every_side_is_touched(mask, margin):
    window = mask[window_of(mask)]
    assert window.sum() == mask.sum() == mask[window_of(mask, margin)].sum()
    assert not mask.any() or all(side.any() for side in (window[0], window[-1], window[:, 0], window[:, -1]))


def test_of_a_view_that_is_not_contiguous():
    mask = np.zeros((20, 30), bool)
    mask[4:10:2, 6:12:3] = True
    assert box_of(mask[::2, ::3]) == (2, 2, 4, 5)
    assert box_of(mask.T) == (4, 6, 9, 10) == box_of(mask.T.astype(float))
