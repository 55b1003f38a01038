"""Scores against each reader, and the readers' own agreement, by hand on two photographs."""

import csv

import numpy as np
import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import load_coco_json

from fundus_plugins.data.annotations import disc_and_cup
from fundus_plugins.data.coco import AnnotatedImage, build_segmentation, mask_to_rle, reader_file, write_json
from fundus_plugins.data.coco_file import disc_cup_records
from fundus_plugins.data.folds import write_folds
from fundus_plugins.data.registration import register_fundus_datasets, require_dataset
from fundus_plugins.evaluation import DiscCupEvaluator
from fundus_plugins.evaluation.readers import ReaderScores
from fundus_plugins.measures.overlap import dice
from tests.evaluation.test_disc_cup import HEIGHT, WIDTH, prediction, run

RADII = {"1": (20, 10), "2": (18, 12), "b": (16, None)}  # disc and cup of each reader


def square(radius: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[40 - radius : 40 + radius, 50 - radius : 50 + radius] = True
    return mask


@pytest.fixture
def folder(tmp_path):
    """Two photographs; the third reader drew one of them, and no cup."""
    images = []
    for number in range(2):
        drawn = {
            name: (mask_to_rle(square(disc)), None if cup is None else mask_to_rle(square(cup)))
            for name, (disc, cup) in RADII.items()
            if name != "b" or number == 0
        }
        masks = drawn["1"]
        images.append(AnnotatedImage(tmp_path / f"{number}.jpg", HEIGHT, WIDTH, *masks, 0.5, None, readers=drawn))
    documents = {tmp_path / "train.json": build_segmentation(images, tmp_path, {})}
    for name in RADII:
        documents[reader_file(tmp_path, "train", name)] = build_segmentation(images, tmp_path, {}, reader=name)
    write_json(documents)
    return tmp_path


def test_scores_against_each_reader_and_between_them(folder):
    name = str(folder / "train.json")
    require_dataset(name)
    results = run(DiscCupEvaluator(name, str(folder / "out")), [prediction(square(20), square(10))] * 2)
    assert results["dice_od"] == results["dice_od_reader_1"] == results["dice_oc_reader_1"] == 1
    assert results["dice_oc_reader_2"] == pytest.approx(dice(square(10), square(12)))
    assert results["vcdr_mae_reader_2"] == pytest.approx(12 / 18 - 10 / 20)
    assert results["dice_od_reader_b"] == pytest.approx(dice(square(20), square(16)))
    assert np.isnan(results["dice_oc_reader_b"])
    first = np.mean([dice(square(x), square(y)) for x, y in ((20, 18), (20, 16), (18, 16))])
    assert results["dice_od_between_readers"] == pytest.approx((first + dice(square(20), square(18))) / 2)
    assert results["dice_oc_between_readers"] == pytest.approx(dice(square(10), square(12)))
    assert results["vcdr_mae_between_readers"] == pytest.approx(12 / 18 - 10 / 20)
    [path] = (folder / "out").glob("*_images.csv")
    rows = list(csv.DictReader(path.open()))
    assert rows[1]["dice_od_reader_b"] == "nan" and float(rows[0]["dice_od_reader_b"]) < 1


def test_detectron2_and_our_mapper_see_one_disc_and_one_cup(folder):
    for name in ("train", "train_reader_2"):
        records = load_coco_json(str(folder / f"{name}.json"), str(folder))
        assert [len(record["annotations"]) for record in records] == [2, 2]
        ours = disc_cup_records(str(folder / f"{name}.json"), str(folder))
        masks = disc_and_cup(ours[0]["annotations"], [0, 1], (HEIGHT, WIDTH), "here")
        disc, cup = RADII[name[-1] if "reader" in name else "1"]
        np.testing.assert_array_equal(masks[0] > 0, square(disc))
        np.testing.assert_array_equal(masks[1] > 0, square(cup))


def test_a_readers_own_file_is_a_data_set_and_folds_know_their_readers(folder):
    (folder / "train_fold0of2_seed0_val.json").write_bytes((folder / "train.json").read_bytes())
    root = folder.parent
    register_fundus_datasets(str(root))
    try:
        [record, _] = DatasetCatalog.get(f"{folder.name}_train_reader_2")
        assert len(record["annotations"]) == 2
        assert ReaderScores(f"{folder.name}_train_reader_2").metrics == []
        fold = ReaderScores(f"{folder.name}_train_fold0of2_seed0_val")
        assert "dice_oc_between_readers" in fold.metrics and len(fold.metrics) == 12
        assert fold.scores(str(folder / "1.jpg"), square(18), square(12))["dice_oc_reader_2"] == 1
        write_folds(folder / "train_reader_1.json", 2, 0)  # as fundus table does with a reader's own set
        assert ReaderScores(f"{folder.name}_train_fold0of2_seed0_val").metrics == fold.metrics
    finally:
        for name in [x for x in DatasetCatalog.list() if x.startswith(folder.name)]:
            DatasetCatalog.remove(name)
            MetadataCatalog.remove(name)
        register_fundus_datasets()
