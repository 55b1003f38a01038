"""Measures of grading against scikit-learn and by hand, with absent grades, and what the evaluator writes."""

import csv
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score, confusion_matrix, recall_score, roc_auc_score

from fundus_plugins.evaluation import GradingEvaluator
from fundus_plugins.evaluation.grading_comparison import compare, comparison_markdown
from fundus_plugins.evaluation.grading_metrics import auc_interval, contradicts, grading_metrics, kappa_of_confusion

GRADES = ["normal", "suspicious", "glaucoma"]


def example(seed=0, n=60, classes=(0, 1, 2)):
    rng = np.random.default_rng(seed)
    truth = rng.choice(classes, n)
    scores = rng.random((n, 3)) + np.eye(3)[truth] * 0.5
    scores /= scores.sum(1, keepdims=True)
    above = scores[:, ::-1].cumsum(1)[:, ::-1][:, 1:]
    return truth, scores.argmax(1), scores, above


def test_every_measure_agrees_with_scikit_learn():
    truth, predicted, scores, above = example()
    metrics = grading_metrics(truth, predicted, scores, above, GRADES)
    value = {name: found[0] for name, found in metrics.items()}
    assert value["acc"] == pytest.approx(accuracy_score(truth, predicted))
    recalls = recall_score(truth, predicted, average=None)
    assert [value["sp"], value["se_suspicious"], value["se_glaucoma"]] == pytest.approx(recalls)
    assert value["kappa"] == pytest.approx(cohen_kappa_score(truth, predicted, weights="quadratic"))
    for k, grade in enumerate(GRADES):
        assert value[f"auc_{grade}"] == pytest.approx(roc_auc_score(truth == k, scores[:, k]))
    for k, grade in enumerate(GRADES[:-1]):
        assert value[f"auc_above_{grade}"] == pytest.approx(roc_auc_score(truth > k, above[:, k]))
    for found, low, high in metrics.values():
        assert 0 < low <= found <= high <= 1 and high - low < 0.6


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30))
def test_kappa_agrees_with_scikit_learn(pairs):
    truth, predicted = np.array(pairs).T
    found = kappa_of_confusion(confusion_matrix(truth, predicted, labels=range(4)))
    if len(set(truth) | set(predicted)) == 1:
        assert np.isnan(found)
    else:
        theirs = cohen_kappa_score(truth, predicted, weights="quadratic", labels=range(4))
        assert found == pytest.approx(theirs, abs=1e-9)


def test_auc_intervals_are_those_of_a_plain_bootstrap():
    truth, _, scores, _ = example(seed=3, n=80)
    positive, score = truth == 2, scores[:, 2]
    value, low, high = auc_interval(positive, score)
    rng = np.random.default_rng(1)
    yes, no = score[positive], score[~positive]
    labels = np.repeat([1, 0], [len(yes), len(no)])
    areas = [roc_auc_score(labels, np.r_[rng.choice(yes, len(yes)), rng.choice(no, len(no))]) for _ in range(500)]
    assert value == roc_auc_score(positive, score)
    assert (low, high) == pytest.approx(tuple(np.quantile(areas, (0.025, 0.975))), abs=0.02)
    assert auc_interval(np.array([True, False]), np.array([0.5, 0.5])) == (0.5, 0.5, 0.5)


def test_two_grades_leave_the_middle_class_undefined():
    metrics = grading_metrics(*example(classes=(0, 2)), GRADES)
    undefined = {name for name, found in metrics.items() if np.isnan(found[0])}
    assert undefined == {"se_suspicious", "auc_suspicious"}
    assert metrics["auc_above_normal"][1] <= metrics["auc_above_normal"][0]
    alone = grading_metrics(*example(classes=(1,)), GRADES)
    assert np.isnan(alone["sp"][0]) and np.isnan(alone["auc_suspicious"][0]) and alone["acc"][0] > 0


def test_contradictions():
    above = np.array([[0.9, 0.9, 0.1], [0.1, 0.2, 0.9], [0.9, 0.1, 0.9], [0.5, 0.5, 0.5]])
    assert contradicts(above).tolist() == [False, True, True, False]
    assert contradicts(np.array([[0.7]])).tolist() == [False]


def outputs():
    """Four photographs; the third contradicts itself, the last is graded wrongly."""
    above = torch.tensor([[0.1, 0.2], [0.9, 0.1], [0.3, 0.8], [0.9, 0.6]])
    scores = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.6, 0.2], [0.1, 0.4, 0.5]])
    truth, predicted = [0, 1, 1, 1], [0, 1, 1, 2]
    inputs = [{"image_id": i + 1, "file_name": f"{i}.jpg", "grade": g} for i, g in enumerate(truth)]
    rows = [
        {"grade": g, "scores": s, "above": a, "loss": 0.5, "stage1_grade": 0}
        for g, s, a in zip(predicted, scores, above)
    ]
    return inputs, rows


def test_the_evaluator_writes_table_rows_and_picture(tmp_path):
    evaluator = GradingEvaluator("eyes", GRADES, str(tmp_path))
    evaluator.reset()
    inputs, rows = outputs()
    evaluator.process(inputs, rows)
    evaluator.process(inputs[:1], rows[:1])  # as a distributed sampler repeats
    evaluator.process([{"image_id": 9, "file_name": "ungraded.jpg"}], rows[:1])
    results = evaluator.evaluate()["grading"]
    assert (results["acc"], results["sp"], results["se_suspicious"]) == (0.75, 1, pytest.approx(2 / 3))
    assert np.isnan(results["se_glaucoma"]) and results["loss"] == 0.5 and results["contradictions"] == 0.25
    document = json.loads((tmp_path / "eyes_metrics.json").read_text())
    assert document["images"] == 4 and document["confusion"] == [[1, 0, 0], [0, 2, 1], [0, 0, 0]]
    assert document["metrics"]["se_glaucoma"] is None
    with open(tmp_path / "eyes_images.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["contradiction"] for line in lines] == ["0", "0", "1", "0"]
    assert [line["predicted"] for line in lines] == ["normal", "suspicious", "suspicious", "glaucoma"]
    assert lines[2]["p_above_normal"] == "0.3000" and lines[2]["p_above_suspicious"] == "0.8000"
    assert lines[0]["stage1_grade"] == "normal" and lines[3]["correct"] == "0"
    assert (tmp_path / "eyes_confusion.png").read_bytes()[:4] == b"\x89PNG"


def test_nothing_to_evaluate_is_an_error():
    evaluator = GradingEvaluator("eyes", GRADES)
    with pytest.raises(ValueError, match="eyes: no photograph has a grade"):
        evaluator.evaluate()


def test_comparison_over_seeds():
    values = [{"acc": 0.8, "sp": 1.0, "kappa": 0.5}, {"acc": 0.9, "sp": 1.0, "kappa": None}]
    runs = {"ranking_cnn": dict(enumerate(values)), "softmax_cnn": {3: {"acc": 0.5, "acc-low": 0.25, "acc-high": 0.75}}}
    table = compare(runs)
    assert table["ranking_cnn"]["acc"]["mean"] == pytest.approx(0.85)
    assert table["ranking_cnn"]["acc"]["seeds"] == [0.8, 0.9] and table["ranking_cnn"]["kappa"]["mean"] == 0.5
    assert "se_glaucoma" not in table["ranking_cnn"]
    text = comparison_markdown(table, runs, "Grading")
    assert "| softmax_cnn" in text and "50.0 (25.0 to 75.0)" in text and "96.46" in text
