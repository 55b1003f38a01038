"""Phantom fundus photographs: seeded synthetic pictures with exact masks of the optic disc and cup."""

from .drawing import Phantom, draw_phantom
from .parameters import GRADES, PhantomParameters
from .refuge_layout import write_refuge_layout
from .sampling import PARTS, VIEWS, sample_parameters

__all__ = [
    "GRADES",
    "PARTS",
    "VIEWS",
    "Phantom",
    "PhantomParameters",
    "draw_phantom",
    "sample_parameters",
    "write_refuge_layout",
]
