"""Experiments: tables over folds, altered photographs, grading methods, masks from anywhere."""
