"""Changes of colour, light and sharpness: what each does, and what none may do."""

import cv2
import numpy as np
import pytest
from PIL import Image

from fundus_plugins.data.augmentation import photometric as camera
from fundus_plugins.data.augmentation.photometric import RandomPhotometric

CHANGES = [
    (camera.change_light, 0.8),
    (camera.change_tone, 0.6),
    (camera.lose_sharpness, 1.0),
    (camera.add_noise, 20),
    (camera.compress, 10),
    (camera.cut_out, 0.3),
]


def picture(seed=0):
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal([140, 80, 40], 25, (60, 90, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("change, strength", CHANGES, ids=lambda x: getattr(x, "__name__", ""))
def test_shape_type_and_input_stay_and_seeds_decide(change, strength):
    image = picture()
    before = image.copy()
    first, again, other = (change(image, strength, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == image.shape and first.dtype == np.uint8
    assert np.array_equal(image, before)
    assert np.array_equal(first, again) and not np.array_equal(first, other) and not np.array_equal(first, before)


@pytest.mark.parametrize(
    "change", [camera.change_light, camera.change_tone, camera.add_noise], ids=lambda x: x.__name__
)
def test_no_strength_changes_nothing(change):
    assert np.abs(change(picture(), 1e-9, np.random.default_rng(0)).astype(int) - picture()).max() <= 1


def test_light_is_a_slope():
    flat = np.full((50, 80, 3), 100, np.uint8)
    lit = camera.change_light(flat, 0.9, np.random.default_rng(3)).astype(float)[..., 0]
    assert lit.max() - lit.min() > 10
    assert np.abs(np.diff(lit, axis=0)).max() <= 6 and np.abs(np.diff(lit, axis=1)).max() <= 6


def test_blur_lowers_contrast_and_keeps_the_mean():
    blurred = [camera.lose_sharpness(picture(), 3.0, np.random.default_rng(seed)) for seed in range(8)]
    contrast = [x.std((0, 1)).max() for x in (*blurred, picture())]
    assert max(contrast) == contrast[-1] and np.mean(contrast[:-1]) < 0.7 * contrast[-1]
    assert max(np.abs(x.mean((0, 1)) - picture().mean((0, 1))).max() for x in blurred) < 2


def test_jpeg_is_of_red_first_photographs(tmp_path):
    """Pillow, whose order it is, decodes and encodes the same but for rounding."""
    image = cv2.GaussianBlur(picture(), (0, 0), 3)
    Image.fromarray(image).save(tmp_path / "a.jpg", quality=50)
    expected = np.asarray(Image.open(tmp_path / "a.jpg")).astype(int)
    assert np.abs(camera.through_jpeg(image, 50) - expected).max() <= 2


def test_cut_out_covers_one_rectangle_of_one_colour():
    image = picture()
    covered = camera.cut_out(image, 0.4, np.random.default_rng(0))
    changed = (covered != image).any(2)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    inside = covered[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].reshape(-1, 3)
    assert len(np.unique(inside, axis=0)) == 1
    assert max(len(rows), len(columns)) <= 0.4 * 90


def test_each_change_comes_half_of_the_times():
    np.random.seed(0)
    augmentation = RandomPhotometric(cutout=0.5)
    image = picture()
    changed = [not np.array_equal(augmentation.get_transform(image).apply_image(image), image) for _ in range(400)]
    assert 0.4 < np.mean(changed) < 0.6


def test_global_seed_decides():
    """Detectron2 seeds NumPy's global generator in every worker."""
    results = []
    for _ in range(2):
        np.random.seed(5)
        augmentation = RandomPhotometric(light=0.5, tone=0.5, blur=0.5, noise=10, jpeg=30, cutout=0.2)
        results.append([augmentation.get_transform(picture()).apply_image(picture()) for _ in range(4)])
    assert all(np.array_equal(*pair) for pair in zip(*results))
