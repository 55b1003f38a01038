"""Cups of other sizes: the disc stays, the masks and the pixels agree, points go where pixels go."""

import detectron2.data.transforms as T
import numpy as np
import pytest

from fundus_plugins.data.augmentation.cup_size import CUP_MARK, CupSizeTransform, RandomCupSize, mark
from tests.conftest import disk

HEIGHT, WIDTH = 200, 240


def eye():
    disc, cup = disk(HEIGHT, WIDTH, 90, 130, 60), disk(HEIGHT, WIDTH, 96, 124, 25)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[..., 0], image[..., 1] = disc * 200, cup * 200
    image[~disc, 2] = np.random.default_rng(0).integers(0, 255, (~disc).sum())
    return image, mark(disc, cup)


def transformed(factor):
    """As RandomCupSize makes it where it is to multiply by a factor."""
    image, marks = eye()
    augmentation = RandomCupSize((0.1, 20))
    numbers = iter((0.0, np.log(factor)))
    augmentation._rand_range = lambda *_: next(numbers)
    return image, marks, augmentation.get_transform(image, marks)


@pytest.mark.parametrize("factor, radius", [(0.5, 12.5), (1.5, 37.5), (1, 25)])
def test_the_cup_alone_changes(factor, radius):
    image, marks, transform = transformed(factor)
    new_image, new_marks = transform.apply_image(image), transform.apply_segmentation(marks)
    disc, cup = new_marks > 0, new_marks == CUP_MARK
    assert cup.sum() == pytest.approx(np.pi * radius**2, rel=0.06)
    assert ((marks > 0) != disc).mean() < 0.002
    outside = ~disk(HEIGHT, WIDTH, 90, 130, 62)
    assert np.array_equal(new_image[outside], image[outside])
    assert ((new_image[..., 1] > 100) != cup).mean() < 0.002


def test_points_go_where_pixels_go():
    _, marks, transform = transformed(1.6)
    edge = np.array([[124 + 0.5 + 25, 96.5], [124.5, 96.5 - 25], [5.0, 7.0]])
    moved = transform.apply_coords(edge)
    assert np.abs(moved - [[124.5 + 40, 96.5], [124.5, 56.5], [5, 7]]).max() < 1
    cup = transform.apply_segmentation(marks) == CUP_MARK
    assert np.flatnonzero(cup[96]).max() + 1 == pytest.approx(moved[0, 0], abs=1.5)


def test_a_cup_stays_within_the_disc():
    _, marks, transform = transformed(10)
    new = transform.apply_segmentation(marks)
    assert (new == CUP_MARK).sum() < 0.9 * (new > 0).sum()
    assert isinstance(transform, CupSizeTransform)


@pytest.mark.parametrize("marks", [None, np.zeros((HEIGHT, WIDTH), np.uint8), (eye()[1] > 0).astype(np.uint8)])
def test_without_a_cup_nothing_changes(marks):
    assert all(isinstance(RandomCupSize((0.5, 2)).get_transform(eye()[0], marks), T.NoOpTransform) for _ in range(5))


def test_half_of_the_times():
    np.random.seed(0)
    image, marks = eye()
    found = [type(RandomCupSize((0.5, 2)).get_transform(image, marks)) for _ in range(100)]
    assert 35 < found.count(CupSizeTransform) < 65
    with pytest.raises(ValueError, match=r"INPUT.CUP_SIZES: expected two factors such as \(0.5, 1.2\), found \(1, 1\)"):
        RandomCupSize((1, 1))


def test_factors_are_between_the_two():
    np.random.seed(0)
    image, marks = eye()
    found = [RandomCupSize((0.5, 1.2)).get_transform(image, marks) for _ in range(200)]
    factors = [(x.new / x.old).mean() for x in found if isinstance(x, CupSizeTransform)]
    assert 0.49 < min(factors) < 0.55 and 1.1 < max(factors) < 1.21


def test_at_the_edge_of_the_picture():
    disc, cup = disk(100, 100, 10, 50, 40), disk(100, 100, 12, 50, 20)
    marks = disc.astype(np.uint8) + cup
    augmentation = RandomCupSize((0.5, 1.5))
    numbers = iter((0.0, np.log(1.5)))
    augmentation._rand_range = lambda *_: next(numbers)
    transform = augmentation.get_transform(np.zeros((100, 100, 3), np.uint8), marks)
    new = transform.apply_segmentation(marks)
    assert new.shape == marks.shape and (new == CUP_MARK).sum() > 1.5 * cup.sum()
