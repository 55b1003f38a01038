"""What converters once did wrong with exit code 0, of copies of photographs."""

import shutil

from fundus_plugins.data.converters.copies import without_copies
from fundus_plugins.data.converters.record import Record
from tests.data.converting import convert, grades, save
from tests.data.folders import DISC, photograph


def record(path, split, grade, seed=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(str(seed or path).encode())
    return Record(split, path, grade, None)


def test_copies(tmp_path):
    records = [
        record(tmp_path / "train/a.jpg", "train", "normal", "same"),
        record(tmp_path / "test/b.jpg", "test", "normal", "same"),
        record(tmp_path / "train/c.jpg", "train", "normal", "both"),
        record(tmp_path / "train/d.jpg", "train", "glaucoma", "both"),
        record(tmp_path / "train/n1_jpg.rf.0123abcdef.jpg", "train", "normal"),
        record(tmp_path / "test/n1_jpg.rf.4567abcdef.jpg", "test", "normal"),
        record(tmp_path / "train/n2_jpg.rf.4567abcdef.jpg", "train", "normal"),
        record(tmp_path / "train/e.jpg", "train", "normal"),
        record(tmp_path / "train/e_flip.jpg", "train", "normal"),
        record(tmp_path / "train/f_rot90.jpg", "train", "normal"),  # of which there is no original
        record(tmp_path / "train/efflip.jpg", "train", "normal"),  # a name of its own
        record(tmp_path / "train/_12_3456789.jpg", "train", "normal"),
        Record("train", tmp_path / "gone.jpg", "normal", None),
    ]
    kept, problems = without_copies(records)
    assert [x.photograph.name for x in kept] == [
        "b.jpg", "n1_jpg.rf.4567abcdef.jpg", "n2_jpg.rf.4567abcdef.jpg", "e.jpg", "f_rot90.jpg", "efflip.jpg",
        "gone.jpg",
    ]  # fmt: skip
    assert sorted((x.kind, x.file.name) for x in problems) == [
        ("augmented copy", "_12_3456789.jpg"),
        ("augmented copy", "e_flip.jpg"),
        ("augmented copy", "n1_jpg.rf.0123abcdef.jpg"),
        ("conflicting grades", "c.jpg"),
        ("conflicting grades", "d.jpg"),
        ("photograph twice", "a.jpg"),
    ]
    assert without_copies(kept) == (kept, [])


def test_the_same_bytes_in_two_splits_stay_on_one_side(tmp_path, capsys):
    root = tmp_path / "in"
    for split in ("train", "test"):
        for name in ("a", "b"):
            photograph(root / split / "images" / f"{split}{name}.png")
            save(root / split / "masks" / f"{split}{name}.png", DISC * 255)
    shutil.copy(root / "test/images/testa.png", root / "train/images/traina.png")
    code, output = convert("masked", root)
    assert code == 1 and list(grades(output / "train.json")) == ["trainb"] and len(grades(output / "test.json")) == 2
    assert "photograph twice" in capsys.readouterr().err


def test_twins_of_one_name_are_one_photograph(tmp_path, capsys):
    for name in ("a.png", "a.jpg", "b.png"):
        photograph(tmp_path / "in/normal" / name, (8, 8))
    code, output = convert("graded_folders", tmp_path / "in", "--test-percent", 0, "--val-percent", 0)
    assert code == 1 and len(grades(output / "train_grading.json")) == 2
    assert "expected one of each photograph" in capsys.readouterr().err
