"""Folds: every photograph held out once, grades in proportion, files that load where their source does."""

import json
import shutil
from collections import Counter

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog
from hypothesis import given, settings
from hypothesis import strategies as st

import fundus_plugins
from fundus_plugins.data.folds import assign_folds, write_folds, write_grading_folds


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.sampled_from(["normal", "glaucoma", None]), min_size=2, max_size=60).flatmap(
        lambda grades: st.tuples(st.just(grades), st.integers(2, len(grades)))
    ),
    st.integers(0, 5),
)
def test_sizes_and_grades_are_even(case, seed):
    grades, folds = case
    assigned = assign_folds(grades, folds, seed)
    assert assigned == assign_folds(grades, folds, seed)
    for wanted in (lambda grade: True, *(lambda x, g=grade: x == g for grade in set(grades))):
        counts = Counter(dict.fromkeys(range(folds), 0))
        counts.update(fold for fold, grade in zip(assigned, grades) if wanted(grade))
        assert set(counts) == set(range(folds)) and max(counts.values()) - min(counts.values()) <= 1


def test_another_seed_is_another_split():
    assert assign_folds([None] * 50, 5, 0) != assign_folds([None] * 50, 5, 1)


@pytest.mark.parametrize("folds", [0, 1, 4])
def test_too_few_or_too_many_folds(folds):
    with pytest.raises(ValueError, match=f"{folds} folds of 3 photographs: expected 2 to 3"):
        assign_folds([None] * 3, folds, 0)


@pytest.fixture
def source(phantoms, tmp_path):
    """A copy of the phantoms' train.json, in a folder as deep as theirs."""
    folder = tmp_path / "phantom"
    folder.mkdir()
    (folder / "raw").symlink_to(phantoms / "phantom" / "raw")
    return shutil.copy(phantoms / "phantom" / "train.json", folder)


def test_files(source, tmp_path):
    source = tmp_path / "phantom" / "train.json"
    before = json.loads(source.read_text())
    pairs = write_folds(source, 3, 0)
    held = []
    for fold, pair in enumerate(pairs):
        fit, val = (json.loads(path.read_text()) for path in pair)
        assert [path.name for path in pair] == [f"train_fold{fold}of3_seed0_{part}.json" for part in ("fit", "val")]
        assert fit["categories"] == val["categories"] == before["categories"]
        assert sorted(fit["images"] + val["images"], key=lambda x: x["id"]) == before["images"]
        assert sorted(fit["annotations"] + val["annotations"], key=lambda x: x["id"]) == before["annotations"]
        assert {x["image_id"] for x in val["annotations"]} == {x["id"] for x in val["images"]}
        held += [x["id"] for x in val["images"]]
    assert sorted(held) == [x["id"] for x in before["images"]]
    times = [path.stat().st_mtime_ns for pair in pairs for path in pair]
    assert write_folds(source, 3, 0) == pairs
    assert [path.stat().st_mtime_ns for pair in pairs for path in pair] == times


def test_registered_beside_their_source(source, tmp_path):
    write_folds(tmp_path / "phantom" / "train.json", 2, 1)
    names = [f"phantom_train_fold{fold}of2_seed1_{part}" for fold in (0, 1) for part in ("fit", "val")]
    try:
        fundus_plugins.register_fundus_datasets(str(tmp_path))
        loaded = {name: DatasetCatalog.get(name) for name in names}
        assert [len(loaded[name]) for name in names] == [3, 3, 3, 3]
        assert MetadataCatalog.get(names[0]).thing_classes == ["optic_disc", "optic_cup"]
        assert {x["file_name"] for x in loaded[names[0]]} == {x["file_name"] for x in loaded[names[3]]}
    finally:
        for name in names:
            DatasetCatalog.remove(name)
            MetadataCatalog.remove(name)


@pytest.mark.parametrize(
    "text, message",
    [
        ("no json", "expected COCO's format, which is JSON, found Expecting value"),
        ("[]", "found list"),
        ('{"images": []}', "with a list of annotations, found images"),
        (
            '{"images": [{"id": 1, "file_name": "a", "height": 1, "width": 1}, '
            '{"id": 2, "file_name": "a", "height": 1, "width": 1}], "annotations": [], "categories": []}',
            "found a more often",
        ),
    ],
)
def test_what_is_no_source(tmp_path, text, message):
    path = tmp_path / "train.json"
    path.write_text(text)
    with pytest.raises(ValueError) as caught:
        write_folds(path, 2, 0)
    assert str(path) in str(caught.value) and message in str(caught.value)


def test_the_eyes_of_a_patient_share_a_fold(tmp_path):
    names = [f"{n}_{eye}.jpg" for n in range(9) for eye in ("left", "right")]
    images = [{"id": i, "file_name": name, "height": 1, "width": 1} for i, name in enumerate(names)]
    images += [{"id": 50 + i, "file_name": f"x{i}.jpg", "height": 1, "width": 1, "patient": "P"} for i in range(3)]
    path = tmp_path / "train.json"
    path.write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    held = [
        {x.get("patient") or x["file_name"].split("_")[0] for x in json.loads(val.read_text())["images"]}
        for _, val in write_folds(path, 3, 0)
    ]
    assert sorted(x for fold in held for x in fold) == sorted([*map(str, range(9)), "P"])
    with pytest.raises(ValueError, match="11 folds of 10 patients: expected 2 to 10"):
        write_folds(path, 11, 0)


def grading_file(path, grades, patients=None, discs=True):
    images = [
        {"id": i + 1, "file_name": f"{i:03d}.png", "height": 10, "width": 10}
        | ({"patient": patients[i]} if patients else {})
        | ({"disc_box": [1, 1, 4, 4]} if discs is True or discs[i] else {})
        for i in range(len(grades))
    ]
    names = ["normal", "suspicious", "glaucoma"]
    document = {
        "images": [*images, {"id": 999, "file_name": "ungraded.png", "height": 10, "width": 10}],
        "annotations": [
            {"id": i + 1, "image_id": i + 1, "category_id": names.index(g) + 1, "bbox": [0, 0, 10, 10], "area": 100}
            for i, g in enumerate(grades)
        ],
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(names)],
    }
    path.write_text(json.dumps(document))
    return path


def names_of(path):
    return [x["file_name"] for x in json.loads(path.read_text())["images"]]


def test_every_graded_photograph_is_tested_once_and_chooses_nothing_there(tmp_path):
    grades = ["normal"] * 20 + ["suspicious"] * 10 + ["glaucoma"] * 10
    patients = [f"p{i // 2}" for i in range(40)]
    source = grading_file(tmp_path / "train_grading.json", grades, patients)
    folds = write_grading_folds(source, 4, 0)
    assert folds == write_grading_folds(source, 4, 0)
    assert sorted(x for _, _, test in folds for x in names_of(test)) == [f"{i:03d}.png" for i in range(40)]
    for paths in folds:
        parts = [names_of(path) for path in paths]
        assert sorted(sum(parts, [])) == [f"{i:03d}.png" for i in range(40)]
        owners = [{patients[int(x[:3])] for x in part} for part in parts]
        assert not (owners[0] & owners[1] or owners[0] & owners[2] or owners[1] & owners[2])
        for part in parts[::2]:  # every grade to fit on, and to report
            assert {grades[int(x[:3])] for x in part} == {"normal", "suspicious", "glaucoma"}
        fit = json.loads(paths[0].read_text())
        assert {x["image_id"] for x in fit["annotations"]} == {x["id"] for x in fit["images"]}
    assert folds[0][0].name == "train_fold0of4_seed0_fit_grading.json"


def test_photographs_without_a_disc_and_those_that_are_too_many_are_left_out(tmp_path):
    grades = ["normal"] * 30 + ["suspicious"] * 6 + ["glaucoma"] * 6
    source = grading_file(tmp_path / "train_grading.json", grades, discs=[i != 35 for i in range(42)])
    drawn = write_grading_folds(source, 3, 0, with_disc=True, at_most={"normal": 12})
    tested = [x for _, _, test in drawn for x in names_of(test)]
    assert len(tested) == 12 + 5 + 6 and "035.png" not in tested
    assert tested == [
        x for _, _, t in write_grading_folds(source, 3, 0, with_disc=True, at_most={"normal": 12}) for x in names_of(t)
    ]
    # Who has another grade, too, stays.
    pairs = [f"p{i % 21}" for i in range(42)]
    source = grading_file(tmp_path / "val_grading.json", grades, pairs)
    tested = [x for _, _, test in write_grading_folds(source, 3, 0, at_most={"normal": 1}) for x in names_of(test)]
    assert {f"{i:03d}.png" for i in range(30, 42)} <= set(tested)
    with pytest.raises(ValueError, match="expected a limit of normal, suspicious, glaucoma, found one of normals"):
        write_grading_folds(source, 3, 0, at_most={"normals": 1})
