"""Runs of prediction: what is written, what a second run does, and what bad files cost."""

import json
import os
import time
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest

import fundus_plugins
from fundus_plugins.data.annotations import decode_segmentation
from fundus_plugins.data.mask_files import list_masks
from fundus_plugins.measures.overlap import dice
from fundus_plugins.photographs.listing import list_sources
from fundus_plugins.photographs.masks import decode_refuge_mask
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.photographs.sources import Source
from fundus_plugins.prediction.run.options import Options
from fundus_plugins.prediction.run.record import COLUMNS
from fundus_plugins.prediction.run.writers import output_name
from tests.prediction.run.photographs import draw
from tests.prediction.run.running import EVERYTHING, rows, run, same, without_cups


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    draw(folder / "in", 3)
    draw(folder / "below", 1)
    (folder / "in" / "below").mkdir()
    (folder / "below" / "eye0.png").rename(folder / "in" / "below" / "other.png")
    (folder / "in" / "broken.jpg").write_bytes(b"no photograph")
    return folder


@pytest.fixture(scope="module")
def done(folder):
    sources = list_sources([folder / "in"], recursive=True)
    outcome = run(sources, folder / "out", EVERYTHING)
    return sources, folder / "out", outcome


def test_a_row_for_each_photograph_and_for_what_failed(done):
    sources, output, outcome = done
    assert (outcome.predicted, outcome.before) == (4, 0) and "broken.jpg" in outcome.failures[0]
    found = rows(output)
    assert [x["id"] for x in found] == [x.id for x in sources]
    assert list(found[0]) == list(COLUMNS)
    for row in found:
        if row["id"] == "broken.jpg":
            assert row["status"] == "failed" and "broken.jpg" in row["error"] and not row["vcdr"]
            continue
        assert row["status"] == "measured" and row["weights"] == "abc" and row["version"] == fundus_plugins.__version__
        assert 0 < float(row["vcdr_low"]) < float(row["vcdr"]) < float(row["vcdr_high"]) < 1
        assert row["path"].endswith(row["id"]) and row["eye"] in ("OD", "OS") and row["eye_source"] == "image"
        assert float(row["seconds"]) > 0 and row["ddls"] == row["disc_height_mm"] == ""


def test_the_files_are_those_of_the_prediction(done):
    sources, output, _ = done
    predictor = fundus_plugins.FundusPredictor()
    journal = [json.loads(x) for x in (output / "predictions.jsonl").read_text().splitlines()]
    coco = json.loads((output / "predictions.coco.json").read_text())
    assert len(coco["images"]) == 4 and len(coco["annotations"]) == 8
    for source, record in zip(sources, journal):
        if record["status"] == "failed":
            assert not record.get("files")
            continue
        image = read_photograph(source.path)
        found = predictor(image)
        files = record["files"]
        assert files["overlay"] == f"overlays/{output_name(source.id)}.jpg"
        assert cv2.imread(str(output / files["overlay"])).shape == image.shape
        disc, cup = decode_refuge_mask(cv2.imread(str(output / files["masks"]), cv2.IMREAD_GRAYSCALE))
        assert np.array_equal(disc, found.disc) and np.array_equal(cup, found.cup)
        shapes = json.loads((output / files["contours"]).read_text())["shapes"]
        assert [x["label"] for x in shapes] == ["optic_disc", "optic_cup"]
        for shape, mask in zip(shapes, (found.disc, found.cup)):
            drawn = cv2.fillPoly(np.zeros(mask.shape, np.uint8), [np.array(shape["points"])], 1) > 0
            assert dice(drawn, mask) > 0.98
        (entry,) = [x for x in coco["images"] if (output / x["file_name"]).resolve() == source.path.resolve()]
        own = [x for x in coco["annotations"] if x["image_id"] == entry["id"]]
        for annotation, mask in zip(own, (found.disc, found.cup)):
            assert np.array_equal(decode_segmentation(annotation["segmentation"], mask.shape) > 0, mask)
            assert annotation["score"] == pytest.approx(found.score, abs=1e-4)


def test_our_own_reader_of_masks_takes_the_coco_file(done):
    _, output, _ = done
    assert len(list_masks(output / "predictions.coco.json", true=False).masks) == 4


class Idle(fundus_plugins.FundusPredictor):
    """Has nothing to do."""

    def predict_prepared(self, batch):
        raise AssertionError


def test_the_same_command_again_does_nothing_and_changes_nothing(done):
    sources, output, outcome = done
    before = same(output)
    written = {x: x.stat().st_mtime_ns for x in output.rglob("*.jpg")}
    again = run(sources, output, EVERYTHING, predictor=Idle)
    assert (again.predicted, again.before, len(again.failures)) == (4, 4, 1)
    assert before == same(output)
    assert written == {x: x.stat().st_mtime_ns for x in output.rglob("*.jpg")}


def test_two_processes_give_the_same_table(done, tmp_path):
    sources, output, _ = done
    run(sources, tmp_path, EVERYTHING, workers=2)
    assert same(tmp_path) == same(output)
    for path in output.rglob("*.png"):
        assert path.read_bytes() == (tmp_path / path.relative_to(output)).read_bytes()


class Interrupted(fundus_plugins.FundusPredictor):
    """Is stopped at its third photograph."""

    def predict_prepared(self, batch):
        self.count = getattr(self, "count", 0) + 1
        if self.count == 3:
            raise KeyboardInterrupt
        return super().predict_prepared(batch)


def test_what_was_done_before_an_interruption_stays_and_is_gone_on_from(done, tmp_path):
    sources, output, _ = done
    with pytest.raises(KeyboardInterrupt):
        run(sources, tmp_path, EVERYTHING, predictor=partial(Interrupted, threads=1))
    assert same(tmp_path) == same(output)[:3]  # one of them failed
    outcome = run(sources, tmp_path, EVERYTHING)
    assert outcome.before == 2 and same(tmp_path) == same(output)


def test_what_failed_is_tried_again_and_stands_in_its_place(tmp_path):
    (first, last) = draw(tmp_path / "in", 2)
    middle = tmp_path / "in" / "eye00.png"
    middle.write_bytes(b"none yet")
    sources = list_sources([tmp_path / "in"])
    assert [x["status"] for x in (run(sources, tmp_path / "out"), rows(tmp_path / "out"))[1]] == [
        "measured", "failed", "measured",
    ]  # fmt: skip
    middle.write_bytes(first.read_bytes())
    outcome = run(sources, tmp_path / "out")
    assert (outcome.predicted, outcome.before, outcome.failures) == (3, 2, [])
    assert [x["id"] for x in rows(tmp_path / "out")] == ["eye0.png", "eye00.png", "eye1.png"]
    assert rows(tmp_path / "out")[0]["vcdr"] == rows(tmp_path / "out")[1]["vcdr"]


def test_a_photograph_that_changed_is_done_again_and_so_is_one_whose_files_are_gone(tmp_path):
    first, second = draw(tmp_path / "in", 2)
    sources, options = list_sources([tmp_path / "in"]), Options(("csv", "masks"))
    run(sources, tmp_path / "out", options)
    before = rows(tmp_path / "out")
    first.write_bytes(second.read_bytes())
    os.utime(first, (time.time(), time.time() + 5))
    (tmp_path / "out" / "masks" / "eye1_png.png").unlink()
    assert run(sources, tmp_path / "out", options).before == 0
    after = rows(tmp_path / "out")
    assert [x["vcdr"] for x in after] == [before[1]["vcdr"]] * 2
    assert (tmp_path / "out" / "masks" / "eye1_png.png").exists()


def test_a_photograph_of_the_same_id_from_elsewhere_is_not_taken_for_it(tmp_path):
    (path,) = draw(tmp_path / "a", 1)
    (other,) = draw(tmp_path / "b", 1)
    run([Source("eye", path)], tmp_path / "out")
    with pytest.raises(ValueError, match="holds a photograph 'eye' of .*a/eye0.png, and this is .*b/eye0.png"):
        run([Source("eye", other)], tmp_path / "out")


def test_nor_does_it_take_the_place_of_one_that_failed(tmp_path):
    (path,) = draw(tmp_path / "b", 1)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / path.name).write_bytes(b"no photograph")
    run([Source("eye", tmp_path / "a" / path.name)], tmp_path / "out")
    with pytest.raises(ValueError, match="holds a photograph 'eye' of .*a/eye0.png, and this is .*b/eye0.png"):
        run([Source("eye", path)], tmp_path / "out")
    assert [x["status"] for x in rows(tmp_path / "out")] == ["failed"]


def test_photographs_are_added_to_a_folder_of_results(tmp_path):
    first, second = draw(tmp_path / "in", 2)
    run(list_sources([second]), tmp_path / "out")
    run(list_sources([first]), tmp_path / "out")
    assert [x["id"] for x in rows(tmp_path / "out")] == ["eye1.png", "eye0.png"]
    run(list_sources([first, second]), tmp_path / "out")
    assert [x["id"] for x in rows(tmp_path / "out")] == ["eye0.png", "eye1.png"]


def test_a_photograph_keeps_its_id_when_another_folder_is_named_with_its_own(tmp_path):
    draw(tmp_path / "a", 1)
    draw(tmp_path / "b", 1)
    run(list_sources([tmp_path / "a"]), tmp_path / "out")
    assert run(list_sources([tmp_path / "a", tmp_path / "b"]), tmp_path / "out").before == 1
    assert [x["id"] for x in rows(tmp_path / "out")] == ["eye0.png", "b/eye0.png"]
    assert run(list_sources([tmp_path / "b"]), tmp_path / "out").before == 1  # though another is called eye0.png
    assert len(rows(tmp_path / "out")) == 2


def test_the_disc_in_a_face_tells_no_eye(tmp_path):
    from tests.prediction.no_fundus import draw as draw_other

    cv2.imwrite(str(tmp_path / "face.png"), draw_other("face")[..., ::-1])
    run(list_sources([tmp_path / "face.png"]), tmp_path / "out")
    (row,) = rows(tmp_path / "out")
    assert (row["status"], row["eye"], row["eye_source"]) == ("ungradable", "", "")


def test_files_that_would_have_one_name_are_refused_before_anything_is_written(tmp_path):
    (path,) = draw(tmp_path / "in", 1)
    with pytest.raises(ValueError, match="would give files of one name"):
        run([Source("a:b.png", path), Source("A_b.png", path)], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nor_may_they_have_the_name_of_an_earlier_runs(tmp_path):
    first, second = draw(tmp_path / "in", 2)
    run([Source("P|1", first)], tmp_path / "out", EVERYTHING)
    overlay = (tmp_path / "out" / "overlays" / "P_1.jpg").read_bytes()
    with pytest.raises(ValueError, match=r"eye1.png would give files of the name that those of the photograph 'P\|1'"):
        run([Source("P:1", second)], tmp_path / "out", EVERYTHING)
    assert (tmp_path / "out" / "overlays" / "P_1.jpg").read_bytes() == overlay


def test_an_id_that_a_list_changes_is_refused(tmp_path):
    first, second = draw(tmp_path / "in", 2)
    listed = tmp_path / "list.csv"
    for ids in (("002", "001"), ("001", "002"), ("001", "003")):
        listed.write_text(f"path,id\n{first},{ids[0]}\n{second},{ids[1]}\n")
        sources = list_sources([listed])
        if ids[0] == "002":
            run(sources, tmp_path / "out")
            assert run(list_sources([tmp_path / "in"]), tmp_path / "out").before == 2  # no list: what is known stays
            continue
        with pytest.raises(ValueError, match="eye0.png was predicted as '002', and a list calls it '001' now"):
            run(sources, tmp_path / "out")
    assert [x["id"] for x in rows(tmp_path / "out")] == ["002", "001"]


@pytest.mark.parametrize(
    "id, name",
    [
        ("a/eye.jpg", "a/eye_jpg"), ("eye.v2.jpg", "eye.v2_jpg"), ("eye", "eye"), ("eye.tif#3", "eye_tif_3"),
        ("../../etc/x.png", "etc/x_png"), ("/abs/x.png", "abs/x_png"), ("C:\\x\\y.png", "C_/x/y_png"), ("..", "_"),
        ("a?b*.png", "a_b__png"), (".hidden.png", ".hidden_png"),
    ],
)  # fmt: skip
def test_names_of_files_stay_below_their_folder(id, name):
    assert output_name(id) == name


def test_the_other_coding_of_masks_and_a_scale(tmp_path):
    sources = list_sources(draw(tmp_path / "in", 1))
    run(sources, tmp_path / "out", Options(("csv", "masks"), "012", 0.04))
    mask = cv2.imread(str(tmp_path / "out" / "masks" / "eye0_png.png"), cv2.IMREAD_UNCHANGED)
    (row,) = rows(tmp_path / "out")
    assert np.bincount(mask.ravel(), minlength=3)[1:].sum() == int(row["disc_area"])
    assert (mask == 2).sum() == int(row["cup_area"])
    assert row["scale_source"] == "option" and 1 <= int(row["ddls"]) <= 10
    assert float(row["disc_height_mm"]) == pytest.approx(0.04 * int(row["disc_height"]))


def test_a_photograph_without_a_disc_has_no_measures(tmp_path):
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((200, 200, 3), np.uint8))
    outcome = run(list_sources([tmp_path / "black.png"]), tmp_path / "out", EVERYTHING)
    (row,) = rows(tmp_path / "out")
    assert (outcome.ungradable, row["status"], row["reasons"]) == (1, "ungradable", "too dark; no disc")
    assert row["vcdr"] == row["disc_height"] == "" and row["gradability"] == "0.0"
    assert json.loads((tmp_path / "out" / "predictions.coco.json").read_text())["annotations"] == []


def test_a_cup_that_was_not_found_gives_no_number_and_no_grade(tmp_path):
    (path,) = draw(tmp_path / "in", 1)
    everything = replace(EVERYTHING, write=(*EVERYTHING.write, "report", "cams"))
    outcome = run(list_sources([path]), tmp_path / "out", everything, without_cups)
    (row,) = rows(tmp_path / "out")
    assert (outcome.predicted, outcome.cupless, outcome.flagged) == (1, 1, 1)
    assert (row["status"], row["grade_reason"]) == ("no cup", "no cup") and "no cup" in row["reasons"].split("; ")
    measured = (
        "vcdr",
        "vcdr_low",
        "acdr",
        "cup_height",
        "rim_narrowest",
        "rim_000",
        "grade",
        "p_glaucoma",
        "screen_85",
    )
    assert [row[x] for x in measured] == [""] * len(measured)
    document = json.loads((tmp_path / "out" / "predictions.coco.json").read_text())
    assert [x["category_id"] for x in document["annotations"]] == [1]
    assert "No optic cup was found" in (tmp_path / "out" / "report.html").read_text()


def test_parquet_has_the_columns_with_their_types(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    run(list_sources(draw(tmp_path / "in", 2)), tmp_path / "out", Options(("csv", "parquet")))
    table = parquet.read_table(tmp_path / "out" / "predictions.parquet").to_pydict()
    assert table["id"] == ["eye0.png", "eye1.png"] and len(table["rim_profile"][0]) == 36
    assert table["vcdr"] == [float(x["vcdr"]) for x in rows(tmp_path / "out")]
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((50, 60, 3), np.uint8))
    run(list_sources([tmp_path / "black.png"]), tmp_path / "other", Options(("parquet",)))
    schemas = [parquet.read_schema(tmp_path / x / "predictions.parquet") for x in ("out", "other")]
    assert schemas[0] == schemas[1]


def test_a_fovea_must_be_where_it_can_be(tmp_path):
    (path,) = draw(tmp_path / "in", 1)
    columns = np.flatnonzero(fundus_plugins.FundusPredictor()(read_photograph(path)).disc.any(axis=0))
    right = columns.mean() > 160  # by the disc's place a right eye, whose fovea is at the picture's left
    temporal, nasal = (columns[0] - 40.0, columns[-1] + 20.0) if right else (columns[-1] + 40.0, columns[0] - 20.0)
    for x, eye, source in ((temporal, "OD" if right else "OS", "list"), (nasal, "", "contradiction")):
        run([Source("a", path, eye="OD" if right else "OS", fovea=(x, 150.0))], tmp_path / source)
        (row,) = rows(tmp_path / source)
        assert (row["eye"], row["eye_source"]) == (eye, source)
        assert ("contradictory sides" in row["reasons"]) == (not eye)
    outcome = run([Source("a", path, fovea=(150.0, 10_000.0))], tmp_path / "off")
    assert "expected a place in the photograph, found (150, 10000) of" in outcome.failures[0]


def test_what_cannot_be_written_does_not_cost_what_was_measured(tmp_path):
    pytest.importorskip("highdicom", reason="highdicom is not installed")
    from tests.photographs import dicom_files

    image = read_photograph(draw(tmp_path / "png", 1)[0])
    (tmp_path / "in").mkdir()
    bare, nameless = dicom_files.photograph(image), dicom_files.photograph(image)
    del nameless.StudyInstanceUID
    for name in ("PatientName", "PatientBirthDate", "StudyID"):
        delattr(bare, name)
    for name, dataset in {"bare": bare, "nameless": nameless}.items():
        (tmp_path / "in" / f"{name}.dcm").write_bytes(dicom_files.to_bytes(dataset))
    sources, options = list_sources([tmp_path / "in"]), Options(("csv", "masks", "dicom-seg", "dicom-sr"))
    outcome = run(sources, tmp_path / "out", options)
    first, second = rows(tmp_path / "out")
    assert first["status"] == second["status"] == "measured" and first["vcdr"] == second["vcdr"] != ""
    assert first["error"] == "" and "nameless.dcm: expected a photograph with a StudyInstanceUID" in second["error"]
    assert len(outcome.failures) == 1 and outcome.predicted == 2
    assert len(list((tmp_path / "out" / "dicom-sr").iterdir())) == 1
    assert run(sources, tmp_path / "out", options).before == 1  # it is tried again


@pytest.mark.parametrize(
    "header, name, place, eye, reason",
    [
        ({"ImageLaterality": "R"}, "a", 1, "OD", ""),
        ({"ImageLaterality": "R"}, "a_left", 1, "", "contradictory sides"),
        ({"ImageLaterality": "L"}, "a", 1, "", "contradictory sides"),  # by the disc's place it is a right eye
        ({"PixelSpacing": [1.0, 1.0]}, "a", 1, "OD", "unlikely scale"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "PixelSpacing": [0.02, 0.02]}, "a", 1, "OD", ""),
    ],
)
def test_sides_and_scales_that_cannot_be(tmp_path, header, name, place, eye, reason):
    pytest.importorskip("pydicom", reason="pydicom is not installed")
    from fundus_plugins.photographs.field import find_field
    from tests.photographs import dicom_files

    image = read_photograph(draw(tmp_path / "png", 1)[0])
    disc = fundus_plugins.FundusPredictor()(image).disc
    if np.flatnonzero(disc.any(axis=0)).mean() < find_field(image).middle[0]:
        image = np.ascontiguousarray(image[:, ::-1])
    path = tmp_path / f"{name}.dcm"
    path.write_bytes(dicom_files.to_bytes(dicom_files.photograph(image, **header)))
    run(list_sources([path]), tmp_path / "out")
    (row,) = rows(tmp_path / "out")
    assert (row["eye"], row["mm_per_pixel"], row["ddls"], row["disc_height_mm"]) == (eye, "", "", "")
    assert (reason in row["reasons"]) and (row["flagged"] == "1" or not reason)
    assert bool(row["rim_nasal"]) == bool(eye) == bool(row["isnt"])


def test_cells_that_a_spreadsheet_would_run_are_text():
    from fundus_plugins.prediction.run.record import row

    cells = dict(
        zip(COLUMNS, row({"id": "=1+1.png", "patient": "@x", "path": "/a", "vcdr": -0.5, "status": "measured"}))
    )
    assert (cells["id"], cells["patient"], cells["path"], cells["vcdr"]) == ("'=1+1.png", "'@x", "/a", "-0.5")


def test_long_names_and_windows_own():
    long = output_name("ä" * 300 + ".png")
    assert len(long.encode()) <= 200 and long != output_name("ä" * 301 + ".png")
    assert output_name("con") == "con_" and output_name("a/NUL.x/b.png") == "a/NUL.x_/b_png"
