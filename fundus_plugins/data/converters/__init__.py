"""Converters from data sets on disk to COCO JSON, by name."""

from . import drishti_gs1, refuge

CONVERTERS = {converter.name: converter for converter in (refuge.CONVERTER, drishti_gs1.CONVERTER)}
