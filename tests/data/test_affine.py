"""Framing a photograph anew: geometry by hand, masks that move with it, discs of the size asked for."""

import cv2
import detectron2.data.transforms as T
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundus_plugins.data.augmentation.affine import AffineTransform, RandomAffine
from tests.conftest import disk


def test_quarter_turn_and_mirror_are_exact():
    image = np.random.default_rng(0).integers(0, 255, (6, 9, 3)).astype(np.uint8)
    turned = AffineTransform(np.array([[0, 1, 0], [-1, 0, 9]]), (9, 6)).apply_image(image)
    assert np.array_equal(turned, np.rot90(image))
    mirrored = AffineTransform(np.array([[-1, 0, 9], [0, 1, 0]]), (6, 9)).apply_image(image)
    assert np.array_equal(mirrored, image[:, ::-1])


def test_what_is_uncovered_is_black():
    moved = AffineTransform(np.array([[1, 0, 4], [0, 1, 0]]), (5, 5)).apply_image(np.full((5, 5, 3), 200, np.uint8))
    assert (moved[:, :4] == 0).all() and (moved[:, 4] == 200).all()


def test_a_much_smaller_picture_is_the_mean_of_what_it_covers():
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    small = AffineTransform(np.array([[0.25, 0, 0], [0, 0.25, 0]]), (16, 24)).apply_image(image)
    expected = image.reshape(16, 4, 24, 4, 3).mean((1, 3))
    assert np.abs(small - expected).max() <= 1


def test_coordinates_move_as_pixels_do():
    mask = disk(80, 100, 30, 60, 9)
    matrix = np.array([[0.8, -0.3, 12], [0.4, 1.1, -8]])
    transform = AffineTransform(matrix, (90, 110))
    rows, columns = np.nonzero(transform.apply_segmentation(mask.astype(np.uint8)))
    middle = np.array([[columns.mean() + 0.5, rows.mean() + 0.5]])
    rows, columns = np.nonzero(mask)
    before = np.array([[columns.mean() + 0.5, rows.mean() + 0.5]])
    assert np.abs(transform.apply_coords(before) - middle).max() < 0.2


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    centre=st.tuples(st.integers(20, 80), st.integers(20, 130)),
    smallest=st.floats(0.08, 0.5),
)
def test_the_disc_has_the_size_asked_for_and_is_all_there(seed, centre, smallest):
    np.random.seed(seed)
    disc = disk(100, 150, *centre, 14)
    image = np.repeat(disc[..., None] * np.uint8(255), 3, axis=2)
    view = RandomAffine(128, (smallest, smallest * 1.2), rotation=180, shift=0.5)
    augmented = T.AugInput(image, sem_seg=disc.astype(np.uint8))
    view(augmented)
    seen = augmented.sem_seg
    extents = [np.ptp(np.flatnonzero(seen.any(axis))) + 1 for axis in (0, 1)]
    assert smallest * 128 * 0.9 - 2 <= max(extents) <= smallest * 1.2 * 128 * 1.05 + 2
    assert not (seen[0].any() or seen[-1].any() or seen[:, 0].any() or seen[:, -1].any())
    assert np.mean((augmented.image[..., 0] > 127) != (seen > 0)) < 0.02


def test_without_a_disc_the_photograph_fills_the_square():
    for disc in (None, np.zeros((50, 100), np.uint8)):
        augmented = T.AugInput(np.full((50, 100, 3), 255, np.uint8), sem_seg=disc)
        RandomAffine(64, (0.1, 0.4))(augmented)
        assert augmented.image.shape == (64, 64, 3)
        assert (augmented.image[16:48] == 255).all() and (augmented.image[:15] == 0).all()


def test_a_disc_that_cannot_fit_is_refused():
    with pytest.raises(ValueError, match=r"DISC_SIZES.*\(0.1, 0.9\)"):
        RandomAffine(64, (0.1, 0.9))


def test_opencv_agrees_about_pixel_middles():
    image = np.random.default_rng(1).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    ours = AffineTransform(np.array([[2.0, 0, 0], [0, 2, 0]]), (80, 80)).apply_image(image)
    theirs = cv2.resize(image, (80, 80), interpolation=cv2.INTER_LINEAR)
    assert np.abs(ours[2:-2, 2:-2].astype(int) - theirs[2:-2, 2:-2]).max() <= 4  # OpenCV's warp knows 1/32 of a pixel


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), row=st.integers(30, 170), column=st.integers(30, 270), radius=st.integers(6, 25))
def test_closer_frames_as_the_second_look_does(seed, row, column, radius):
    """The disc in the middle, its extent `crop` of the side, but for what a first look misjudges."""
    np.random.seed(seed)
    disc = disk(200, 300, row, column, radius).astype(np.uint8)
    augmentation = RandomAffine(256, (0.05, 0.1), closer=1.0, crop=0.375)
    framed = augmentation.get_transform(np.zeros((200, 300, 3), np.uint8), disc).apply_segmentation(disc)
    rows, columns = (np.flatnonzero(framed.any(axis)) for axis in (1, 0))
    extent = max(len(rows), len(columns))
    assert 0.375 * 256 * np.exp(-0.2) < extent < 0.375 * 256 * np.exp(0.2)
    assert all(abs(where.mean() - 127.5) < 0.2 * extent for where in (rows, columns))


def test_closer_is_a_part_of_the_pictures():
    np.random.seed(0)
    disc = disk(200, 300, 100, 150, 20).astype(np.uint8)
    augmentation = RandomAffine(256, (0.05, 0.1), closer=0.5, crop=0.375)
    extents = [
        augmentation.get_transform(np.zeros((200, 300, 3), np.uint8), disc).apply_segmentation(disc).any(0).sum()
        for _ in range(60)
    ]
    assert 15 < sum(extent > 60 for extent in extents) < 45
    for wrong in ({"closer": 1.5}, {"closer": 0.5, "crop": 0.0}):
        with pytest.raises(ValueError, match="INPUT.RANDOM_AFFINE.CLOSER"):
            RandomAffine(256, (0.05, 0.1), **wrong)
