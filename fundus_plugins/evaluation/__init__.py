"""Measures of segmentation, at the photographs' own resolution."""

from .disc_cup import DiscCupEvaluator
from .mask_writer import RefugeMaskWriter

__all__ = ["DiscCupEvaluator", "RefugeMaskWriter"]
