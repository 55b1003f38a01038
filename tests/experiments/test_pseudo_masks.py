"""Pseudo masks: what is kept, why the rest is not, and going on after a kill."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from fundus_plugins.data.coco_file import disc_cup_records
from fundus_plugins.experiments.pseudo_masks import Limits, write_pseudo_masks
from fundus_plugins.files import file_hash
from fundus_plugins.prediction.result import AT_EDGE, FundusPrediction
from tests.conftest import ROOT, disk

FACTS = {"teacher": "t", "teacher_sha256": "0", "options": []}
FIELD = np.repeat(disk(200, 220, 100, 110, 95)[..., None] * np.uint8(120), 3, axis=2)


def found(**changes):
    disc, cup = disk(200, 220, 100, 60, 15), disk(200, 220, 100, 60, 7)
    sure = FundusPrediction(disc, cup, 0.99, 0.47, (0.4, 0.5), 0.98, 0.97, (), None)
    return replace(sure, **changes)


@pytest.mark.parametrize(
    "changes, doubts",
    [
        ({}, []),
        ({"agreement": 0.9}, ["views disagree"]),
        ({"agreement": float("nan")}, ["views disagree"]),
        ({"ellipse": 0.9, "score": 0.5}, ["not the shape of a disc", "low score"]),
        ({"disc": disk(200, 220, 100, 60, 4)}, ["not the size of a disc"]),
        ({"disc": disk(200, 220, 100, 60, 40)}, ["not the size of a disc"]),
        ({"cup": np.zeros((200, 220), bool)}, ["no cup"]),
        ({"disc": np.zeros((200, 220), bool)}, ["no disc"]),
        ({"flags": (AT_EDGE,)}, ["cut off by the edge"]),
        ({"ungradable": True, "vcdr": float("nan"), "flags": ("too dark",)}, ["ungradable"]),
    ],
)
def test_why(changes, doubts):
    assert Limits().doubts(FIELD, found(**changes)) == doubts


def test_a_dark_field_is_no_field():
    half = FIELD.copy()
    half[:, 110:] = 10
    half[100:104, :215] = 120  # a bright line, so that the field's box stays
    assert "dark" in Limits().doubts(half, found())
    assert "not the size of a disc" in Limits().doubts(np.zeros_like(FIELD), found())


class Predictor:
    """As FundusPredictor: sure of those whose names begin with s, killed at the one that is called kill."""

    def __init__(self):
        self.asked = []

    def predict_files(self, paths):
        for path in paths:
            self.asked.append(path.name)
            if path.stem == "kill":
                raise KeyboardInterrupt
            if path.stem == "broken":
                yield path, None, ValueError("damaged")
            else:
                yield path, FIELD, found(agreement=0.99 if path.stem.startswith("s") else 0.1)


def test_what_is_kept_is_a_data_set_like_any_other(tmp_path):
    paths = [tmp_path / f"{name}.png" for name in ("s1", "u1", "s2")]
    for path in paths:
        cv2.imwrite(str(path), FIELD)
    output = tmp_path / "out" / "pseudo.json"
    counts, failures = write_pseudo_masks(Predictor(), paths, output, Limits(), FACTS)
    assert counts == {"kept": 2, "views disagree": 1} and not failures
    records = disc_cup_records(str(output), str(output.parent))
    assert [Path(x["file_name"]).name for x in records] == ["s1.png", "s2.png"]
    assert [len(x["annotations"]) for x in records] == [2, 2]
    info = json.loads(output.read_text())["info"]
    assert info["source"] == "pseudo" and info["teacher_sha256"] == "0" and info["limits"]["agreement"] == 0.93
    assert info["counts"] == {"kept": 2, "views disagree": 1} and not list(output.parent.glob("*.part"))


def test_it_goes_on_where_it_was_killed(tmp_path):
    paths = [tmp_path / f"{name}.png" for name in ("s1", "s2", "kill", "s3")]
    output = tmp_path / "pseudo.json"
    with pytest.raises(KeyboardInterrupt):
        write_pseudo_masks(Predictor(), paths, output, Limits(), FACTS)
    (part,) = tmp_path.glob("pseudo.json.*.part")
    part.write_text(part.read_text()[:-30])  # the last line is cut off
    assert not output.exists()
    again = Predictor()
    paths.remove(tmp_path / "kill.png")
    write_pseudo_masks(again, paths, output, Limits(), FACTS)
    assert again.asked == ["s2.png", "s3.png"] and len(json.loads(output.read_text())["images"]) == 3


def test_other_settings_begin_anew_and_keep_what_was_done(tmp_path):
    paths = [tmp_path / f"{name}.png" for name in ("s1", "s2", "kill", "s3")]
    output = tmp_path / "pseudo.json"
    with pytest.raises(KeyboardInterrupt):
        write_pseudo_masks(Predictor(), paths, output, Limits(), FACTS)
    other = Predictor()
    write_pseudo_masks(other, paths[:2], output, Limits(agreement=0.5), FACTS)
    assert other.asked == ["s1.png", "s2.png"]
    again = Predictor()
    write_pseudo_masks(again, paths[1:2] + paths[3:], output, Limits(), FACTS)
    assert again.asked == ["s3.png"]
    names = [Path(x["file_name"]).name for x in json.loads(output.read_text())["images"]]
    assert names == ["s2.png", "s3.png"]  # not s1, which was not asked for this time


def test_a_broken_file_is_listed_and_the_rest_kept(tmp_path):
    paths = [tmp_path / f"{name}.png" for name in ("broken", "s1")]
    counts, failures = write_pseudo_masks(Predictor(), paths, tmp_path / "p.json", Limits(), FACTS)
    assert counts["kept"] == 1 and failures == [f"{paths[0]}: damaged"]


def test_the_hash(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_hash(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.slow
def test_as_a_process(phantoms, tmp_path):
    photographs = phantoms / "phantom" / "raw" / "Training400" / "Glaucoma"
    output = tmp_path / "pseudo.json"
    limits = ["--agreement", "0", "--ellipse", "0", "--score", "0"]
    command = [sys.executable, "-m", "fundus_plugins", "pseudo-masks", str(photographs), "--output", str(output)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, *limits], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    info, said = json.loads(output.read_text())["info"], done.stdout
    assert info["limits"]["agreement"] == 0 and len(info["teacher_sha256"]) == 64
    assert f"{info['counts'].get('kept', 0)} of " in said
