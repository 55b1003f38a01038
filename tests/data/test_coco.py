"""COCO JSON: what is written, how it loads with Detectron2, and the registered names."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog
from pycocotools import mask as mask_util

from fundus_plugins.data.coco import (
    AnnotatedImage,
    build_grading,
    build_segmentation,
    mask_annotation,
    mask_to_rle,
    write_json,
)
from fundus_plugins.data.registration import FUNDUS_DATASETS, register_fundus_datasets, require_dataset


@pytest.fixture
def root(tmp_path):
    """Registers below tmp_path, and gives the names back afterwards."""
    register_fundus_datasets(str(tmp_path))
    yield tmp_path
    register_fundus_datasets()


def image(folder: Path, name: str, *, cup: str = "drawn", grade: str | None = "normal") -> AnnotatedImage:
    disc, cup_mask = np.zeros((40, 30), bool), np.zeros((40, 30), bool)
    disc[10:30, 5:21] = True
    if cup == "drawn":
        cup_mask[15:25, 8:12] = True
    return AnnotatedImage(
        photograph=folder / name,
        height=40,
        width=30,
        disc=mask_to_rle(disc),
        cup=None if cup == "unknown" else mask_to_rle(cup_mask),
        vcdr={"drawn": 0.5, "empty": 0.0, "unknown": None}[cup],
        grade=grade,
    )


def test_annotation_of_a_mask_worked_by_hand():
    mask = np.zeros((6, 8), np.uint8)
    mask[1:4, 2:7] = 255
    mask[2, 4] = 0  # a hole stays a hole
    annotation = mask_annotation(mask_to_rle(mask), category_id=2, image_id=7, annotation_id=9)
    assert annotation["bbox"] == [2.0, 1.0, 5.0, 3.0]
    assert annotation["area"] == 14
    assert (annotation["id"], annotation["image_id"], annotation["category_id"], annotation["iscrowd"]) == (9, 7, 2, 0)
    assert isinstance(annotation["segmentation"]["counts"], str)
    np.testing.assert_array_equal(mask_util.decode(json.loads(json.dumps(annotation))["segmentation"]), mask != 0)


def test_categories_are_those_of_the_format(tmp_path):
    segmentation, grading = build_segmentation([], tmp_path, {}), build_grading([], tmp_path, {})
    assert [(c["id"], c["name"]) for c in segmentation["categories"]] == [(1, "optic_disc"), (2, "optic_cup")]
    assert [(c["id"], c["name"]) for c in grading["categories"]] == [(1, "normal"), (2, "suspicious"), (3, "glaucoma")]


def test_detectron2_loads_what_is_written(root):
    photographs = root / "elsewhere"
    images = [
        image(photographs, "a.png"),
        image(photographs, "b.png", cup="empty", grade=None),
        image(photographs, "c.png", cup="unknown", grade="glaucoma"),
    ]
    folder = root / "refuge"
    write_json(
        {
            folder / "val.json": build_segmentation(images, folder, {"version": "1"}),
            folder / "val_grading.json": build_grading(images, folder, {}),
        }
    )
    loaded = DatasetCatalog.get("refuge_val")
    assert [os.path.realpath(x["file_name"]) for x in loaded] == [str(photographs / f"{n}.png") for n in "abc"]
    assert [(x["image_id"], x["height"], x["width"]) for x in loaded] == [(1, 40, 30), (2, 40, 30), (3, 40, 30)]
    assert [[a["category_id"] for a in x["annotations"]] for x in loaded] == [[0, 1], [0, 1], [0]]
    assert loaded[0]["annotations"][1]["bbox"] == [8.0, 15.0, 4.0, 10.0]
    empty = loaded[1]["annotations"][1]
    assert empty["bbox"] == [0.0] * 4 and not mask_util.decode(empty["segmentation"]).any()
    assert mask_util.decode(loaded[2]["annotations"][0]["segmentation"]).sum() == 20 * 16

    graded = DatasetCatalog.get("refuge_val_grading")
    assert [(x["image_id"], x["annotations"][0]["category_id"]) for x in graded] == [(1, 0), (3, 2)]
    assert graded[0]["annotations"][0]["bbox"] == [0.0, 0.0, 30.0, 40.0]
    assert MetadataCatalog.get("refuge_val_grading").thing_classes == ["normal", "suspicious", "glaucoma"]


def test_image_entries_carry_grade_and_ratio(tmp_path):
    document = build_segmentation(
        [image(tmp_path / "in", "a.png"), image(tmp_path, "b.png", cup="unknown")], tmp_path / "out", {}
    )
    assert document["images"][0] | {"id": 1} == {
        "id": 1,
        "file_name": "../in/a.png",
        "height": 40,
        "width": 30,
        "grade": "normal",
        "vcdr": 0.5,
    }
    assert document["images"][1]["vcdr"] is None


def test_a_failed_write_leaves_every_file_as_it_was(tmp_path):
    write_json({tmp_path / "a.json": {"n": 1}, tmp_path / "b.json": {"n": 1}})
    with pytest.raises(TypeError):
        write_json({tmp_path / "a.json": {"n": 2}, tmp_path / "b.json": {"n": object()}})
    assert json.loads((tmp_path / "a.json").read_text()) == {"n": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_every_split_is_registered_without_reading(root):
    register_fundus_datasets(str(root))  # again: nothing happens
    names = [
        f"{s}_{split}{kind}"
        for s, (splits, _) in FUNDUS_DATASETS.items()
        for split in splits
        for kind in ("", "_grading")
    ]
    assert len(names) == 138 and set(names) <= set(DatasetCatalog.list())
    metadata = MetadataCatalog.get("drishti_gs1_fit")
    assert metadata.json_file == str(root / "drishti_gs1" / "fit.json")
    assert metadata.image_root == str(root / "drishti_gs1")
    assert metadata.thing_classes == ["optic_disc", "optic_cup"] and len(metadata.thing_colors) == 2
    assert MetadataCatalog.get("drishti_gs1_fit_grading").get("thing_classes") is None  # the file's, once it is read
    assert list(root.iterdir()) == []


def test_another_root_moves_the_names(root, monkeypatch):
    register_fundus_datasets(str(root / "other"))
    assert MetadataCatalog.get("refuge_test").json_file == str(root / "other" / "refuge" / "test.json")
    monkeypatch.setenv("DETECTRON2_DATASETS", str(root / "environment"))
    register_fundus_datasets()
    assert MetadataCatalog.get("refuge_test").json_file == str(root / "environment" / "refuge" / "test.json")
    monkeypatch.delenv("DETECTRON2_DATASETS")
    register_fundus_datasets()
    assert MetadataCatalog.get("refuge_test").json_file == os.path.join("datasets", "refuge", "test.json")


def test_a_name_somebody_else_registered_is_not_taken_from_them(root):
    DatasetCatalog.remove("phantom_test")
    MetadataCatalog.remove("phantom_test")
    DatasetCatalog.register("phantom_test", lambda: ["theirs"])
    try:
        with pytest.raises(AssertionError, match="already registered"):
            register_fundus_datasets(str(root))
        assert DatasetCatalog.get("phantom_test") == ["theirs"]
        require_dataset("phantom_test")
    finally:
        DatasetCatalog.remove("phantom_test")
        MetadataCatalog.remove("phantom_test")


@pytest.mark.parametrize(
    "name, command",
    [
        ("refuge_train", "fundus convert refuge --root <where REFUGE is> --output {root}/refuge"),
        (
            "drishti_gs1_val_grading",
            "fundus convert drishti_gs1 --root <where Drishti-GS1 is> --output {root}/drishti_gs1",
        ),
        ("phantom_val", "fundus draw-phantoms --output {root}/phantom/raw && "),
        ("phantom_val", "fundus convert refuge --root {root}/phantom/raw --output {root}/phantom"),
    ],
)
def test_a_missing_file_says_where_and_how(root, name, command):
    with pytest.raises(FileNotFoundError) as caught:
        require_dataset(name)
    text = str(caught.value)
    assert "\n" not in text and command.format(root=root) in text and MetadataCatalog.get(name).json_file in text


def test_a_present_file_is_enough(root):
    write_json({root / "refuge" / "test.json": build_segmentation([], root, {})})
    require_dataset("refuge_test")
    require_dataset("coco_2017_val")  # not ours: Detectron2's affair


def test_sets_in_folders_of_other_names_are_registered_where_their_files_are(root):
    document = build_segmentation([image(root / "mine", "a.png")], root / "mine", {})
    write_json({root / "mine" / "train.json": document, root / "mine" / "other.json": document})
    register_fundus_datasets(str(root))
    assert [Path(x["file_name"]).name for x in DatasetCatalog.get("mine_train")] == ["a.png"]
    assert not {"mine_val", "mine_other"} & set(DatasetCatalog.list())
    (root / "mine" / "train.json").unlink()
    with pytest.raises(FileNotFoundError, match="make it with: fundus convert masked --root"):
        require_dataset("mine_train")
    DatasetCatalog.remove("mine_train")
    MetadataCatalog.remove("mine_train")


def test_the_grade_of_a_photograph_is_kept_beside_its_masks(root):
    graded, unknown = image(root / "mine", "a.png", grade="glaucoma"), image(root / "mine", "b.png", grade=None)
    write_json({root / "mine" / "val.json": build_segmentation([graded, unknown], root / "mine", {})})
    register_fundus_datasets(str(root))
    assert [x.get("grade_name") for x in DatasetCatalog.get("mine_val")] == ["glaucoma", None]
    DatasetCatalog.remove("mine_val")
    MetadataCatalog.remove("mine_val")
