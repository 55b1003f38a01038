"""Runs of prediction in this process, and their rows."""

import csv
from dataclasses import replace
from functools import partial

import numpy as np

import fundus_plugins
from fundus_plugins.prediction.run.options import Options
from fundus_plugins.prediction.run.run import predict_sources

PREDICTOR = partial(fundus_plugins.FundusPredictor, threads=1)
MADE = {"weights": "abc", "engine": "onnxruntime"}
EVERYTHING = Options(("csv", "overlays", "masks", "contours", "coco"))


def run(sources, output, options=Options(("csv",)), predictor=PREDICTOR, **more):  # noqa: B008 - frozen
    return predict_sources(predictor, sources, output, options, made=MADE, **more)


def rows(output):
    with open(output / "predictions.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def same(output):
    """The rows without what differs from run to run."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows(output)]


def without_cups():
    predictor = fundus_plugins.FundusPredictor(threads=1)
    find = predictor.finder.find
    predictor.finder.find = lambda batch: [replace(x, cup=np.zeros_like(x.cup)) for x in find(batch)]
    return predictor
