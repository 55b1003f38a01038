"""Converters from data sets on disk to COCO JSON, by name."""

from fundus_plugins.data.converters import drishti_gs1, graded, masked, refuge, rim_one_dl

_ALL = (refuge.CONVERTER, drishti_gs1.CONVERTER, rim_one_dl.CONVERTER, graded.FOLDERS, graded.SHEET, masked.CONVERTER)
CONVERTERS = {converter.name: converter for converter in _ALL}
