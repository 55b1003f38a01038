"""Shape of the optic nerve head, measured on masks: pure functions of numpy arrays."""

import math

import numpy as np


def vertical_diameter(mask: np.ndarray) -> int:
    """Vertical diameter of a region: its largest column sum, REFUGE's official definition.

    `mask` is (H, W), boolean or number; every non-zero pixel belongs to the region. The result is in pixels of that
    mask, 0 for an empty one. Holes do not count. Raises ValueError if the mask is not two-dimensional.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f"a mask has two dimensions (height, width), found the shape {mask.shape}")
    mask = mask[mask.any(axis=1)]  # a disc is in few of a photograph's rows, and columns are slow to count
    return int(np.count_nonzero(mask, axis=0).max(initial=0))


def horizontal_diameter(mask: np.ndarray) -> int:
    """As `vertical_diameter`, across: the largest row sum of an (H, W) mask, in its pixels."""
    return vertical_diameter(np.asarray(mask).T)


def shown_ratio(value: object) -> float | None:
    """A ratio as every table, picture and page shows it, with two digits; None for no number.

    From four digits, which records have, and a tie goes up, as in browsers: so an eye has one ratio everywhere.
    """
    if not isinstance(value, (int, float)) or math.isnan(value):
        return None
    return math.floor(round(value, 4) * 100 + 0.5) / 100


def vertical_cup_to_disc_ratio(disc: np.ndarray, cup: np.ndarray) -> float:
    """Vertical cup-to-disc ratio: the cup's largest column sum over the disc's, REFUGE's official definition.

    Both masks are (H, W), non-zero inside; the disc includes the cup. The two columns need not be the same. 0.0 for
    an empty disc. Raises ValueError if the shapes differ or are not two-dimensional.

    >>> vertical_cup_to_disc_ratio(np.ones((4, 3)), np.eye(4, 3))
    0.25
    """
    disc, cup = np.asarray(disc), np.asarray(cup)
    if disc.shape != cup.shape:
        raise ValueError(f"disc and cup must have one shape, found {disc.shape} and {cup.shape}")
    disc_diameter = vertical_diameter(disc)
    return vertical_diameter(cup) / disc_diameter if disc_diameter else 0.0
