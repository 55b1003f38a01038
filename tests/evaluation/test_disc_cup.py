"""DiscCupEvaluator on registered COCO files: perfect, shifted and missing predictions, unknown cups, its files."""

import csv
import json

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances
from detectron2.evaluation import COCOEvaluator
from detectron2.structures import Boxes, Instances

from fundus_plugins.data.coco import AnnotatedImage, build_segmentation, mask_to_rle, write_json
from fundus_plugins.data.structures import best_disc_and_cup
from fundus_plugins.evaluation import DiscCupEvaluator
from fundus_plugins.measures.disc_cup import METRICS
from tests.conftest import disk

HEIGHT, WIDTH = 80, 100


@pytest.fixture
def dataset(tmp_path):
    """Three photographs; the third one's cup is unknown. Yields its name."""
    images = []
    for i in range(3):
        disc, cup = disk(HEIGHT, WIDTH, 40, 45 + i, 20), disk(HEIGHT, WIDTH, 40, 45 + i, 10)
        cup = None if i == 2 else mask_to_rle(cup)
        images.append(AnnotatedImage(tmp_path / f"{i}.jpg", HEIGHT, WIDTH, mask_to_rle(disc), cup, None, None))
    write_json({tmp_path / "eyes.json": build_segmentation(images, tmp_path, {})})
    register_coco_instances("eyes_for_test", {}, str(tmp_path / "eyes.json"), str(tmp_path))
    yield "eyes_for_test"
    DatasetCatalog.remove("eyes_for_test")
    MetadataCatalog.remove("eyes_for_test")


def prediction(disc, cup, score=0.9):
    instances = Instances((HEIGHT, WIDTH))
    instances.pred_masks = torch.from_numpy(np.stack([disc, cup]))
    instances.pred_classes = torch.tensor([0, 1])
    instances.scores = torch.tensor([score, score])
    instances.pred_boxes = Boxes(torch.tensor([[0.0, 0, 50, 50]] * 2))
    return instances


def run(evaluator, predictions):
    evaluator.reset()
    for image_id, instances in enumerate(predictions, start=1):
        evaluator.process([{"file_name": f"{image_id}.jpg", "image_id": image_id}], [{"instances": instances}])
    return evaluator.evaluate()["disc_cup"]


def perfect(i):
    return prediction(disk(HEIGHT, WIDTH, 40, 45 + i, 20), disk(HEIGHT, WIDTH, 40, 45 + i, 10))


def test_perfect_predictions(dataset):
    results = run(DiscCupEvaluator(dataset), [perfect(i) for i in range(3)])
    for name in METRICS:
        expected = 0.0 if name == "vcdr_mae" else 1.0
        assert results[name] == results[f"{name}-low"] == results[f"{name}-high"] == expected


def test_a_missed_disc_counts_and_an_unknown_cup_does_not(dataset):
    nothing = perfect(0)[:0]
    results = run(DiscCupEvaluator(dataset), [perfect(0), nothing, perfect(2)])
    assert results["detection_rate"] == results["dice_od"] == pytest.approx(2 / 3)
    assert results["dice_oc"] == pytest.approx(1 / 2)  # of the two photographs whose cup is known
    assert results["vcdr_mae"] == pytest.approx(21 / 41 / 2)  # a missed disc has a ratio of 0; 21 of 41 pixels
    assert results["dice_od-low"] == 0 and results["dice_od-high"] == 1


def test_files(dataset, tmp_path):
    results = run(DiscCupEvaluator(dataset, str(tmp_path / "out")), [perfect(0), perfect(0), perfect(2)])
    with open(tmp_path / "out" / f"{dataset}_images.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file_name"] for row in rows] == ["1.jpg", "2.jpg", "3.jpg"]
    assert float(rows[0]["dice_od"]) == 1 and 0.9 < float(rows[1]["dice_od"]) < 1 and rows[2]["dice_oc"] == "nan"
    assert np.mean([float(row["dice_od"]) for row in rows]) == pytest.approx(results["dice_od"])
    written = json.loads((tmp_path / "out" / f"{dataset}_metrics.json").read_text())
    assert written["images"] == 3 and written["metrics"]["dice_od"] == results["dice_od"]


def test_highest_score_wins_whatever_the_order():
    first = prediction(disk(HEIGHT, WIDTH, 20, 20, 10), disk(HEIGHT, WIDTH, 20, 20, 5), score=0.3)
    second = prediction(disk(HEIGHT, WIDTH, 50, 50, 10), disk(HEIGHT, WIDTH, 50, 50, 5), score=0.8)
    disc, cup, score = best_disc_and_cup(Instances.cat([first, second]), (HEIGHT, WIDTH))
    assert disc[50, 50] and cup[50, 50] and not disc[20, 20] and score == pytest.approx(0.8)


def test_no_annotated_disc_is_an_error(dataset):
    evaluator = DiscCupEvaluator(dataset)
    evaluator.reset()
    with pytest.raises(ValueError, match="no image has an annotated optic disc"):
        evaluator.evaluate()


def test_detectron2s_coco_evaluator_reads_the_same(dataset, tmp_path):
    DatasetCatalog.get(dataset)  # tells Detectron2 the category ids
    evaluator = COCOEvaluator(dataset, output_dir=str(tmp_path), use_fast_impl=False)
    evaluator.reset()
    for i in range(3):
        evaluator.process([{"image_id": i + 1}], [{"instances": perfect(i)}])
    results = evaluator.evaluate()
    assert results["segm"]["AP-optic_disc"] == pytest.approx(100)
    assert results["segm"]["AP-optic_cup"] == pytest.approx(100, abs=35)  # the unknown cup counts as a false positive
