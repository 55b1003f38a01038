"""Measures of segmentation, at the photographs' own resolution."""

from .disc_cup import DiscCupEvaluator

__all__ = ["DiscCupEvaluator"]
