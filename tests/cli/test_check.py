"""`fundus check`: what it finds in a set that has everything wrong, and that training looks first."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import fundus_plugins
from fundus_plugins.cli.main import main
from fundus_plugins.data.checks.check import check_sets, require_sound
from fundus_plugins.data.checks.examine import as_row, examine, from_row
from fundus_plugins.data.checks.findings import ERROR, NOTE, WARNING, strangest
from fundus_plugins.data.coco import AnnotatedImage, build_grading, build_segmentation, mask_to_rle, write_json
from fundus_plugins.data.registration import require_dataset
from fundus_plugins.engine.before import check_data
from tests.conftest import ROOT, disk

SIZE = (120, 160)


def eye(path, *, disc=None, ratio=0.5, seed=0, bright=60, vcdr=None, grade=None, patient="", mirrored=False):
    """Write a photograph with a bright disc; the annotated image."""
    disc = disk(*SIZE, 60, 50, 25) if disc is None else disc
    pixels = np.random.default_rng(seed).integers(50, 90, (*SIZE, 3), dtype=np.uint8)
    pixels[disc] += np.uint8(bright)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    rows, columns = np.nonzero(disc)
    cup = disk(*SIZE, rows.mean(), columns.mean(), 25 * ratio) & disc
    disc, cup = (mask[:, ::-1] if mirrored else mask for mask in (disc, cup))
    return AnnotatedImage(path, *SIZE, mask_to_rle(disc), mask_to_rle(cup), vcdr, grade, patient)


def varied(number, folder, first=0, **about):
    """Photographs whose discs lie elsewhere and have other sizes."""
    return [
        eye(
            folder / f"{n}.png",
            disc=disk(*SIZE, 55 + n % 7, 50 + n, 22 + n % 5),
            ratio=0.4 + n % 5 / 20,
            seed=n,
            **about,
        )
        for n in range(first, first + number)
    ]


def own(path, images):
    write_json({path: build_segmentation(images, path.parent, {})})
    require_dataset(str(path))
    return str(path)


def kinds(check, level):
    return {(x.kind, x.number) for x in check.of(level)}


def test_a_sound_set_has_notes_alone(tmp_path):
    name = own(tmp_path / "a.json", varied(12, tmp_path / "p"))
    check = check_sets([name])
    assert not check.of(ERROR) and not check.of(WARNING)
    assert kinds(check, NOTE) == {("photographs", 12), ("vCDR", 12)}
    require_sound([name])


def test_everything_that_can_be_wrong(tmp_path):
    good = varied(12, tmp_path / "p")
    blob = disk(*SIZE, 60, 40, 20) | disk(*SIZE, 60, 110, 9)
    bad = [
        eye(tmp_path / "p/cut.png", seed=90),
        eye(tmp_path / "p/gone.png", seed=91),
        eye(tmp_path / "p/all_cup.png", disc=disk(*SIZE, 50, 51, 23), ratio=2, seed=92),
        eye(tmp_path / "p/pieces.png", disc=blob, seed=93),
        eye(tmp_path / "p/tiny.png", disc=disk(*SIZE, 60, 50, 2), seed=94),
        eye(tmp_path / "p/edge.png", disc=disk(*SIZE, 60, 5, 24), seed=95),
        eye(tmp_path / "p/black.png", disc=disk(*SIZE, 61, 50, 24), seed=96),
    ]
    (tmp_path / "p/cut.png").write_bytes((tmp_path / "p/cut.png").read_bytes()[:3000])
    (tmp_path / "p/gone.png").unlink()
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "p/black.png")
    shutil.copy(tmp_path / "p/0.png", tmp_path / "p/copy.png")
    copy = AnnotatedImage(tmp_path / "p/copy.png", *SIZE, good[0].disc, good[0].cup, None, None)
    name = own(tmp_path / "a.json", [*good, *bad, copy])
    check = check_sets([name])
    assert kinds(check, ERROR) == {("unreadable photograph", 2)}
    expected = {("dark or blank", 1), ("photograph twice", 2), ("mask twice", 2), ("strange vCDR", 2)}
    assert {x for x in kinds(check, WARNING) if x[0] != "strange disc"} == expected
    texts = "\n".join(f"{x.text}: {x.examples}" for x in check.findings)
    for part in (
        "all_cup.png: 1.00",
        "in several pieces: ('pieces.png',)",
        "tiny.png: 0.",
        "cut off by the edge of the picture",
    ):
        assert part in texts, part
    with pytest.raises(ValueError, match=r"unreadable photograph: cannot be used.*`fundus check .*lists all"):
        require_sound([name])
    assert {x.file_name.rsplit("/")[-1] for x in strangest(check.examined[name], 3)} & {"tiny.png", "all_cup.png"}


def test_masks_of_another_orientation_are_told(tmp_path):
    check = check_sets([own(tmp_path / "a.json", varied(12, tmp_path / "p", mirrored=True))])
    assert ("dark disc", 12) in kinds(check, WARNING)


def test_two_sets_and_what_is_in_both(tmp_path):
    train, test = varied(6, tmp_path / "p", patient="P1"), varied(4, tmp_path / "p", first=20)
    shutil.copy(tmp_path / "p/3.png", tmp_path / "p/again.png")
    again = AnnotatedImage(tmp_path / "p/again.png", *SIZE, train[3].disc, train[3].cup, None, None, "P1")
    names = [own(tmp_path / "train.json", train), own(tmp_path / "test.json", [*test, again])]
    check = check_sets(names)
    assert kinds(check, ERROR) == {("photograph in two sets", 1), ("patient in two sets", 1)}
    require_sound(names)  # a warning in the log: training may mean it
    part = own(tmp_path / "fit.json", train[:4])
    assert not check_sets([names[0], part]).of(ERROR)


def test_grades(tmp_path):
    images = {"train": [("normal", n) for n in range(4)], "test": [("normal", 9), ("glaucoma", 10)]}
    names = []
    for split, about in images.items():
        found = [eye(tmp_path / f"p/{n}.png", seed=n, grade=grade) for grade, n in about]
        write_json({tmp_path / f"{split}_grading.json": build_grading(found, tmp_path, {})})
        names.append(str(tmp_path / f"{split}_grading.json"))
        require_dataset(names[-1])
    check = check_sets(names)
    assert not check.of(ERROR) and ("no such grade", 1) in kinds(check, WARNING)
    assert "4 normal, 0 suspicious, 0 glaucoma" in {x.text for x in check.of(NOTE)}


def test_what_was_examined_is_kept_until_something_changes(tmp_path, monkeypatch):
    name = own(tmp_path / "a.json", varied(3, tmp_path / "p"))
    first = check_sets([name])
    assert (tmp_path / ".a.check.json").is_file()
    looked = []
    monkeypatch.setattr(
        "fundus_plugins.data.checks.check.examine", lambda x, structures: looked.append(1) or examine(x, structures)
    )
    again = check_sets([name])
    assert [as_row(x) for x in again.examined[name]] == [as_row(x) for x in first.examined[name]] and not looked
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "p/1.png")
    assert ("dark or blank", 1) in kinds(check_sets([name]), WARNING) and len(looked) == 3
    (tmp_path / ".a.check.json").write_text("no json")
    assert ("dark or blank", 1) in kinds(check_sets([name]), WARNING) and len(looked) == 6


def test_rows_come_back(tmp_path):
    image = eye(tmp_path / "a.png")
    record = {"file_name": str(tmp_path / "a.png"), "height": SIZE[0], "width": SIZE[1], "annotations": []}
    for found in (examine(record, None), examine(record, [0, 1]), examine(record | {"height": 3}, None)):
        assert as_row(from_row(json.loads(json.dumps(as_row(found))))) == as_row(found)
    assert image.disc and examine(record | {"file_name": "none.jpg"}, None).problem[0] == "unreadable photograph"


def test_training_looks_first(small_cfg, tmp_path):
    images = varied(3, tmp_path / "p")
    (tmp_path / "p/1.png").write_bytes(b"no picture")
    name = own(tmp_path / "a.json", images)
    small_cfg.DATASETS.TRAIN, small_cfg.DATASETS.TEST = (name,), ()
    small_cfg.OUTPUT_DIR = str(tmp_path / "out")
    with pytest.raises(ValueError, match="1.png: expected an image file"):
        fundus_plugins.train(small_cfg)
    small_cfg.DATASETS.CHECK = False
    check_data(small_cfg, [name])


def test_the_command(tmp_path, capsys):
    images = varied(17, tmp_path / "p")
    own(tmp_path / "a.json", images)
    assert main(["check", str(tmp_path / "a.json"), "--output", str(tmp_path / "out"), "--processes", "1"]) == 0
    captured = capsys.readouterr()
    assert "17  in all" in captured.out and "errors: 0, warnings: 0" in captured.err
    document = json.loads((tmp_path / "out/check.json").read_text())
    assert document["sets"] == [str(tmp_path / "a.json")]
    assert {x["kind"] for x in document["findings"]} == {"photographs", "vCDR"}
    assert Image.open(tmp_path / "out/strangest.png").size == (1280, 4 * 346)
    (tmp_path / "p/3.png").unlink()
    assert main(["check", str(tmp_path / "a.json")]) == 1
    assert "No such file or directory" in capsys.readouterr().out
    assert main(["check", "no_such_set"]) == 2
    assert "data set no_such_set: nothing is registered under this name" in capsys.readouterr().err
    assert main(["check", "masked"]) == 2
    assert main(["check", str(tmp_path / "none.json")]) == 2


@pytest.mark.slow
def test_as_a_process(phantoms):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DETECTRON2_DATASETS": str(phantoms)}
    command = [sys.executable, "-m", "fundus_plugins", "check", "phantom"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "phantom_train" in done.stdout, done.stderr


def test_other_names_of_categories_are_looked_at_anew(tmp_path):
    images = varied(3, tmp_path / "p")
    document = build_segmentation(images, tmp_path, {})
    document["categories"] = [{"id": 1, "name": "papilla"}, {"id": 2, "name": "excavation"}]
    write_json({tmp_path / "own.json": document})
    path = str(tmp_path / "own.json")
    assert main(["check", path, "--categories", "disc=papilla", "cup=excavation"]) == 0
    assert main(["check", path, "--categories", "disc=excavation", "cup=papilla"]) == 1


def test_a_test_set_within_the_training_set_and_the_eyes_of_a_patient(tmp_path):
    images = varied(4, tmp_path / "p")
    names = [own(tmp_path / "a.json", images), own(tmp_path / "b.json", images[:2])]
    assert ("photograph in two sets", 2) in kinds(check_sets(names), ERROR)
    left, right = eye(tmp_path / "p/7_left.png", seed=7), eye(tmp_path / "p/7_right.png", seed=8)
    names = [own(tmp_path / "c.json", [left]), own(tmp_path / "d.json", [right])]
    assert ("patient in two sets", 1) in kinds(check_sets(names), WARNING)


def test_a_turned_photograph_with_masks_is_a_warning(tmp_path):
    images = varied(3, tmp_path / "p")
    exif = Image.Exif()
    exif[0x0112] = 3
    pixels = Image.open(tmp_path / "p/1.png")
    pixels.load()
    pixels.save(tmp_path / "p/1.png", exif=exif)
    assert ("turned", 1) in kinds(check_sets([own(tmp_path / "a.json", images)]), WARNING)
