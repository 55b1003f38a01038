"""Measures of segmentation, at the photographs' own resolution, and of grading."""

from fundus_plugins.requirements import require_detectron2

require_detectron2()

from fundus_plugins.evaluation.disc_cup import DiscCupEvaluator
from fundus_plugins.evaluation.grading import GradingEvaluator
from fundus_plugins.evaluation.mask_writer import RefugeMaskWriter

__all__ = ["DiscCupEvaluator", "GradingEvaluator", "RefugeMaskWriter"]
