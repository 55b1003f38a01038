"""Measures of segmentation, at the photographs' own resolution, and of grading."""

from .disc_cup import DiscCupEvaluator
from .grading import GradingEvaluator
from .mask_writer import RefugeMaskWriter

__all__ = ["DiscCupEvaluator", "GradingEvaluator", "RefugeMaskWriter"]
