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
from fundus_plugins.data.registration import require_dataset
from fundus_plugins.data.structures import best_disc_and_cup
from fundus_plugins.evaluation import DiscCupEvaluator
from fundus_plugins.measures.disc_cup import METRICS, SURFACES
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
        expected = 0.0 if name in ("vcdr_mae", "vcdr_bias", *SURFACES) else 1.0
        assert results[name] == results[f"{name}-low"] == results[f"{name}-high"] == expected


def test_a_missed_disc_counts_and_an_unknown_cup_does_not(dataset):
    nothing = perfect(0)[:0]
    results = run(DiscCupEvaluator(dataset), [perfect(0), nothing, perfect(2)])
    assert results["detection_rate"] == results["dice_od"] == pytest.approx(2 / 3)
    assert results["dice_oc"] == pytest.approx(1 / 2)  # of the two photographs whose cup is known
    assert results["vcdr_mae"] == pytest.approx(21 / 41 / 2)  # a missed disc has a ratio of 0; 21 of 41 pixels
    assert results["dice_od-low"] == 0 and results["dice_od-high"] == 1
    assert results["vcdr_bias"] == -results["vcdr_mae"] and results["right_place"] == pytest.approx(2 / 3)
    assert results["hd95_od"] == results["asd_oc_dd"] == 0  # of the discs and the cup that are there


def test_files(dataset, tmp_path):
    results = run(DiscCupEvaluator(dataset, str(tmp_path / "out")), [perfect(0), perfect(0), perfect(2)])
    with open(tmp_path / "out" / f"{dataset}_images.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file_name"] for row in rows] == ["1.jpg", "2.jpg", "3.jpg"]
    assert float(rows[0]["dice_od"]) == 1 and 0.9 < float(rows[1]["dice_od"]) < 1 and rows[2]["dice_oc"] == "nan"
    assert np.mean([float(row["dice_od"]) for row in rows]) == pytest.approx(results["dice_od"])
    written = json.loads((tmp_path / "out" / f"{dataset}_metrics.json").read_text())
    assert written["images"] == 3 and written["metrics"]["dice_od"] == results["dice_od"]


@pytest.fixture
def graded(tmp_path):
    """Registers photographs of these grades as our own JSON, and gives its name; true vCDRs are 0.2, 0.3, ..."""
    names = []

    def register(grades):
        images = []
        for i, grade in enumerate(grades):
            disc, cup = (mask_to_rle(mask) for mask in disc_and_cup_of(i))
            images.append(AnnotatedImage(tmp_path / f"{i}.jpg", HEIGHT, WIDTH, disc, cup, None, grade))
        names.append(str(tmp_path / f"graded{len(names)}.json"))
        write_json({tmp_path / names[-1]: build_segmentation(images, tmp_path, {})})
        require_dataset(names[-1])
        return names[-1]

    yield register
    for name in names:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def disc_and_cup_of(i):
    """A disc 50 high and a cup 10 + 5 i high."""
    disc, cup = np.zeros((2, HEIGHT, WIDTH), bool)
    disc[10:60, 20:70] = cup[15 : 25 + 5 * i, 30:50] = True
    return disc, cup


def test_agreement_of_ratios(graded):
    name = graded([None] * 6)
    results = run(DiscCupEvaluator(name), [prediction(*disc_and_cup_of(i + 1)) for i in range(6)])
    assert results["vcdr_bias"] == results["vcdr_mae"] == pytest.approx(0.1)
    for key in ("vcdr_pearson", "vcdr_pearson-low", "vcdr_pearson-high"):
        assert results[key] == pytest.approx(1)
    for key in ("vcdr_limit_low", "vcdr_limit_high", "vcdr_limit_low-low", "vcdr_limit_high-high"):
        assert results[key] == pytest.approx(0.1)
    # Ratios 0.2 to 0.7 and 0.3 to 0.8: mean squares 2 x 0.035 between eyes, 6 x 0.005 between raters, no residual.
    assert results["vcdr_icc"] == pytest.approx(0.07 / (0.07 + 2 * 0.03 / 6))
    assert results["vcdr_icc-low"] < results["vcdr_icc"] < results["vcdr_icc-high"]
    assert not any(key.startswith("vcdr_auc") for key in results)


def test_auc_where_there_are_grades(graded, tmp_path, caplog):
    name = graded(["normal", "suspicious", "glaucoma", None, "normal", "glaucoma"])
    evaluator = DiscCupEvaluator(name, str(tmp_path / "out"))
    with caplog.at_level("INFO"):
        results = run(evaluator, [prediction(*disc_and_cup_of(i)) for i in range(6)])
    # The ratios of glaucoma are 0.4 and 0.7, of others 0.2, 0.3 and 0.6: five pairs of six are in order.
    assert results["vcdr_auc"] == pytest.approx(5 / 6)
    assert results["vcdr_auc-low"] < results["vcdr_auc"] <= results["vcdr_auc-high"] == 1
    (file,) = (tmp_path / "out").glob("*_metrics.json")
    written = json.loads(file.read_text())["metrics"]
    assert written["vcdr_auc"] == results["vcdr_auc"] and written["vcdr_icc"] == pytest.approx(1)
    for word in ("vcdr_auc", "vcdr_icc", "vcdr_limit_low", "hd95_od_dd", "right_place"):
        assert word in caplog.text


def test_no_auc_of_one_kind(graded, tmp_path):
    name = graded(["normal", "suspicious", None, None])
    nothing = prediction(*disc_and_cup_of(0))[:0]
    results = run(DiscCupEvaluator(name, str(tmp_path / "out")), [nothing] * 4)
    assert "vcdr_auc" not in results and np.isnan(results["vcdr_pearson"]) and np.isnan(results["hd95_od"])
    (file,) = (tmp_path / "out").glob("*_metrics.json")
    written = json.loads(file.read_text())["metrics"]
    assert written["vcdr_pearson"] is written["hd95_od"] is written["asd_oc_dd-low"] is None
    assert written["right_place"] == 0 and written["vcdr_bias"] == -written["vcdr_mae"] < 0


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
