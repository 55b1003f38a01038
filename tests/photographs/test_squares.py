"""Squares about the disc."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fundus_plugins.photographs.squares import crop_square, disc_square


def test_a_square_is_so_many_longer_sides_of_the_disc():
    assert disc_square((10, 20, 30, 60), 2) == (-20.0, 0.0, 60.0, 80.0)


@given(
    x=st.floats(-50, 150),
    y=st.floats(-50, 150),
    side=st.floats(1, 120),
    height=st.integers(1, 90),
    width=st.integers(1, 90),
)
def test_a_crop_is_square_and_holds_the_photographs_pixels(x, y, side, height, width):
    rows, columns = np.mgrid[1 : height + 1, 1 : width + 1]
    image = np.stack([rows, columns, np.ones_like(rows)], axis=2).astype(np.uint8)
    crop = crop_square(image, (x, y, x + side, y + side))
    assert crop.shape == (round(x + side - x), round(x + side - x), 3) or abs(len(crop) - side) <= 1
    left, top = round(x), round(y)
    for row, column in ((0, 0), (len(crop) - 1, len(crop) - 1), (len(crop) // 2, 0)):
        inside = 0 <= top + row < height and 0 <= left + column < width
        expected = (top + row + 1, left + column + 1, 1) if inside else (0, 0, 0)
        assert tuple(crop[row, column]) == expected
