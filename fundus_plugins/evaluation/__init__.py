"""Measures of segmentation, at the photographs' own resolution, and of grading."""

from .disc_cup import DiscCupEvaluator
from .grading import GradingEvaluator

__all__ = ["DiscCupEvaluator", "GradingEvaluator"]
