"""Measures: functions of NumPy masks, scores and grades that know nothing else of this package."""
