"""From a grading record to a square photograph and its grade."""

import json

import cv2
import detectron2.data.transforms as T
import numpy as np
import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances
from detectron2.structures import BoxMode

import fundus_plugins
from fundus_plugins.data.grading_mapper import GradingMapper, build_grading_augmentations
from fundus_plugins.data.registration import require_dataset
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.prediction.explanation import explain
from tests.conftest import grading_config

CATEGORIES = ["normal", "suspicious", "glaucoma"]


def record(tmp_path, category=1, height=60, width=90):
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 2] = 255  # BGR: the left half is red
    path = str(tmp_path / "eye.png")
    cv2.imwrite(path, image)
    annotations = [] if category is None else [{"category_id": category, "bbox_mode": BoxMode.XYWH_ABS}]
    return {"file_name": path, "height": height, "width": width, "image_id": 1, "annotations": annotations}


def mapper(*augmentations, grades=CATEGORIES, side=32, **options):
    fixed = {"categories": CATEGORIES, "grades": grades, "augmentations": list(augmentations), "side": side}
    return GradingMapper(True, image_format="RGB", **fixed, **options)


def test_whole_photograph_as_a_square_and_its_grade(tmp_path):
    mapped = mapper()(record(tmp_path))
    assert mapped["image"].shape == (3, 32, 32) and mapped["grade"] == 1 and "annotations" not in mapped
    assert (mapped["image"][0, :, :14] > 250).all() and (mapped["image"][0, :, 18:] < 5).all()
    assert not mapped["image"][2].any()  # RGB
    assert "grade" not in mapper()(record(tmp_path, category=None))


def test_the_grade_is_the_place_among_the_models_grades(tmp_path):
    two = mapper(grades=["normal", "glaucoma"])
    assert [two(record(tmp_path, category=category))["grade"] for category in (0, 2)] == [0, 1]
    with pytest.raises(ValueError, match=r"eye.png: expected a grade of .*'normal', 'glaucoma'.*, found suspicious"):
        two(record(tmp_path, category=1))


@pytest.mark.parametrize("scale", [0.875, 1.125])
def test_zoom_keeps_the_centre_and_the_size(tmp_path, scale):
    zoom = T.RandomExtent(scale_range=(scale, scale), shift_range=(0, 0))
    image = mapper(zoom, T.Resize((64, 64)), side=64)(record(tmp_path))["image"]
    assert image.shape == (3, 64, 64)
    red = (image[0] > 127).numpy()
    assert red.any(0).nonzero()[0].max() in (30, 31, 32)  # the edge between red and black stays in the middle
    edge = round(32 * (1 - 1 / scale)) if scale > 1 else 0  # zooming out leaves a black edge, and loses nothing
    assert abs(int(red.any(0).nonzero()[0].min()) - edge) <= 1


def test_categories_of_a_set_that_was_never_read(tmp_path):
    document = {
        "images": [{"id": 1, "file_name": "eye.png", "height": 60, "width": 90}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "bbox": [0, 0, 90, 60], "area": 5400, "iscrowd": 0}],
        "categories": [{"id": 3, "name": "normal"}, {"id": 7, "name": "glaucoma"}],
    }
    (tmp_path / "mine.json").write_text(json.dumps(document))
    record(tmp_path)
    register_coco_instances("grading_mapper_mine", {}, str(tmp_path / "mine.json"), str(tmp_path))
    cfg = grading_config("ranking_cnn", "MODEL.GRADING.GRADES", ["normal", "glaucoma"])
    mapped = GradingMapper(cfg, is_train=False, dataset_name="grading_mapper_mine")
    assert [mapped(x)["grade"] for x in DatasetCatalog.get("grading_mapper_mine")] == [1]


def graded_set(path, names):
    """A grading file with a photograph of each grade, in order."""
    path.parent.mkdir(exist_ok=True)
    record(path.parent)
    size = {"height": 60, "width": 90}
    document = {
        "images": [{"id": i, "file_name": "eye.png"} | size for i, _ in enumerate(names)],
        "annotations": [{"id": i, "image_id": i, "category_id": 2 * i + 1} for i, _ in enumerate(names)],
        "categories": [{"id": 2 * i + 1, "name": name} for i, name in enumerate(names)],
    }
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("by_path", [False, True])
def test_every_loader_of_a_set_knows_its_own_grades(tmp_path, by_path):
    stages = ["healthy", "mild", "moderate", "severe"]
    for folder, names in {"two": ["normal", "glaucoma"], "four": stages}.items():
        graded_set(tmp_path / folder / "test_grading.json", names)
        fundus_plugins.register_fundus_datasets(str(tmp_path))
        name = str(tmp_path / folder / "test_grading.json") if by_path else f"{folder}_test_grading"
        require_dataset(name)
        cfg = grading_config("ranking_cnn", "MODEL.GRADING.GRADES", names)
        for _ in range(2):
            batches = fundus_plugins.FundusTrainer.build_test_loader(cfg, name)
            assert [x["grade"] for batch in batches for x in batch] == list(range(len(names)))
    cfg = grading_config("ranking_cnn", "MODEL.GRADING.GRADES", ["mild", "severe"])
    with pytest.raises(ValueError, match=r"expected a grade of .*'mild', 'severe'.*, found healthy"):
        list(fundus_plugins.FundusTrainer.build_test_loader(cfg, name))


def test_a_file_that_is_written_anew_brings_its_names(tmp_path):
    cfg = grading_config("ranking_cnn", "MODEL.GRADING.GRADES", ["normal", "early", "glaucoma"])
    for names, expected in ((["normal", "glaucoma"], [0, 2]), (["early", "glaucoma"], [1, 2])):
        graded_set(tmp_path / "anew" / "test_grading.json", names)
        fundus_plugins.register_fundus_datasets(str(tmp_path))
        batches = fundus_plugins.FundusTrainer.build_test_loader(cfg, "anew_test_grading")
        assert [x["grade"] for batch in batches for x in batch] == expected


def test_maps_of_a_set_with_two_grades_tell_the_truth(tmp_path):
    graded_set(tmp_path / "explained" / "test_grading.json", ["normal", "glaucoma"])
    fundus_plugins.register_fundus_datasets(str(tmp_path))
    cfg = grading_config("ranking_cnn", "MODEL.GRADING.FC_DIM", 0)
    model = fundus_plugins.FundusTrainer.build_model(cfg)
    assert [x.truth for x in explain(model, cfg, "explained_test_grading")] == ["normal", "glaucoma"]


def test_grades_without_names_are_refused(tmp_path):
    DatasetCatalog.register("grading_mapper_nameless", lambda: [record(tmp_path)])
    with pytest.raises(ValueError, match="grading_mapper_nameless: expected names of its grades as thing_classes"):
        GradingMapper(grading_config("ranking_cnn"), is_train=False, dataset_name="grading_mapper_nameless")


@pytest.mark.parametrize("diameters", [0.0, 2.0])
def test_kept_squares_are_those_that_were_made(tmp_path, diameters):
    disc = record(tmp_path) | {"disc_box": [30.0, 20.0, 60.0, 50.0]}
    fresh, kept = mapper(crop_diameters=diameters), mapper(crop_diameters=diameters, cache=str(tmp_path / "kept"))
    for _ in range(2):
        ours, theirs = fresh(disc), kept(disc)
        assert (ours["image"] == theirs["image"]).all() and (ours["disc_box"] == theirs["disc_box"]).all()
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_a_crop_is_the_square_about_the_disc(tmp_path):
    # The disc's box is 30 pixels wide and 20 high; two diameters about its middle (45, 30) are 15..75 and 0..60.
    mapped = mapper(crop_diameters=2.0, side=60)(record(tmp_path) | {"disc_box": [30.0, 20.0, 60.0, 40.0]})
    assert mapped["disc_box"].tolist() == [15.0, 20.0, 45.0, 40.0]
    assert (mapped["image"][0, :, :30] == 255).all() and (mapped["image"][0, :, 30:] == 0).all()
    beyond = mapper(crop_diameters=4.0, side=60)(record(tmp_path) | {"disc_box": [0.0, 20.0, 20.0, 40.0]})
    assert beyond["disc_box"].tolist() == [22.5, 22.5, 37.5, 37.5]  # of a square of 80, resized to 60
    assert not beyond["image"][:, :, :22].any()  # black beyond the photograph, on the left and above
    assert not beyond["image"][:, :7].any() and (beyond["image"][0, 9:51, 24:55] == 255).all()
    with pytest.raises(BadInput, match=r"eye.png: expected a disc_box, .*find-discs"):
        mapper(crop_diameters=2.0)(record(tmp_path))


def test_the_disc_goes_with_the_photograph(tmp_path):
    flip = T.RandomFlip(prob=1.0)
    mapped = mapper(flip)(record(tmp_path) | {"disc_box": [0.0, 15.0, 45.0, 30.0]})
    assert mapped["disc_box"].tolist() == [16.0, 8.0, 32.0, 16.0]
    assert "disc_box" not in mapper()(record(tmp_path))


def test_augmentations_are_the_papers():
    DatasetCatalog.register("grading_mapper_test", lambda: [])
    MetadataCatalog.get("grading_mapper_test").thing_classes = CATEGORIES
    cfg = grading_config("ranking_cnn", "INPUT.SQUARE_SIZE", 48)
    train = build_grading_augmentations(cfg)
    assert [type(x).__name__ for x in train] == ["RandomExtent", "Resize", "RandomFlip"]
    assert train[0].scale_range == (0.875, 1.125) and train[2].horizontal and not train[2].vertical
    made = GradingMapper(cfg, is_train=False, dataset_name="grading_mapper_test")
    assert made.side == 48 and made.augmentations.augs == []
    assert made.categories == made.grades == CATEGORIES and made.image_format == "RGB"
