"""HD95 and average surface distance: worked by hand, and MONAI's against every distance of every pair of pixels."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
from scipy.spatial.distance import cdist

from fundus_plugins.measures.surface import surface_distances
from tests.conftest import disk

masks = arrays(bool, (9, 11), elements=st.sampled_from([False, False, True])).filter(np.any)


def outline(mask):
    """(N, 2) rows and columns of the pixels with a neighbour outside, pixel by pixel."""
    padded = np.pad(mask, 1)
    near = ((0, 1), (2, 1), (1, 0), (1, 2))
    return np.array([(y, x) for y, x in np.argwhere(mask) if not all(padded[y + dy, x + dx] for dy, dx in near)])


def by_every_pair(prediction, truth):
    distances = cdist(outline(prediction), outline(truth))
    directions = distances.min(1), distances.min(0)
    return max(np.percentile(x, 95) for x in directions), np.concatenate(directions).mean()


@settings(max_examples=150, deadline=None)
@given(masks, masks)
def test_every_pair_of_pixels_agrees(prediction, truth):
    found = surface_distances(prediction, truth)
    assert found == pytest.approx(by_every_pair(prediction, truth), abs=1e-5)
    assert surface_distances(truth, prediction) == pytest.approx(found, abs=1e-5)  # symmetric
    assert surface_distances(prediction, prediction) == (0, 0)


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")  # MONAI's of itself
@settings(max_examples=100, deadline=None)
@given(masks, masks, st.tuples(*[st.integers(0, 5)] * 4))
def test_the_crop_changes_nothing(prediction, truth, margins):
    top, bottom, left, right = margins  # 0: what touches the border goes on touching it
    pair = [np.pad(mask, ((top, bottom), (left, right))) for mask in (prediction, truth)]
    found = surface_distances(*pair)
    batch = [mask[None, None] for mask in pair]
    whole = (
        compute_hausdorff_distance(*batch, include_background=True, percentile=95),
        compute_average_surface_distance(*batch, include_background=True, symmetric=True),
    )
    assert found == pytest.approx([float(x) for x in whole])
    assert found == pytest.approx(surface_distances(prediction, truth))


def test_worked_by_hand():
    # Two bars of one row of 20, three rows apart: every pixel is 3 from the other bar.
    first, second = np.zeros((2, 10, 30), bool)
    first[2, 5:25] = second[5, 5:25] = True
    assert surface_distances(first, second) == (3, 3)
    # One more pixel at the end of the first, at (2, 25): sqrt(10) from the other.
    first[2, 25] = True
    hausdorff, average = surface_distances(first, second)
    assert hausdorff == pytest.approx(3)  # the 20th of 21 is at 95 %
    assert average == pytest.approx((40 * 3 + 10**0.5) / 41)
    # A square of 5 within one of 9: its outline of 16 is 2 from the other's 32, whose corners' nearest are its corners.
    small, large = np.zeros((2, 15, 15), bool)
    small[5:10, 5:10] = large[3:12, 3:12] = True
    # On each side of the large one 5 pixels are 2 from the small one, 2 are sqrt(5); the 4 corners are sqrt(8).
    expected = 16 * 2 + 20 * 2 + 8 * 5**0.5 + 4 * 8**0.5
    hausdorff, average = surface_distances(large, small)
    assert hausdorff == pytest.approx(8**0.5) and average == pytest.approx(expected / 48)


def test_at_the_border_of_the_picture():
    # What ends at the picture's border has its outline there.
    whole, upper = np.ones((12, 12), bool), np.zeros((12, 12), bool)
    upper[:4] = True
    assert surface_distances(whole, whole) == (0, 0)
    assert surface_distances(whole, upper) == pytest.approx(by_every_pair(whole, upper))
    assert surface_distances(np.pad(whole, 3), np.pad(upper, 3)) == pytest.approx(surface_distances(whole, upper))


def test_single_pixels_and_empty_masks():
    one, other, nothing = np.zeros((3, 50, 40), bool)
    one[0, 0] = other[30, 39] = True
    assert surface_distances(one, one) == (0, 0)
    assert surface_distances(one, other) == pytest.approx((np.hypot(30, 39),) * 2)
    for pair in ((one, nothing), (nothing, one), (nothing, nothing)):
        assert np.isnan(surface_distances(*pair)).all()


def test_a_shifted_disc():
    hausdorff, average = surface_distances(disk(200, 200, 90, 90, 50), disk(200, 200, 90, 100, 50))
    assert 9 < hausdorff <= 10  # the outlines are ten apart where the shift is across them
    assert average == pytest.approx(10 * 2 / np.pi, rel=0.05)  # the mean of |cosine|


def test_nothing_is_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        surface_distances(disk(40, 40, 20, 20, 9), disk(40, 40, 20, 22, 8))
    code = "import sys; import fundus_plugins.measures.disc_cup; sys.exit('monai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0  # MONAI is loaded when it is wanted
