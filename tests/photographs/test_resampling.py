"""Pictures made smaller, cut out and pasted as Detectron2 and PyTorch do it, in any place and at any size."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from detectron2.data import transforms as T
from detectron2.layers import paste_masks_in_image
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fundus_plugins.photographs.resampling import paste_mask, resize, sample_grid, shortest_edge_size, warp


def smooth(height: int, width: int, seed: int = 0, detail: int = 12) -> np.ndarray:
    size = height // detail + 2, width // detail + 2, 3
    small = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


@settings(max_examples=30, deadline=None)
@given(st.integers(20, 150), st.integers(20, 150), st.integers(10, 90), st.integers(0, 2**32 - 1))
def test_photographs_are_resized_as_detectron2_resizes_them(height, width, side, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    size = shortest_edge_size(height, width, side, 2 * side)
    expected = T.ResizeShortestEdge([side] * 2, 2 * side).get_transform(image).apply_image(image)
    assert size == expected.shape[:2]
    found = resize(image, size)
    assert found.dtype == np.uint8
    if min(height // size[0], width // size[1]) < 6:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", [(1600, 1200), (1601, 1207), (1000, 3001)])
def test_a_large_photograph_s_quick_reduction_is_the_filter_s(shape):
    image = smooth(*shape, detail=40)
    size = shortest_edge_size(*shape, 128, 128)
    expected = T.ResizeTransform(*shape, *size).apply_image(image).astype(int)
    difference = np.abs(resize(image, size) - expected)
    assert difference[:-1, :-1].max() <= 3 and difference.max() <= 16 and difference.mean() < 0.5


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 0.6), st.floats(-0.2, 0.2), st.floats(-300, 400), st.floats(-300, 400), st.integers(0, 9))
def test_a_cut_out_is_that_of_the_whole_picture_made_smaller(scale, turn, x, y, seed):
    """In whole blocks, so that both average the same pixels."""
    image = smooth(480, 720, seed)
    matrix = np.array([[scale, -turn * scale, x * scale], [turn * scale, scale, y * scale]])
    shrink = int(1 / np.sqrt(np.linalg.det(matrix[:, :2])))
    if shrink < 2 or 240 % shrink:
        return
    small = cv2.resize(image, (720 // shrink, 480 // shrink), interpolation=cv2.INTER_AREA)
    nearer = matrix @ np.diag([shrink, shrink, 1.0])
    nearer[:, 2] += 0.5 * nearer[:, :2].sum(1) - 0.5
    expected = cv2.warpAffine(small, nearer, (96, 64), flags=cv2.INTER_LINEAR)
    assert np.abs(warp(image, matrix, (64, 96)).astype(int) - expected).max() <= 2


def test_sizes_are_detectron2s_to_the_pixel():
    for height in (459, 565, 697, 1424, 2136):
        for width in range(200, 4000, 7):
            for sides in ((256, 256), (384, 512)):
                expected = T.ResizeShortestEdge.get_output_shape(height, width, *sides)
                assert shortest_edge_size(height, width, *sides) == expected, (height, width)
    assert shortest_edge_size(300, 400, 0, 500) == (300, 400)


def test_a_strip_narrower_than_a_block():
    assert warp(np.full((2, 5000, 3), 90, np.uint8), np.array([[0.1, 0, 0], [0, 0.1, 30.0]]), (64, 64)).any()


def test_what_lies_beyond_the_picture_is_black():
    image = np.full((300, 400, 3), 200, np.uint8)
    assert not warp(image, np.array([[0.2, 0, 900.0], [0, 0.2, 0]]), (64, 64)).any()
    half = warp(image, np.array([[0.2, 0, 32.0], [0, 0.2, 0]]), (60, 64))
    assert (half[:, 33:] == 200).all() and not half[:, :31].any()


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-40, 100), st.floats(-40, 80), st.floats(0.5, 150), st.floats(0.5, 150),
    st.sampled_from([1, 7, 28]), st.integers(0, 9),
)  # fmt: skip
def test_masks_are_pasted_as_detectron2_pastes_them(x, y, width, height, side, seed):
    assume(x + width > 1 and y + height > 1)  # Detectron2 stops at boxes beyond the picture
    mask = np.random.default_rng(seed).random((side, side), dtype=np.float32)
    box = torch.tensor([[x, y, x + width, y + height]], dtype=torch.float32)
    expected = paste_masks_in_image(torch.from_numpy(mask)[None], box, (90, 110), 0.5)[0].numpy()
    found = paste_mask(mask, box[0].double().numpy(), (90, 110), 0.5)
    assert (found != expected).sum() <= 2  # where a value is a half but for rounding


def test_a_box_without_area_or_beyond_the_picture_shows_nothing():
    mask = np.ones((4, 4), np.float32)
    for box in ([5, 5, 5, 9], [5, 5, 9, 4], [200, 5, 220, 9], [-30, -30, -20, -20]):
        assert not paste_mask(mask, np.array(box, float), (50, 60), 0.5).any()


def test_grids_are_sampled_as_pytorch_samples_them():
    mask = np.random.default_rng(0).random((9, 9), dtype=np.float32)
    rows, columns = np.linspace(-2, 11, 40), np.linspace(-1, 10, 30)
    y, x = np.meshgrid(2 * rows / 9 - 1, 2 * columns / 9 - 1, indexing="ij")
    grid = torch.from_numpy(np.stack([x, y], -1)[None]).float()
    expected = F.grid_sample(torch.from_numpy(mask)[None, None], grid, align_corners=False)[0, 0].numpy()
    np.testing.assert_allclose(sample_grid(mask, rows, columns), expected, atol=1e-5)
