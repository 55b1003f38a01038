"""Measures of grading against scikit-learn and by hand, with absent grades, and what the evaluator writes."""

import csv
import json

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    cohen_kappa_score,
    confusion_matrix,
    mean_absolute_error,
    recall_score,
    roc_auc_score,
)

from fundus_plugins.evaluation import GradingEvaluator
from fundus_plugins.experiments.grading_comparison import GradedRuns, compare, comparison_markdown, read_runs
from fundus_plugins.measures.grading import (
    auc_interval,
    calibration_error,
    contradicts,
    grading_metrics,
    kappa_of_confusion,
)
from fundus_plugins.measures.screening import partial_auc, sensitivity_at_specificity

GRADES = ["normal", "suspicious", "glaucoma"]


def example(seed=0, n=60, classes=(0, 1, 2)):
    rng = np.random.default_rng(seed)
    truth = rng.choice(classes, n)
    scores = rng.random((n, 3)) + np.eye(3)[truth] * 0.5
    scores /= scores.sum(1, keepdims=True)
    above = scores[:, ::-1].cumsum(1)[:, ::-1][:, 1:]
    return truth, scores.argmax(1), scores, above


@pytest.mark.slow
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
        theirs = roc_auc_score(truth > k, above[:, k], max_fpr=0.1)
        assert value[f"pauc_above_{grade}"] == pytest.approx(theirs)
        for specificity in (85, 95):
            expected = sensitivity_at_specificity(truth > k, above[:, k], specificity / 100)
            assert value[f"se{specificity}_above_{grade}"] == expected
        assert value[f"ece_above_{grade}"] == calibration_error(truth > k, above[:, k])
    assert value["mae"] == pytest.approx(mean_absolute_error(truth, predicted))
    for name, (found, low, high) in metrics.items():
        if name.startswith("ece"):  # resamples scatter more than the set, so that their errors are larger
            assert 0 <= low <= high <= 1 and found <= high
        else:
            assert 0 <= low <= found <= high <= 1 and high - low < 0.9


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
    for name in ("se85_above_suspicious", "se95_above_suspicious", "pauc_above_suspicious"):
        assert np.isnan(alone[name]).all()
    assert np.isfinite(alone["ece_above_suspicious"]).all()
    assert np.isnan(alone["sp"][0]) and np.isnan(alone["auc_suspicious"][0]) and alone["acc"][0] > 0


def test_screening_by_a_threshold_worked_by_hand():
    # Twenty below, at 0.01, ..., 0.20, but for one at 0.5; four above at 0.9, 0.6, 0.4 and 0.1.
    below = np.r_[np.arange(1, 20) / 100, 0.5]
    probabilities, positive = np.r_[below, 0.9, 0.6, 0.4, 0.1], np.repeat([False, True], [20, 4])
    # One of twenty is above 0.4: at 95 % specificity 0.9, 0.6 and 0.4 are found. At 85 % no more: 0.1 is below ten.
    assert sensitivity_at_specificity(positive, probabilities, 0.95) == 0.75
    assert sensitivity_at_specificity(positive, probabilities, 0.85) == 0.75
    # The curve is at 0.5 up to a rate of 0.05 and at 0.75 from there: 0.025 + 0.0375, of 0.005 (chance) to 0.1.
    assert partial_auc(positive, probabilities) == pytest.approx(0.5 * (1 + (0.0625 - 0.005) / 0.095))
    assert partial_auc(positive, positive) == 1
    assert np.isnan(partial_auc(np.zeros(3), np.arange(3)))
    with pytest.raises(ValueError, match="specificity 1: expected 0 or more"):
        partial_auc(positive, probabilities, 1)


def test_calibration_error_worked_by_hand():
    positive = np.array([False, True, True, True, False])
    probabilities = np.array([0.1, 0.19, 0.95, 1.0, 0.55])
    # [0.1, 0.2): mean 0.145, share 0.5; [0.9, 1]: 0.975 and 1; [0.5, 0.6): 0.55 and 0.
    expected = (2 * 0.355 + 2 * 0.025 + 0.55) / 5
    assert calibration_error(positive, probabilities) == pytest.approx(expected)
    assert calibration_error(positive, positive.astype(float)) == 0
    assert calibration_error(positive, probabilities, bins=1) == pytest.approx(0.6 - 0.558)
    assert np.isnan(calibration_error(np.array([]), np.array([])))


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
    # Three of four are above normal, by 0.9, 0.3 and 0.9; one grade of four is wrong, by one.
    assert results["mae"] == 0.25 and results["se95_above_normal"] == 1 and results["pauc_above_normal"] == 1
    assert results["ece_above_normal"] == pytest.approx((0.1 + 0.1 + 0.7 + 0.1) / 4)
    assert np.isnan(results["pauc_above_suspicious"])  # nobody has glaucoma
    assert results["ece_above_suspicious"] == pytest.approx((0.2 + 0.1 + 0.8 + 0.6) / 4)
    assert np.isnan(results["se_glaucoma"]) and results["loss"] == 0.5 and results["contradictions"] == 0.25
    document = json.loads((tmp_path / "eyes_metrics.json").read_text())
    assert document["images"] == 4 and document["confusion"] == [[1, 0, 0], [0, 2, 1], [0, 0, 0]]
    assert document["metrics"]["se_glaucoma"] is None
    with open(tmp_path / "eyes_images.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["contradiction"] for line in lines] == ["0", "0", "1", "0"]
    assert [line["predicted"] for line in lines] == ["normal", "suspicious", "suspicious", "glaucoma"]
    assert [float(lines[2][f"p_above_{name}"]) for name in GRADES[:2]] == pytest.approx([0.3, 0.8])
    assert lines[0]["stage1_grade"] == "normal" and lines[3]["correct"] == "0"
    for picture in ("confusion", "roc", "reliability"):
        drawn = cv2.imread(str(tmp_path / f"eyes_{picture}.png"))
        assert min(drawn.shape[:2]) > 100 and drawn.std() > 0
    (tmp_path / "without").mkdir()
    plain = GradingEvaluator("eyes", GRADES, str(tmp_path / "without"), intervals=False)
    plain.process(inputs, rows)
    plain.evaluate()
    assert {x.name for x in (tmp_path / "without").iterdir()} == {"eyes_images.csv", "eyes_metrics.json"}


def test_nothing_to_evaluate_is_an_error():
    evaluator = GradingEvaluator("eyes", GRADES)
    with pytest.raises(ValueError, match="eyes: no photograph has a grade"):
        evaluator.evaluate()


def runs_of(count, seed=0, skill=0.5):
    truth = example(seed)[0]
    scores = np.random.default_rng(seed + 1).random((count, len(truth), 3)) + np.eye(3)[truth] * skill
    return GradedRuns(truth, scores.argmax(2), scores)


def test_comparison_is_scikit_learns_mean_over_runs():
    runs = runs_of(3)
    table = compare({"ranking_cnn": runs}, GRADES)["methods"]["ranking_cnn"]
    expected = {
        "acc": [accuracy_score(runs.truth, x) for x in runs.predicted],
        "sp": [recall_score(runs.truth, x, average=None)[0] for x in runs.predicted],
        "se_glaucoma": [recall_score(runs.truth, x, average=None)[2] for x in runs.predicted],
        "kappa": [cohen_kappa_score(runs.truth, x, weights="quadratic") for x in runs.predicted],
        "auc_glaucoma": [roc_auc_score(runs.truth == 2, x[:, 2]) for x in runs.scores],
    }
    for name, values in expected.items():
        assert table[name]["runs"] == pytest.approx(values) and table[name]["mean"] == pytest.approx(np.mean(values))
        assert table[name]["low"] < table[name]["mean"] < table[name]["high"]


def test_comparison_interval_is_over_photographs_and_runs():
    # One run: the interval is the binomial's; two runs that differ: at least as wide as theirs.
    one = compare({"a": runs_of(1)}, GRADES)["methods"]["a"]["acc"]
    n, p = 60, one["mean"]
    assert one["high"] - one["low"] == pytest.approx(2 * 1.96 * np.sqrt(p * (1 - p) / n), rel=0.2)
    good, bad = runs_of(1, skill=5), runs_of(1, skill=0)
    both = GradedRuns(good.truth, np.vstack([good.predicted, bad.predicted]), np.vstack([good.scores, bad.scores]))
    found = compare({"a": both}, GRADES)["methods"]["a"]["acc"]
    assert found["runs"][0] == found["high"] == 1 and found["low"] <= found["runs"][1]


def test_comparison_differences_are_paired():
    better, worse = runs_of(2, skill=1.0), runs_of(2, skill=0.2)
    found = compare({"worse": worse, "same": worse, "better": better, "single": runs_of(1)}, GRADES)["differences"]
    assert set(found) == {"same - worse", "better - worse", "better - same"}
    assert found["same - worse"]["kappa"] == {"mean": 0, "low": 0, "high": 0}
    assert found["better - worse"]["acc"]["low"] > 0


def test_comparison_wants_the_same_photographs():
    with pytest.raises(ValueError, match="b: expected the 60 photographs of the other methods"):
        compare({"a": runs_of(1), "b": runs_of(1, seed=1)}, GRADES)


def test_comparison_in_markdown():
    text = comparison_markdown(compare({"ranking_cnn": runs_of(2), "2s_cnn": runs_of(2)}, GRADES), "Grading", 60)
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    assert rows["ranking_cnn"].split("|")[2].strip() == "2" and "96.46" in rows["2sranking_cnn, the paper's"]
    assert "| +0.0 (+0.0 to +0.0)" in rows["2s_cnn - ranking_cnn"]
    truth = np.array([0, 1, 0, 1])
    two = GradedRuns(truth, truth[None], np.eye(2)[truth][None])
    text = comparison_markdown(compare({"softmax_cnn": two}, ["normal", "glaucoma"]), "Grading", 4)
    assert "100.0 (100.0 to 100.0)" in text and "96.46" not in text and "se_suspicious" not in text
    truth = np.arange(4)
    four = GradedRuns(truth, truth[None], np.eye(4)[None])
    text = comparison_markdown(compare({"softmax_cnn": four}, [*GRADES, "blind"]), "Grading", 4)
    assert "se_suspicious" in text and "the paper's" not in text  # of three grades


@pytest.mark.slow
def test_runs_are_read_back(tmp_path):
    truth, predicted, scores, above = example(n=6)
    evaluator = GradingEvaluator("set", GRADES, str(tmp_path))
    for i in range(6):
        output = {"grade": int(predicted[i]), "scores": torch.tensor(scores[i]), "above": torch.tensor(above[i].copy())}
        evaluator.process([{"image_id": i, "file_name": f"{i}.png", "grade": int(truth[i])}], [output])
    evaluator.evaluate()
    runs = read_runs([[tmp_path / "set_images.csv"]] * 2, GRADES)
    np.testing.assert_array_equal(runs.truth, truth)
    np.testing.assert_array_equal(runs.predicted, [predicted] * 2)
    np.testing.assert_allclose(runs.scores[1], scores, rtol=1e-7)
    other = tmp_path / "other.csv"
    other.write_text((tmp_path / "set_images.csv").read_text().replace("5.png,5,", "5.png,7,"))
    with pytest.raises(ValueError, match="other.csv: expected the photographs and grades of"):
        read_runs([[tmp_path / "set_images.csv"], [other]], GRADES)
