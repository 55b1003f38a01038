"""Scoring masks from anywhere, in process and as a user runs tools/evaluate_masks.py."""

import csv
import json
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pandas
import pytest

from fundus_plugins.data.coco import AnnotatedImage, build_segmentation, mask_to_rle, write_json
from fundus_plugins.data.mask_files import list_masks
from fundus_plugins.experiments.submission import as_json, score_submission
from fundus_plugins.photographs.masks import encode_refuge_mask
from fundus_plugins.photographs.problems import BadInput
from tests.conftest import ROOT, disk

NAMES = ("V0001", "V0002", "V0003", "V0004")
LABELS = (0, 0, 1, 1)


def truth(i):
    """Disc of radius 20 and cup of radius 6, 8, 10, 12 in 60 x 70 pixels."""
    return disk(60, 70, 30, 35, 20), disk(60, 70, 30, 35, 6 + 2 * i)


def write_mask(path, disc, cup):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), encode_refuge_mask(disc, cup))


def write_coco(path, *, cups=True):
    images = []
    for i, name in enumerate(NAMES):
        disc, cup = map(mask_to_rle, truth(i))
        grade = ("normal", "glaucoma")[LABELS[i]]
        photograph = path.parent / f"{name}.jpg"
        images.append(AnnotatedImage(photograph, 60, 70, disc, cup if cups else None, None, grade))
    write_json({path: build_segmentation(images, path.parent, {})})
    return path


@pytest.fixture
def refuge(tmp_path):
    """A ground-truth folder as REFUGE's archives have it."""
    root = tmp_path / "REFUGE-Validation400-GT"
    for i, name in enumerate(NAMES):
        write_mask(root / "Disc_Cup_Masks" / f"{name}.bmp", *truth(i))
    sheet = pandas.DataFrame({"ImgName": [f"{name}.jpg" for name in NAMES], "Glaucoma Label": LABELS})
    sheet.to_excel(root / "Fovea_locations.xlsx", index=False)
    return root


@pytest.fixture
def masks(tmp_path):
    """Predictions: the truth, as PNG."""
    for i, name in enumerate(NAMES):
        write_mask(tmp_path / "masks" / f"{name}.png", *truth(i))
    return tmp_path / "masks"


def score(gt, pred, labels=None):
    true = list_masks(gt, labels=labels)
    return score_submission(true, list_masks(pred, truth=true), {"truth": gt, "prediction": pred})


def values(submission):
    return {name: value for name, (value, _, _) in submission.metrics(resamples=10).items()}


PERFECT = {
    "dice_oc": 1,
    "dice_od": 1,
    "vcdr_mae": 0,
    "auc_vcdr": 1,
    "sensitivity_at_85_specificity": 1,
    "sensitivity_by_the_challenges_script": pytest.approx(0.15),  # see refuge_sensitivity
    "auc_true_vcdr": 1,
}


def test_folders(refuge, masks):
    submission = score(refuge, masks)
    assert values(submission) == PERFECT and submission.problems == []
    assert [row["label"] for row in submission.rows] == list(LABELS)
    assert [row["name"] for row in submission.rows] == [name.lower() for name in NAMES]


def test_labels_from_folders_or_a_sheet(refuge, masks, tmp_path):
    for name, label in zip(NAMES, LABELS):
        write_mask(tmp_path / "gt" / ("G" if label else "N") / f"{name}.bmp", *truth(0))
    assert list_masks(tmp_path / "gt").labels == {name.lower(): label for name, label in zip(NAMES, LABELS)}
    sheet = shutil.move(refuge / "Fovea_locations.xlsx", tmp_path / "labels.xlsx")
    without = values(score(refuge, masks))
    assert without["dice_od"] == 1 and np.isnan(without["auc_vcdr"])
    assert values(score(refuge, masks, labels=sheet)) == PERFECT
    with pytest.raises(BadInput) as caught:
        list_masks(refuge, labels=tmp_path / "nowhere.csv")
    assert "nowhere.csv" in str(caught.value.problem)


def test_coco_on_either_side(refuge, masks, tmp_path):
    coco = write_coco(tmp_path / "val.json")
    assert values(score(coco, masks)) == values(score(refuge, coco)) == values(score(coco, coco)) == PERFECT


def test_coco_results(tmp_path):
    coco = write_coco(tmp_path / "val.json")
    results = []
    for i in range(4):
        disc, cup = map(mask_to_rle, truth(i))
        wrong = mask_to_rle(np.eye(60, 70))
        results += [{"image_id": i + 1, "category_id": 1, "segmentation": disc, "score": 0.9}]
        results += [
            {"image_id": i + 1, "category_id": 2, "segmentation": x, "score": s} for x, s in ((wrong, 0.1), (cup, 0.8))
        ]
    path = tmp_path / "coco_instances_results.json"
    path.write_text(json.dumps(results))
    assert values(score(coco, path)) == PERFECT
    path.write_text(json.dumps([x for x in results if x["category_id"] == 2]))  # cups alone: each is its disc
    alone = score(coco, path)
    assert values(alone)["dice_oc"] == 1 and {row["vcdr_predicted"] for row in alone.rows} == {
        d / (d + 1e-7) for d in (13, 17, 21, 25)
    }
    with pytest.raises(BadInput) as caught:
        list_masks(path)
    assert "ground truth in COCO JSON" in str(caught.value.problem)
    path.write_text(json.dumps([results[0] | {"image_id": 77}]))
    assert "image ids of the ground truth, found 77" in str(score(coco, path).problems[0])


def test_unknown_cups_count_for_the_disc_alone(masks, tmp_path):
    found = values(score(write_coco(tmp_path / "val.json", cups=False), masks))
    assert found["dice_od"] == 1 and np.isnan([found[x] for x in ("dice_oc", "vcdr_mae", "auc_true_vcdr")]).all()
    assert found["auc_vcdr"] == 1
    assert as_json({"a": (1.0, float("nan"), 2.0)}) == {"a": 1.0, "a-low": None, "a-high": 2.0}


def test_what_is_missing_or_wrong_scores_nothing_and_is_listed(refuge, masks):
    (masks / "V0001.png").unlink()
    (masks / "V0002.png").write_bytes(b"no picture")
    write_mask(masks / "V0003.png", *(mask[:, :60] for mask in truth(2)))
    cv2.imwrite(str(masks / "V0004.png"), np.where(truth(3)[0], 1, 0).astype(np.uint8))  # another coding
    write_mask(masks / "V0005.png", *truth(0))
    (refuge / "Disc_Cup_Masks" / "V0006.bmp").write_bytes(b"no picture")
    submission = score(refuge, masks)
    assert values(submission)["dice_od"] == values(submission)["dice_oc"] == 0 and len(submission.rows) == 4
    assert values(submission)["vcdr_mae"] == pytest.approx(np.mean([13, 17, 21, 25]) / 41)
    assert {problem.kind: str(problem) for problem in submission.problems}.keys() == {
        "missing prediction", "unreadable mask", "size mismatch", "unknown mask values", "no truth"
    }  # fmt: skip
    text = "\n".join(map(str, submission.problems))
    assert "a mask named v0001, found none: counts as empty" in text and "V0006.bmp" in text
    assert "v0003 of 70 x 60 pixels, found 60 x 60 pixels" in text
    assert "V0004.png: expected 0 cup, 128 rim, 255 background; or 0, 1, 2" in text


@pytest.mark.parametrize(
    "text, message",
    [
        ("no json", "expected COCO's format, which is JSON, found Expecting value"),
        ('{"images": []}', "with a list of annotations, found images"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}', "found cat"),
        (
            '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "optic_disc"}, '
            '{"id": 2, "name": "optic_cup"}]}',
            "masks of at least one photograph, found none",
        ),
    ],
)
def test_what_is_no_coco(tmp_path, text, message):
    path = tmp_path / "val.json"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        list_masks(path)
    assert str(path) in str(caught.value.problem) and message in str(caught.value.problem)


def run(*arguments):
    command = [sys.executable, str(ROOT / "tools" / "evaluate_masks.py"), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_the_tool(refuge, masks, tmp_path):
    other = shutil.copytree(masks, tmp_path / "other")
    (other / "V0003.png").unlink()
    done = run("--gt", refuge, "--pred", masks, "--pred", other, "--output", tmp_path / "out")
    assert done.returncode == 1 and "problem: missing prediction" in done.stderr, done.stderr
    assert "4 photographs, 4 with a label, 2 glaucoma" in done.stdout and "Ranks among these" in done.stdout
    document = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert document["submissions"][str(other)]["metrics"]["dice_od"] == 0.75
    assert [document["ranks"][str(x)]["score"] for x in (masks, other)] == [pytest.approx(1), pytest.approx(2)]
    assert len(document["problems"]) == 1
    with open(tmp_path / "out" / "images_2.csv", newline="") as file:
        assert [row["dice_od"] for row in csv.DictReader(file)] == ["1.0", "1.0", "0.0", "1.0"]
    done = run("--gt", refuge, "--pred", other, "--strict", "--output", tmp_path / "strict")
    assert done.returncode == 1 and "v0003" in done.stderr and not (tmp_path / "strict").exists()
