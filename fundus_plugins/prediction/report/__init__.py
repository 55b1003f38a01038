"""The report of a prediction: one HTML page that shows every eye, its outlines, its measures and its doubts."""

from .page import write_report

__all__ = ["write_report"]
