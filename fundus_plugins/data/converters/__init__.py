"""Converters from data sets on disk to COCO JSON, by name."""

from fundus_plugins.data.converters import drishti_gs1, gamma, graded, labelme, masked, odir, refuge, rim_one_dl

_PUBLIC = (refuge.CONVERTER, drishti_gs1.CONVERTER, rim_one_dl.CONVERTER, gamma.CONVERTER, odir.CONVERTER)
_OWN = (graded.FOLDERS, graded.SHEET, masked.CONVERTER, labelme.CONVERTER)
CONVERTERS = {converter.name: converter for converter in (*_PUBLIC, *_OWN)}
