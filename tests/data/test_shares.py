"""Each data set's share of the training photographs: by hand, and as Detectron2's sampler draws them."""

import itertools
from collections import Counter

import pytest
import torch
from detectron2.data.samplers import RepeatFactorTrainingSampler
from hypothesis import given, settings
from hypothesis import strategies as st

from fundus_plugins.data.shares import parse_shares, repeat_factors, share_factors


def test_by_hand():
    factors = repeat_factors(["a"] * 3 + ["b"], {"a": 1, "b": 3})
    assert factors.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 3])


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1), st.tuples(st.integers(1, 40), st.floats(0.01, 10)), min_size=1))
def test_the_mean_is_one_and_the_sums_are_the_shares(sets):
    sources = [name for name, (size, _) in sets.items() for _ in range(size)]
    factors = repeat_factors(sources, {name: share for name, (_, share) in sets.items()})
    assert factors.mean().item() == pytest.approx(1, rel=1e-4)
    total = sum(share for _, share in sets.values())
    for name, (_, share) in sets.items():
        part = factors[[source == name for source in sources]].sum() / len(sources)
        assert part.item() == pytest.approx(share / total, rel=1e-3)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 100))
def test_the_sampler_draws_the_shares(seed):
    records = [{"source": "large"}] * 90 + [{"source": "small"}] * 10
    factors = share_factors(records, ["large", "small"], ["large=1", "small=1"])
    sampler = RepeatFactorTrainingSampler(factors, seed=seed)
    drawn = Counter(records[i]["source"] for i in itertools.islice(iter(sampler), 4000))
    assert abs(drawn["small"] / 4000 - 0.5) < 0.05


def test_no_words_no_factors():
    assert share_factors([{"source": "a"}], ["a"], []) is None


@pytest.mark.parametrize(
    "words, message",
    [
        (["a"], "expected words such as drishti_gs1_train=0.3, found 'a'"),
        (["a=0"], "found 'a=0'"),
        (["a=-1"], "found 'a=-1'"),
        (["a=nan"], "found 'a=nan'"),
        (["c=1"], "c is none of the training sets, a, b"),
        (["a=1"], "names some of the training sets, and not b"),
        (["b=1", "a=2", "x"], "found 'x'"),
    ],
)
def test_what_makes_no_sense(words, message):
    with pytest.raises(ValueError, match=message):
        share_factors([{"source": "a"}, {"source": "b"}], ["a", "b"], words)


def test_paths_may_hold_the_sign():
    assert parse_shares(["x=y/train.json=2"], ["x=y/train.json"]) == {"x=y/train.json": 2}


def test_factors_are_float32():
    assert repeat_factors(["a"], {"a": 2.0}).dtype == torch.float32
