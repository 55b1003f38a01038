"""DICOM objects about a DICOM photograph: a segmentation of disc and cup, and a structured report of what was measured.

Made by highdicom. What no standard has a code for has one of our own (coding scheme 99FUNDUS).
"""

import io
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import fundus_plugins
from fundus_plugins.photographs.dicom import MISSING, OPHTHALMIC, count_frames, is_dicom, open_dicom
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.sources import Source, read_data
from fundus_plugins.prediction.result import AGREEMENT, AT_EDGE, HARD, MEASURED, SHAPE, FundusPrediction
from fundus_plugins.prediction.run.record import EYES, SCALE

if TYPE_CHECKING:
    from pydicom import Dataset

SCHEME = "99FUNDUS"
_MAKER = "fundus_plugins"
# Field of a record: code, meaning, unit by UCUM.
MEASURES = {
    "vcdr": ("VCDR", "Vertical cup to disc ratio", "1"),
    "vcdr_low": ("VCDR-LOW", "Vertical cup to disc ratio, lower end of its interval", "1"),
    "vcdr_high": ("VCDR-HIGH", "Vertical cup to disc ratio, upper end of its interval", "1"),
    "hcdr": ("HCDR", "Horizontal cup to disc ratio", "1"),
    "acdr": ("ACDR", "Cup to disc area ratio", "1"),
    "rim_inferior": ("RIM-I", "Width of the inferior rim over the vertical disc diameter", "1"),
    "rim_superior": ("RIM-S", "Width of the superior rim over the vertical disc diameter", "1"),
    "rim_nasal": ("RIM-N", "Width of the nasal rim over the vertical disc diameter", "1"),
    "rim_temporal": ("RIM-T", "Width of the temporal rim over the vertical disc diameter", "1"),
    "rim_narrowest": ("RIM-MIN", "Narrowest rim over the disc diameter in its direction", "1"),
    "disc_height_mm": ("DISC-HEIGHT", "Vertical diameter of the optic disc", "mm"),
    "disc_width_mm": ("DISC-WIDTH", "Horizontal diameter of the optic disc", "mm"),
    "disc_area_mm2": ("DISC-AREA", "Area of the optic disc", "mm2"),
    "cup_area_mm2": ("CUP-AREA", "Area of the optic cup", "mm2"),
    "ddls": ("DDLS", "Stage of the disc damage likelihood scale", "1"),
}


DOUBTS = {
    AT_EDGE: "AT-EDGE",
    AGREEMENT: "VIEWS-DISAGREE",
    SHAPE: "SHAPE",
    HARD: "HARD-TO-GRADE",
    EYES: "SIDES",
    SCALE: "SCALE",
}
_OF_A_SIDE = ("rim_nasal", "rim_temporal")
_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_ANY, _DATE = r"(?s).*", r"(\d{8})?"
_MAY_BE_EMPTY = {  # and what else they may be
    "PatientID": _ANY,
    "PatientName": _ANY,
    "PatientBirthDate": _DATE,
    "PatientSex": "[MFO]?",
    "StudyDate": _DATE,
    "StudyTime": r"(\d{2}){0,3}(\.\d{1,6})?",
    "StudyID": _ANY,
    "AccessionNumber": ".{0,16}",
    "ReferringPhysicianName": _ANY,
}


def segmentation(source: Source, record: Mapping[str, Any], prediction: FundusPrediction) -> bytes | None:
    """A DICOM Segmentation with two segments, disc and cup, of the photograph's size; None for no DICOM photograph.

    None, too, where nothing was measured. Raises ImportError without highdicom, BadInput as `structured_report`.
    """
    photograph = _photograph(source)
    if photograph is None or record["status"] != MEASURED:
        return None
    hd = _highdicom()
    from pydicom.sr.codedict import codes

    def segment(number: int, label: str, kind: Any) -> Any:
        return hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=kind,
            **_made_by(hd, record),
        )

    cup = hd.sr.CodedConcept("OPTIC-CUP", SCHEME, "Optic cup")
    masks = np.stack([prediction.disc, prediction.cup], axis=-1).astype(np.uint8)
    frame = (source.number or 0) + 1 if count_frames(photograph) > 1 else None
    _as_one_frame(photograph, record["mm_per_pixel"])
    made = hd.seg.Segmentation(
        source_images=[photograph],
        pixel_array=masks[None],
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[segment(1, "optic disc", codes.SCT.OpticNerveHead), segment(2, "optic cup", cup)],
        series_description="Optic disc and cup",
        **_about(source, photograph, record, 1, masks.tobytes()),
    )
    if not record["mm_per_pixel"]:  # and what stood in for it must not be taken for one
        made.SharedFunctionalGroupsSequence[0].pop("PixelMeasuresSequence", None)
    if frame is not None:
        for groups in made.PerFrameFunctionalGroupsSequence:
            groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber = frame
    return _bytes(made)


def structured_report(source: Source, record: Mapping[str, Any]) -> bytes | None:
    """A DICOM Comprehensive SR by the template of measurement reports (TID 1500); None for no DICOM photograph.

    None, too, where nothing was measured. The eye's side is there where more than the picture tells it. Raises
    ImportError without highdicom, and BadInput for a photograph without the UIDs to which such an object refers.
    """
    photograph = _photograph(source)
    if photograph is None or record["status"] != MEASURED:
        return None
    hd = _highdicom()
    from pydicom.sr.codedict import codes

    known = record.get("eye", "") if record.get("eye_source") != "image" else ""
    persons = _is_persons(record)
    unsure = () if known else _OF_A_SIDE  # a guess may not stand here, where nobody sees that it is one

    def measurement(name: str) -> Any:
        code, meaning, unit = MEASURES[name]
        return hd.sr.Measurement(
            name=hd.sr.CodedConcept(code, SCHEME, meaning),
            value=float(record[name]),
            unit=hd.sr.CodedConcept(unit, "UCUM", "no units" if unit == "1" else unit),
            algorithm_id=None if persons else algorithm,
        )

    algorithm = hd.sr.AlgorithmIdentification(_MAKER, fundus_plugins.__version__, [f"weights {record['weights']}"])
    side = {"OD": codes.SCT.Right, "OS": codes.SCT.Left}.get(known)
    frames = [(source.number or 0) + 1] if "NumberOfFrames" in photograph else None
    tracking = _uid("tracking", photograph.SOPInstanceUID, source.number)
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=tracking, identifier="optic nerve head"),
        source_images=[hd.sr.SourceImageForMeasurementGroup.from_source_image(photograph, frames)],
        finding_type=codes.SCT.OpticNerveHead,
        finding_sites=[hd.sr.FindingSite(codes.SCT.OpticNerveHead, laterality=side)],
        measurements=[measurement(x) for x in MEASURES if record.get(x) is not None and x not in unsure],
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(
                name=hd.sr.CodedConcept("OUTLINES", SCHEME, "Who drew the outlines of disc and cup"),
                value=hd.sr.CodedConcept(
                    *(("PERSON", SCHEME, "a person") if persons else ("MODEL", SCHEME, "a model"))
                ),
            ),
            *(
                hd.sr.QualitativeEvaluation(
                    name=hd.sr.CodedConcept("DOUBT", SCHEME, "Why a person should look"),
                    value=hd.sr.CodedConcept(DOUBTS[reason], SCHEME, reason),
                )
                for reason in record["reasons"]
                if reason in DOUBTS
            ),
        ],
    )
    model = None if persons else str(record["weights"])
    identity = _uid("device", fundus_plugins.__version__, model)
    device = hd.sr.DeviceObserverIdentifyingAttributes(uid=identity, name=_MAKER, model_name=model)
    observer = hd.sr.ObserverContext(codes.DCM.Device, device)
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=hd.sr.CodedConcept("FUNDUS-PHOTOGRAPHY", SCHEME, "Fundus photography"),
        imaging_measurements=[group],
    )
    made = hd.sr.ComprehensiveSR(
        evidence=[photograph],
        content=report,
        is_complete=True,
        is_verified=False,
        **{name: x for name, x in _about(source, photograph, record, 2).items() if name in _OF_REPORTS},
    )
    return _bytes(made)


_OF_REPORTS = ("series_instance_uid", "series_number", "sop_instance_uid", "instance_number", "manufacturer")


def _photograph(source: Source) -> "Dataset | None":
    data = read_data(source)
    if not is_dicom(data):
        return None
    photograph = open_dicom(data, Path(source.where))
    for name in _UIDS:
        if not photograph.get(name):
            raise BadInput("DICOM object", Path(source.where), f"a photograph with a {name}", "none")
    _make_referable(photograph, Path(source.where))
    return photograph


def _make_referable(photograph: "Dataset", path: Path) -> None:
    """What highdicom copies from a photograph, or asks of it, as it takes it; real files often have it otherwise."""
    for name, allowed in _MAY_BE_EMPTY.items():  # but have to be there, and de-identified files may lack them
        if not re.fullmatch(allowed, str(photograph.get(name) or "")):
            photograph.pop(name, None)
        if name not in photograph:
            setattr(photograph, name, "")
    if "Modality" not in photograph:
        photograph.Modality = "OP"
    kind = photograph.SOPClassUID
    if not kind.startswith(OPHTHALMIC) and "Multi-frame" not in kind.name:
        if count_frames(photograph) > 1:
            raise BadInput("DICOM object", path, f"one frame of a {kind.name}", str(photograph.NumberOfFrames))
        photograph.pop("NumberOfFrames", None)
    elif "NumberOfFrames" not in photograph:
        photograph.NumberOfFrames = 1
    photograph.decode()
    photograph.SpecificCharacterSet = "ISO_IR 192"  # UTF-8, for highdicom does not know every other


def _as_one_frame(photograph: "Dataset", mm_per_pixel: float | None) -> None:
    """Ophthalmic photographs may have frames, but lack the functional groups that highdicom expects of these.

    The scale becomes that of the record, be it a list's, or none.
    """
    from pydicom import Dataset

    photograph.pop("PixelSpacing", None)
    if mm_per_pixel:
        photograph.PixelSpacing = [f"{mm_per_pixel:.10g}"] * 2  # no more than 16 characters
    if "NumberOfFrames" not in photograph:
        return
    photograph.NumberOfFrames = 1
    measures, shared = Dataset(), Dataset()
    if "PixelSpacing" in photograph:
        measures.PixelSpacing, measures.SliceThickness = photograph.PixelSpacing, None
    shared.PixelMeasuresSequence = [measures]
    photograph.SharedFunctionalGroupsSequence = [shared]


def _highdicom() -> Any:
    try:
        import highdicom
    except ImportError:
        raise ImportError(MISSING) from None
    return highdicom


def _uid(*facts: object) -> str:
    """The same for the same facts, so that what is made and sent again is not taken for something new."""
    from pydicom.uid import generate_uid

    return generate_uid(entropy_srcs=[_MAKER, *map(repr, facts)])


def _about(
    source: Source, photograph: "Dataset", record: Mapping[str, Any], number: int, content: bytes = b""
) -> dict[str, Any]:
    kept = {key: value for key, value in record.items() if key not in ("seconds", "stamp", "files", "path", "id")}
    facts = photograph.SOPInstanceUID, source.number, number, sorted(kept.items()), zlib.crc32(content)
    return {
        "series_instance_uid": _uid("series", *facts),
        "series_number": 1000 + number,
        "sop_instance_uid": _uid("object", *facts),
        "instance_number": 1,
        "manufacturer": _MAKER,
        "manufacturer_model_name": "RF-Net",
        "software_versions": fundus_plugins.__version__,
        "device_serial_number": "0" if _is_persons(record) else str(record["weights"]) or "0",
    }


def _made_by(hd: Any, record: Mapping[str, Any]) -> dict[str, Any]:
    kinds = hd.seg.SegmentAlgorithmTypeValues
    if _is_persons(record):
        return {"algorithm_type": kinds.MANUAL}
    return {"algorithm_type": kinds.AUTOMATIC, "algorithm_identification": _algorithm(hd, record)}


def _algorithm(hd: Any, record: Mapping[str, Any]) -> Any:
    from pydicom.sr.codedict import codes

    return hd.AlgorithmIdentificationSequence(
        name=_MAKER,
        family=codes.DCM.ArtificialIntelligence,
        version=fundus_plugins.__version__,
        parameters={"weights": str(record["weights"])},
    )


def _is_persons(record: Mapping[str, Any]) -> bool:
    return record.get("outlines") == "person"


def _bytes(dataset: "Dataset") -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
