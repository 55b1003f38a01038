"""Files that would hang, burst or mislead a reader, and conversions that would write over what is not theirs."""

import json
import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import openpyxl
import pytest

from fundus_plugins.cli.main import main
from fundus_plugins.data.coco_file import read_coco, read_json
from fundus_plugins.data.registration import require_dataset
from fundus_plugins.photographs.folders import walk_files
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.sheets import read_sheet
from tests.conftest import ROOT
from tests.data.converting import save
from tests.data.folders import DISC, photograph


def own(folder, splits=("train",)):
    """A folder for `fundus convert masked`."""
    for split in splits:
        photograph(folder / split / "images/a.png")
        save(folder / split / "masks/a.png", DISC * 255)
    return folder


def convert(root, output, *options):
    words = ["convert", "masked", "--root", root, "--output", output, "--processes", 1, *options]
    return main(list(map(str, words)))


def in_time(function, *arguments):
    """What a function raises, which must not wait for ever."""
    found = []

    def call():
        try:
            function(*arguments)
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive() and found, "it hangs, or takes it for a file"
    return found[0]


@pytest.mark.parametrize("read", [read_photograph, read_sheet, read_json], ids=lambda x: x.__name__)
@pytest.mark.parametrize("kind", ["pipe", "device", "loop", "folder"])
def test_only_regular_files_are_read(tmp_path, read, kind):
    path = tmp_path / "eye.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    else:
        path.mkdir()
    error = in_time(read, path)
    assert isinstance(error, BadInput) and str(path) in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("kind", ["pipe", "loop"])
def test_they_do_not_stop_a_prediction(tmp_path, kind, capsys):
    photograph(tmp_path / "in" / "a.png", (60, 70))
    if kind == "pipe":
        os.mkfifo(tmp_path / "in" / "b.png")
        os.mkfifo(tmp_path / "in" / "c.tif")
        os.mkfifo(tmp_path / "in" / "d")
    else:
        (tmp_path / "in" / "b.png").symlink_to(tmp_path / "in" / "b.png")
    assert main(["predict", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--write", "csv"]) == 1
    assert "1 photograph," in capsys.readouterr().out
    assert (tmp_path / "out" / "predictions.csv").read_text().count("failed") == (2 if kind == "pipe" else 1)


def test_a_preview_does_not_replace_a_photograph(tmp_path, capsys):
    root = own(tmp_path / "in")
    target = root / "train/images/a.png"
    before = target.read_bytes()
    assert convert(root, tmp_path / "out", "--preview", target) == 2
    assert "is there and is no contact sheet" in capsys.readouterr().err
    assert target.read_bytes() == before and not (tmp_path / "out").exists()
    for _ in range(2):  # one of its own is replaced
        assert convert(root, tmp_path / "out", "--preview", tmp_path / "sheet.png") == 0


@pytest.mark.parametrize("text", ['{"mine": 1}', "", '{"info": {"description": "x"}, "images": []}'])
def test_json_of_others_is_not_replaced_unasked(tmp_path, capsys, text):
    root = own(tmp_path / "in")
    (tmp_path / "out").mkdir()
    for name in ("train.json", "val_grading.json"):  # the second would not even be written
        (tmp_path / "out" / name).write_text(text)
        assert convert(root, tmp_path / "out") == 2
        assert f"{name}" in capsys.readouterr().err and (tmp_path / "out" / name).read_text() == text
        (tmp_path / "out" / name).unlink()
    (tmp_path / "out" / "train.json").write_text(text)
    assert convert(root, tmp_path / "out", "--overwrite") == 0
    assert convert(root, tmp_path / "out") == 0  # its own


def test_a_folder_without_permission_is_an_error(tmp_path, monkeypatch, capsys):
    for grade in ("normal", "glaucoma"):
        for i in range(3):
            pixels = np.random.default_rng(i).integers(0, 255, (40, 44, 3))
            save(tmp_path / "in" / grade / f"{grade}{i}.png", pixels)
    scan = os.scandir

    def closed(path="."):
        if str(path).endswith("glaucoma"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)  # the tests may run as root, who may read everything
    with pytest.raises(PermissionError, match="glaucoma"):
        walk_files(tmp_path / "in")
    words = ["convert", "graded_folders", "--root", tmp_path / "in", "--output", tmp_path / "out"]
    assert main(list(map(str, words))) == 2
    assert "Permission denied" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_sheet_with_one_far_cell(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["file", "grade"])
    book.active.cell(row=1_000_000, column=16_000, value="x")
    book.save(tmp_path / "far.xlsx")
    assert (tmp_path / "far.xlsx").stat().st_size < 6000
    with pytest.raises(BadInput, match="far.xlsx.*1000000 rows of 16000 columns; at most 4,194,304 cells"):
        read_sheet(tmp_path / "far.xlsx")
    book = openpyxl.Workbook()
    book.active.append(["file", "grade"])
    book.active.cell(row=30, column=40, value="x")
    book.save(tmp_path / "near.xlsx")
    assert read_sheet(tmp_path / "near.xlsx")[0][:2] == ["file", "grade"]


def document(folder, **changed):
    photograph(folder / "eyes" / "a.png", (60, 70))
    image = {"id": 7, "file_name": "eyes/a.png", "height": 60, "width": 70} | changed.pop("image", {})
    disc = {"id": 3, "image_id": 7, "category_id": 1, "bbox": [0, 0, 9, 9], "segmentation": [[5, 5, 30, 5, 30, 30]]}
    annotations = [disc | changed.pop("disc", {})]
    categories = [{"id": 1, "name": "disc"}]
    path = folder / "own.json"
    path.write_text(json.dumps({"images": [image], "annotations": annotations, "categories": categories} | changed))
    return path


@pytest.mark.parametrize("box", [[0, 0, float("nan"), 9], [0, 0, float("inf"), 9], [1, 2, 3], "box", [1, 2, 3, "4"]])
def test_boxes_that_are_none_name_file_and_annotation(tmp_path, box):
    path = document(tmp_path, disc={"bbox": box})
    with pytest.raises(BadInput, match="own.json: expected four numbers as the bbox of annotation 3 of image 7"):
        read_coco(path)


@pytest.mark.parametrize(
    "segmentation, message",
    [
        ([[5, 5, float("nan"), 5, 30, 30]], "points that are no numbers"),
        ([[5, 5, 1e300, 5, 30, 30]], "polygon beyond the picture"),
        ({"size": [60, 70], "counts": ""}, "RLE counts that are none"),
        ({"size": [10**9, 10**9], "counts": "0"}, "size mismatch"),
        ({"size": [60, 70], "counts": [10**18]}, "not the picture's pixels"),
    ],
)
def test_masks_that_are_none_name_file_and_annotation_in_every_command(tmp_path, capsys, segmentation, message):
    path = document(tmp_path, disc={"segmentation": segmentation})
    assert main(["check", str(path)]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert message.split()[0] in told and "eyes/a.png" in told  # a table's column breaks the line
    assert main(["evaluate", "--gt", str(path), "--pred", str(path)]) != 0
    told = capsys.readouterr().err
    assert message in told and f"{path}: image 7, eyes/a.png" in told
    if "unreadable" in told:
        assert "annotation 3" in told


@pytest.mark.parametrize("size", [10**7, 10**5])
def test_a_gigantic_photograph_in_json(tmp_path, capsys, size):
    path = document(tmp_path, image={"height": size, "width": size})
    assert main(["evaluate", "--gt", str(path), "--pred", str(path)]) != 0
    assert "at most 134,217,728 pixels" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["/etc/hostname.png", "../secret.png", "eyes/../../secret.png", "..\\secret.png"])
def test_photographs_elsewhere_are_not_read_unless_allowed(tmp_path, monkeypatch, name):
    from detectron2.data import DatasetCatalog

    folder = tmp_path / "data"
    path = document(folder, image={"file_name": name})
    photograph(tmp_path / "secret.png", (60, 70))
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "datasets"))
    require_dataset(str(path))
    with pytest.raises(BadInput, match="photograph elsewhere: .*own.json: .*FUNDUS_PHOTOGRAPHS names.*image 7"):
        DatasetCatalog.get(str(path))
    monkeypatch.setenv("FUNDUS_PHOTOGRAPHS", os.pathsep.join([str(tmp_path), "/etc"]))
    assert len(DatasetCatalog.get(str(path))) == 1
    shutil.rmtree(folder / "eyes")
    (folder / "eyes").symlink_to(tmp_path)  # a link of the user's own leads where it leads
    monkeypatch.delenv("FUNDUS_PHOTOGRAPHS")
    document(folder, image={"file_name": "eyes/secret.png"})
    assert len(DatasetCatalog.get(str(path))) == 1


@pytest.mark.parametrize("what", ["convert", "predict"])
def test_a_disk_that_is_full_is_one_line(tmp_path, what):
    """A limit on a file's size fails a write as a full disk does."""
    root = own(tmp_path / "in")
    words = {
        "convert": ["convert", "masked", "--root", root, "--output", tmp_path / "out", "--processes", 1],
        "predict": ["predict", root / "train/images", "--output", tmp_path / "out", "--write", "csv"],
    }[what]
    code = (
        "import resource, sys\nfrom fundus_plugins.cli.main import main\n"
        "import fundus_plugins.prediction.predictor, fundus_plugins.data.converters.convert\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (100, -1))\nsys.exit(main({list(map(str, words))!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    lines = [x for x in done.stderr.splitlines() if "arning" not in x and not x.startswith("  ")]
    assert done.returncode == 2 and len(lines) == 1 and "File too large" in lines[0], done
    left = [x for x in (tmp_path / "out").rglob("*") if x.is_file() and x.stat().st_size]
    assert [x.name for x in left if x.suffix in (".json", ".csv", ".part")] == []
