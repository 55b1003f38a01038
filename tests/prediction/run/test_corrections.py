"""Outlines that a person corrected: they count, the model's stay beside them, and a change redoes its photograph."""

import csv
import json
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from fundus_plugins.cli.main import main
from fundus_plugins.data.labelme import read_labelme
from fundus_plugins.data.mask_files import list_masks
from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio
from fundus_plugins.photographs.masks import decode_refuge_mask
from tests.conftest import ROOT
from tests.prediction.run.photographs import draw

SIZE = 310, 320  # of the phantoms
KINDS = ("csv", "overlays", "masks", "contours", "coco", "report")


def predict(folder, output, *options, write=KINDS):
    words = ["predict", str(folder), "--recursive", "--output", str(output), *map(str, options), "--workers", "1"]
    return main([*words, "--write", *write])


def rows(output):
    with open(output / "predictions.csv", newline="", encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def records(output):
    return {x["id"]: x for x in map(json.loads, (output / "predictions.jsonl").read_text().splitlines())}


def smaller_cup(path):
    """Draw the cup of a LabelMe file half as large, as a person would by moving its points."""
    document = json.loads(path.read_text())
    for shape in document["shapes"]:
        if shape["label"] == "optic_cup":
            points = np.array(shape["points"], float)
            shape["points"] = (points.mean(0) + (points - points.mean(0)) / 2).tolist()
    path.write_text(json.dumps(document))


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Photographs, some of one name, and what the model says of them."""
    folder = tmp_path_factory.mktemp("corrections")
    draw(folder / "in", 2)
    draw(folder / "in" / "below", 1)
    cv2.imwrite(str(folder / "in" / "black.png"), np.zeros((200, 200, 3), np.uint8))
    assert predict(folder / "in", folder / "model") == 0
    return folder


@pytest.fixture
def corrected(first, tmp_path):
    """A copy of the model's contours, of which one was changed by a person."""
    shutil.copytree(first / "model" / "contours", tmp_path / "by")
    smaller_cup(tmp_path / "by" / "eye1_png.json")
    return tmp_path / "by"


def test_a_persons_outlines_count_and_the_models_stay_beside_them(first, corrected, tmp_path, capsys):
    output = tmp_path / "out"
    assert predict(first / "in", output, "--masks-from", corrected) == 0
    assert "1 with a person's outlines" in capsys.readouterr().out
    before, after = rows(first / "model"), rows(output)
    disc, cup = read_labelme(corrected / "eye1_png.json").masks(SIZE)
    row, record = after["eye1.png"], records(output)["eye1.png"]
    assert float(row["vcdr"]) == pytest.approx(vertical_cup_to_disc_ratio(disc, cup), abs=1e-4)
    assert float(row["vcdr"]) < 0.6 * float(before["eye1.png"]["vcdr"])
    assert row["outlines"] == "person" and row["model_vcdr"] == before["eye1.png"]["vcdr"] and row["flagged"] == "0"
    assert all(record[x] is None for x in ("vcdr_low", "vcdr_high", "agreement", "score")) and record["ellipse"] > 0.9
    models = records(first / "model")["eye1.png"]
    assert record["compared"] == {"vcdr": models["vcdr"], "contours": models["contours"]}
    assert float(row["rim_narrowest"]) > float(before["eye1.png"]["rim_narrowest"])
    coded = cv2.imread(str(output / record["files"]["masks"]), cv2.IMREAD_GRAYSCALE)
    assert all(np.array_equal(a, b) for a, b in zip(decode_refuge_mask(coded), (disc, cup)))
    overlays = [(x / "overlays" / "eye1_png.jpg").read_bytes() for x in (first / "model", output)]
    assert overlays[0] != overlays[1]
    again = read_labelme(output / record["files"]["contours"]).masks(SIZE)
    assert np.count_nonzero(again[1] ^ cup) < 0.02 * np.count_nonzero(cup)
    coco = json.loads((output / "predictions.coco.json").read_text())
    (image,) = [x["id"] for x in coco["images"] if x["file_name"].endswith("in/eye1.png")]
    assert {x["image_id"] for x in coco["annotations"] if "score" not in x} == {image}
    page = (output / "report.html").read_text()
    assert '"outlines":"person"' in page.replace(" ", "")


def test_what_nobody_changed_stays_the_models(first, corrected, tmp_path):
    assert predict(first / "in", tmp_path / "out", "--masks-from", corrected) == 0
    before, after = rows(first / "model"), rows(tmp_path / "out")
    assert after["black.png"]["status"] == "ungradable"
    for id in ("eye0.png", "below/eye0.png", "black.png"):
        assert after[id]["outlines"] == "model" and after[id]["model_vcdr"] == ""
        assert all(after[id][x] == before[id][x] for x in before[id] if x != "seconds")


def test_a_change_redoes_its_photograph_alone_and_so_does_its_end(first, corrected, tmp_path, capsys):
    output = tmp_path / "out"
    assert predict(first / "in", output, "--masks-from", corrected, write=("csv", "masks")) == 0
    smaller_cup(corrected / "below" / "eye0_png.json")
    capsys.readouterr()
    assert predict(first / "in", output, "--masks-from", corrected, write=("csv", "masks")) == 0
    assert "(3 done before), 2 with a person's outlines" in capsys.readouterr().out
    assert rows(output)["below/eye0.png"]["outlines"] == "person"
    (corrected / "eye1_png.json").unlink()
    assert predict(first / "in", output, "--masks-from", corrected, write=("csv", "masks")) == 0
    assert "(3 done before), 1 with a person's outlines" in capsys.readouterr().out
    assert rows(output)["eye1.png"]["outlines"] == "model"


def test_a_correction_that_cannot_be_read_fails_its_photograph(first, corrected, tmp_path, capsys):
    for name, change in {
        "eye0_png": {"shapes": "none"},
        "below/eye0_png": {"imageHeight": 10, "imageWidth": 10},
    }.items():
        path = corrected / f"{name}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
    document = json.loads((corrected / "eye1_png.json").read_text())
    document["shapes"] = [x for x in document["shapes"] if x["label"] == "optic_disc"]
    (corrected / "eye1_png.json").write_text(json.dumps(document))
    assert predict(first / "in", tmp_path / "out", "--masks-from", corrected, write=("csv", "coco")) == 1
    told = capsys.readouterr().err
    for text in (
        "eye0_png.json: expected a LabelMe file, with a list of shapes",
        "size mismatch: {}/below/eye0_png.json: expected the photograph's",
        "eye1_png.json: expected outlines of the disc and of the cup, found the disc's alone",
    ):
        assert text.replace("{}", str(corrected)) in told
    assert [x["status"] for x in rows(tmp_path / "out").values()] == ["failed", "ungradable", "failed", "failed"]


def test_a_disc_in_two_places_is_none(first, tmp_path, capsys):
    circles = [
        {"label": label, "points": [[x, 100], [x, 100 + radius]], "shape_type": "circle"}
        for label, x, radius in (("OD", 100, 40), ("OC", 100, 20), ("OD", 200, 30))
    ]
    (tmp_path / "by").mkdir()
    (tmp_path / "by" / "eye0_png.json").write_text(json.dumps({"shapes": circles}))
    assert predict(first / "in" / "eye0.png", tmp_path / "out", "--masks-from", tmp_path / "by") == 1
    assert (
        "eye0_png.json: expected a disc of one region, found several, the largest 64% of it" in capsys.readouterr().err
    )


def test_a_person_finds_a_disc_where_the_model_found_none_and_none_where_it_found_one(first, tmp_path):
    circles = [
        {"label": label, "points": [[100, 5], [100, 5 + radius]], "shape_type": "circle"}
        for label, radius in (("OD", 40), ("OC", 20))
    ]
    (tmp_path / "by").mkdir()
    for name, shapes in {"black": circles, "eye0": []}.items():
        (tmp_path / "by" / f"{name}_png.json").write_text(json.dumps({"shapes": shapes}))
    photographs = [str(first / "in" / f"{name}.png") for name in ("black", "eye0")]
    assert main(["predict", *photographs, "--output", str(tmp_path / "out"), "--masks-from", str(tmp_path / "by")]) == 0
    found = rows(tmp_path / "out")
    assert [x["outlines"] for x in found.values()] == ["person"] * 2
    black, eye = found["black.png"], found["eye0.png"]
    assert (black["status"], black["reasons"], black["model_vcdr"]) == ("measured", "cut off by the edge", "")
    assert float(black["vcdr"]) == pytest.approx(26 / 46, abs=1e-4)
    assert (eye["status"], eye["reasons"], eye["vcdr"]) == ("no disc", "no disc", "") and eye["model_vcdr"] != ""


def test_masks_and_coco_json_do_as_well(first, tmp_path):
    shutil.copytree(first / "model" / "masks", tmp_path / "by")
    path = tmp_path / "by" / "eye1_png.png"
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    mask[np.flatnonzero((mask == 0).any(axis=1))[-4:]] = np.where(mask == 0, 128, mask)[
        np.flatnonzero((mask == 0).any(axis=1))[-4:]
    ]
    cv2.imwrite(str(path), mask)
    assert predict(first / "in", tmp_path / "masks", "--masks-from", tmp_path / "by", write=("csv", "coco")) == 0
    coco = tmp_path / "masks" / "predictions.coco.json"
    shutil.copyfile(coco, tmp_path / "corrected.json")
    assert predict(first / "in", tmp_path / "coco", "--masks-from", tmp_path / "corrected.json", write=("csv",)) == 0
    for output in (tmp_path / "masks", tmp_path / "coco"):
        found = rows(output)
        assert [x["outlines"] for x in found.values()] == ["model", "model", "model", "person"]
        assert float(found["eye1.png"]["vcdr"]) < float(found["eye1.png"]["model_vcdr"])


def test_corrections_and_results_are_not_in_each_other(first, corrected, tmp_path, capsys):
    for options in ((first / "model" / "contours", first / "model"), (tmp_path, tmp_path / "out")):
        assert predict(first / "in", options[1], "--masks-from", options[0], "--overwrite") == 2
        assert "are in each other: choose another --output" in capsys.readouterr().err
    assert (first / "model" / "contours" / "eye1_png.json").exists()
    assert predict(first / "in", first / "model", "--masks-from", corrected) == 2
    assert "holds a run with other masks_from" in capsys.readouterr().err


def test_corrections_of_no_photograph_are_told(first, corrected, tmp_path, capsys):
    shutil.copyfile(corrected / "eye1_png.json", corrected / "typo.json")
    document = json.loads((corrected / "typo.json").read_text())
    (corrected / "typo.json").write_text(json.dumps(document | {"imagePath": "typo.png"}))
    assert predict(first / "in", tmp_path / "out", "--masks-from", corrected, write=("csv",)) == 0
    assert f"not used: 1 of {corrected}" in capsys.readouterr().err
    for path in corrected.rglob("eye*.json"):
        path.unlink()
    (corrected / "black_png.json").unlink()
    assert predict(first / "in", tmp_path / "none", "--masks-from", corrected, write=("csv",)) == 2
    assert "expected some of the photographs that are given" in capsys.readouterr().err


def test_two_processes_without_pytorch_give_the_same(first, corrected, tmp_path):
    code = (
        "import sys\n"
        "for name in ('torch', 'torchvision', 'detectron2', 'timm', 'scipy', 'sklearn', 'pandas', 'monai',"
        " 'matplotlib', 'fvcore'):\n  sys.modules[name] = None\n"
        "from fundus_plugins.cli.main import main\n"
        "if __name__ == '__main__':\n  sys.exit(main(sys.argv[1:]))"
    )
    words = ["predict", first / "in", "--recursive", "--masks-from", corrected, "--write", "csv"]
    tables = []
    for workers in ("1", "2"):
        output = tmp_path / workers
        command = [sys.executable, "-c", code, *map(str, words), "--output", str(output), "--workers", workers]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        tables.append({id: row | {"seconds": ""} for id, row in rows(output).items()})
    assert tables[0] == tables[1] and tables[0]["eye1.png"]["outlines"] == "person"


def test_corrected_outlines_go_into_training(first, corrected, tmp_path, capsys):
    words = ["--root", str(corrected), "--output", str(tmp_path / "set"), "--processes", "1"]
    assert main(["convert", "labelme", *words, "--rest", "train"]) == 1  # for there is no disc in the black one
    assert "empty disc" in capsys.readouterr().err
    document = json.loads((tmp_path / "set" / "train.json").read_text())
    assert len(document["images"]) == 2  # two photographs have the same bytes
    masks = list_masks(tmp_path / "set" / "train.json").masks["eye1"]()
    expected = read_labelme(corrected / "eye1_png.json").masks(SIZE)
    assert all(np.array_equal(a, b) for a, b in zip(masks, expected))


def test_dicom_objects_say_that_a_person_drew(tmp_path):
    highdicom = pytest.importorskip("highdicom", reason="highdicom is not installed")
    from fundus_plugins.photographs.photograph import read_photograph
    from tests.photographs import dicom_files

    (path,) = draw(tmp_path / "png", 1)
    (tmp_path / "in").mkdir()
    made = dicom_files.photograph(read_photograph(path))
    (tmp_path / "in" / "eye.dcm").write_bytes(dicom_files.to_bytes(made))
    assert predict(tmp_path / "in", tmp_path / "model", write=("csv", "contours")) == 0
    smaller_cup(tmp_path / "model" / "contours" / "eye_dcm.json")
    by = tmp_path / "model" / "contours"
    assert predict(tmp_path / "in", tmp_path / "out", "--masks-from", by, write=("csv", "dicom-seg", "dicom-sr")) == 0
    seg = highdicom.seg.segread(tmp_path / "out" / "dicom-seg" / "eye_dcm.dcm")
    assert [x.SegmentAlgorithmType for x in seg.SegmentSequence] == ["MANUAL"] * 2
    report = highdicom.sr.srread(tmp_path / "out" / "dicom-sr" / "eye_dcm.dcm")
    (group,) = report.content.get_image_measurement_groups()
    values = {x.name.value: float(x.value) for x in group.get_measurements()}
    assert values["VCDR"] == float(rows(tmp_path / "out")["eye.dcm"]["vcdr"]) and "VCDR-LOW" not in values
    drawn = [x.value.meaning for x in group.get_qualitative_evaluations() if x.name.value == "OUTLINES"]
    assert drawn == ["a person"]
    assert rows(tmp_path / "out")["eye.dcm"]["weights"] not in report.to_json() + seg.DeviceSerialNumber
