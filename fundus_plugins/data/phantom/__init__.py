"""Phantom fundus photographs: seeded synthetic pictures with exact masks of the optic disc and cup."""

from fundus_plugins.data.phantom.drawing import Phantom, draw_phantom
from fundus_plugins.data.phantom.parameters import GRADES, PhantomParameters
from fundus_plugins.data.phantom.refuge_layout import write_refuge_layout
from fundus_plugins.data.phantom.sampling import PARTS, VIEWS, sample_parameters

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
