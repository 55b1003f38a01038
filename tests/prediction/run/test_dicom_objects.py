"""DICOM in a run of prediction: what is read of it, and the objects that are made about it."""

import cv2
import numpy as np
import pytest

import fundus_plugins
from fundus_plugins.measures.overlap import dice
from fundus_plugins.photographs.listing import list_sources
from fundus_plugins.photographs.masks import decode_refuge_mask
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.photographs.sources import Source, read_source
from fundus_plugins.prediction.run.options import Options
from fundus_plugins.prediction.run.writers import output_name
from tests.prediction.run.photographs import draw
from tests.prediction.run.running import rows, run, without_cups


def test_a_cup_that_was_not_found_gives_no_dicom_objects(tmp_path):
    pytest.importorskip("highdicom", reason="highdicom is not installed")
    from tests.photographs import dicom_files

    image = read_photograph(draw(tmp_path / "png", 1)[0])
    (tmp_path / "eye.dcm").write_bytes(dicom_files.to_bytes(dicom_files.photograph(image)))
    options = Options(("csv", "dicom-seg", "dicom-sr"))
    outcome = run(list_sources([tmp_path / "eye.dcm"]), tmp_path / "out", options, without_cups)
    assert (outcome.cupless, outcome.failures) == (1, []) and rows(tmp_path / "out")[0]["error"] == ""
    assert not list((tmp_path / "out").rglob("*.dcm"))


def test_dicom_objects_read_back_with_the_same_numbers(tmp_path):
    highdicom = pytest.importorskip("highdicom", reason="highdicom is not installed")
    from tests.photographs import dicom_files

    (path,) = draw(tmp_path / "png", 1)
    image = read_photograph(path)
    side = "R" if np.flatnonzero(fundus_plugins.FundusPredictor()(image).disc.any(axis=0)).mean() > 160 else "L"
    header = {"ImageLaterality": side, "PixelSpacing": [0.04, 0.04]}
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "one.dcm").write_bytes(dicom_files.to_bytes(dicom_files.photograph(image, **header)))
    two = dicom_files.photograph(np.stack([image, image[:, ::-1]]))
    (folder / "two.dcm").write_bytes(dicom_files.to_bytes(two))
    run(list_sources([folder, path]), tmp_path / "out", Options(("csv", "masks", "dicom-seg", "dicom-sr")))
    found = rows(tmp_path / "out")
    assert [x["id"] for x in found] == ["in/one.dcm", "in/two.dcm#1", "in/two.dcm#2", "png/eye0.png"]
    assert (found[0]["eye"], found[0]["eye_source"], found[0]["patient"], found[0]["ddls"] != "") == (
        {"R": "OD", "L": "OS"}[side], "header", "P7", True,
    )  # fmt: skip
    for row in found[:3]:
        name = output_name(row["id"])
        seg = highdicom.seg.segread(tmp_path / "out" / "dicom-seg" / f"{name}.dcm")
        coded = cv2.imread(str(tmp_path / "out" / "masks" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
        for frame, mask in zip(seg.pixel_array, decode_refuge_mask(coded)):
            assert np.array_equal(frame > 0, mask)
        assert [x.SegmentLabel for x in seg.SegmentSequence] == ["optic disc", "optic cup"]
        report = highdicom.sr.srread(tmp_path / "out" / "dicom-sr" / f"{name}.dcm")
        (group,) = report.content.get_image_measurement_groups()
        values = {x.name.value: float(x.value) for x in group.get_measurements()}
        assert values["VCDR"] == float(row["vcdr"]) and values["RIM-MIN"] == float(row["rim_narrowest"])
        assert ("DDLS" in values) == (row["id"] == "in/one.dcm")
        assert report.PatientID == seg.PatientID == "P7"
        known = row["eye_source"] == "header"  # a side that the picture alone tells is a guess
        assert ("RIM-N" in values) == ("RIM-T" in values) == known and row["rim_nasal"] != ""
        spacing = seg.SharedFunctionalGroupsSequence[0].get("PixelMeasuresSequence")
        assert [x.PixelSpacing for x in spacing or []] == ([[0.04, 0.04]] if known else [])
    uids = {x: highdicom.seg.segread(x).SOPInstanceUID for x in (tmp_path / "out" / "dicom-seg").rglob("*.dcm")}
    assert len(set(uids.values())) == 3
    run(list_sources([folder]), tmp_path / "again", Options(("dicom-seg",)))
    for path, uid in uids.items():  # the same object is not sent twice as two
        assert highdicom.seg.segread(tmp_path / "again" / "dicom-seg" / path.name).SOPInstanceUID == uid
    frames = [
        highdicom.seg.segread(
            tmp_path / "out" / "dicom-seg" / "in" / f"two_dcm_{n}.dcm"
        ).PerFrameFunctionalGroupsSequence[0]
        for n in (1, 2)
    ]
    assert [x.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber for x in frames] == [1, 2]
    assert not (tmp_path / "out" / "dicom-seg" / "png").exists()


@pytest.mark.parametrize("colours", ["RGB", "YBR_FULL", "YBR_FULL_422", "PALETTE COLOR"])
def test_dicom_photographs_have_the_masks_of_the_png(tmp_path, colours):
    pytest.importorskip("pydicom", reason="pydicom is not installed")
    from tests.photographs import dicom_files

    (path,) = draw(tmp_path, 1, size=1200)
    image = read_photograph(path)
    made = {
        "RGB": dicom_files.photograph,
        "YBR_FULL": lambda x: dicom_files.photograph(dicom_files.in_ybr(x), "YBR_FULL"),
        "YBR_FULL_422": dicom_files.as_jpeg,
        "PALETTE COLOR": dicom_files.with_palette,
    }[colours](image)
    (tmp_path / "eye.dcm").write_bytes(dicom_files.to_bytes(made))
    predictor = fundus_plugins.FundusPredictor()
    if colours == "PALETTE COLOR":  # a PNG with the same palette
        image = dicom_files.quantised(image)
    if colours == "YBR_FULL_422":  # which loses a little; a PNG of what is left
        image = cv2.imdecode(np.frombuffer(dicom_files.jpeg(image), np.uint8), cv2.IMREAD_COLOR)[..., ::-1].copy()
    (source,) = list_sources([tmp_path / "eye.dcm"])
    expected, found = predictor(image), predictor(read_source(source)[0])
    assert dice(found.disc, expected.disc) >= 0.999 and dice(found.cup, expected.cup) >= 0.999


def test_dicom_objects_of_headers_as_cameras_write_them(tmp_path):
    highdicom = pytest.importorskip("highdicom", reason="highdicom is not installed")
    from tests.photographs import dicom_files

    image = read_photograph(draw(tmp_path / "png", 1)[0])
    (tmp_path / "in").mkdir()
    name = "Yamada^Tarou=山田^太郎"
    japanese = dicom_files.photograph(image, SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName=name)
    odd = dicom_files.photograph(image, PatientSex="U", PatientBirthDate="1950", StudyDate="2026.01.01")
    plain = dicom_files.photograph(image, SOPClassUID="1.2.840.10008.5.1.4.1.1.7")  # secondary capture
    del odd.NumberOfFrames, odd.Modality
    for name_of, dataset in {"japanese": japanese, "odd": odd, "plain": plain}.items():
        (tmp_path / "in" / f"{name_of}.dcm").write_bytes(dicom_files.to_bytes(dataset))
    outcome = run(list_sources([tmp_path / "in"]), tmp_path / "out", Options(("dicom-seg", "dicom-sr")))
    assert not outcome.failures
    several = dicom_files.photograph(np.stack([image, image]), SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    (tmp_path / "several.dcm").write_bytes(dicom_files.to_bytes(several))
    outcome = run(list_sources([tmp_path / "several.dcm"]), tmp_path / "none", Options(("dicom-sr",)))
    assert "picture 1: expected one frame of a Secondary Capture Image Storage, found 2" in outcome.failures[0]
    for kind in ("dicom-seg", "dicom-sr"):
        read = highdicom.seg.segread if kind == "dicom-seg" else highdicom.sr.srread
        assert read(tmp_path / "out" / kind / "japanese_dcm.dcm").PatientName == name
        assert read(tmp_path / "out" / kind / "odd_dcm.dcm").PatientBirthDate in ("", None)


def test_dicom_objects_have_the_scale_of_the_row(tmp_path):
    highdicom = pytest.importorskip("highdicom", reason="highdicom is not installed")
    from tests.photographs import dicom_files

    made = dicom_files.photograph(read_photograph(draw(tmp_path / "png", 1)[0]), PixelSpacing=[0.04, 0.04])
    (tmp_path / "eye.dcm").write_bytes(dicom_files.to_bytes(made))
    for scale in (0.03, 0.9):  # a list's, and one with which no disc is that large
        out = tmp_path / f"{scale}"
        run([Source("a", tmp_path / "eye.dcm", mm_per_pixel=scale)], out, Options(("csv", "dicom-seg", "dicom-sr")))
        (row,) = rows(out)
        groups = highdicom.seg.segread(out / "dicom-seg" / "a.dcm").SharedFunctionalGroupsSequence[0]
        found = [x.PixelSpacing for x in groups.get("PixelMeasuresSequence", [])]
        assert found == ([[0.03, 0.03]] if scale == 0.03 else []) and (row["mm_per_pixel"] != "") == bool(found)
