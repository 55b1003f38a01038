"""Shares and readers that do not fit the training sets are refused before anything starts."""

import pytest

from fundus_plugins.config import get_fundus_cfg
from fundus_plugins.engine.before import check_sources

TRAIN = ["DATASETS.TRAIN", ("a_train", "b_train")]


@pytest.mark.parametrize(
    "options, message",
    [
        (["DATASETS.SHARES", ["a_train=1"]], "names some of the training sets, and not b_train"),
        (["DATASETS.SHARES", ["a_train=1", "b_trian=1"]], "b_trian is none of the training sets"),
        (["MODEL.RFNET.READERS", ["x=a_trian"]], "one reader at most of each training set, found a_trian"),
        (["MODEL.RFNET.READERS", ["x=a_train", "y=a_train"]], "one reader at most of each training set, found a_train"),
    ],
)
def test_what_does_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        check_sources(get_fundus_cfg("", [*TRAIN, *options]))


def test_what_fits():
    for config in ("rfnet_many_sources.yaml", "rfnet_student.yaml", "rfnet_refuge.yaml"):
        check_sources(get_fundus_cfg(config))
