"""Converters from data sets on disk to COCO JSON, by name."""

from fundus_plugins.data.converters import (
    chaksu,
    drions_db,
    drishti_gs1,
    drive,
    g1020,
    gamma,
    graded,
    idrid,
    labelme,
    masked,
    odir,
    origa,
    palm,
    papila,
    refuge,
    riga,
    rim_one_dl,
    rim_one_r3_stereo,
    smdg,
)

_PUBLIC = (
    *(refuge.CONVERTER, drishti_gs1.CONVERTER, rim_one_dl.CONVERTER, gamma.CONVERTER, odir.CONVERTER),
    *(origa.CONVERTER, papila.CONVERTER, g1020.CONVERTER, chaksu.CONVERTER, riga.CONVERTER, smdg.CONVERTER),
    *(drions_db.CONVERTER, drive.CONVERTER, idrid.CONVERTER, palm.CONVERTER),
    rim_one_r3_stereo.CONVERTER,
)
_OWN = (graded.FOLDERS, graded.SHEET, masked.CONVERTER, labelme.CONVERTER)
CONVERTERS = {converter.name: converter for converter in (*_PUBLIC, *_OWN)}
