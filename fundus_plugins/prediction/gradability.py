"""Whether a photograph can be graded at all: is it one of a fundus, and are its outlines to be trusted?

Two logistic regressions on how the photograph looks and on how sure the model is (docs/results/gradability.md says how
they were fitted, and what they caught). Where the second says no, what is most unusual in the photograph is the reason.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from fundus_plugins.files import refuse_changed
from fundus_plugins.photographs.appearance import DISC_FEATURES, FIELD_FEATURES, describe_disc, describe_field
from fundus_plugins.photographs.field import Field

FILE = Path(__file__).parents[1] / "weights" / "gradability.json"
NO_FUNDUS, NO_LIGHT = "no fundus with a disc", "too dark"
UNSURE = "outlines unsure"
SIGNALS = ("score", "agreement", "ellipse")

# What is unusual, by feature and direction; the largest deviation from usual photographs counts.
_REASONS = {
    ("light", -1): NO_LIGHT,
    ("disc_light", -1): NO_LIGHT,
    ("light", 1): "too bright",
    ("disc_light", 1): "too bright",
    ("disc_middle", -1): "blurred",
    ("middle", -1): "blurred",
    ("disc_fine", 1): "noisy",
    ("fine", 1): "noisy",
    ("disc_contrast", -1): "low contrast",
    ("disc_pixels", -1): "too few pixels",
}
_UNUSUAL = 2.0  # standard deviations


@dataclass(frozen=True)
class Judgement:
    """What became of a photograph.

    Attributes:
        gradability: 0 to 1; of photographs altered in known ways with the same value, about as many were outlined
            rightly.
        reason: why it cannot be graded; empty where it can, and where there is no disc and nothing unusual.
        doubtful: it can be graded, but its outlines want to be looked at.
    """

    gradability: float
    reason: str
    doubtful: bool = False


def judge(photograph: np.ndarray, field: Field | None, disc: np.ndarray, signals: Mapping[str, float]) -> Judgement:
    """Whether an (H, W, 3) uint8 RGB photograph can be graded with this disc, (H, W) bool, which may be empty.

    Args:
        field: of view, by `find_field`.
        signals: SIGNALS of the prediction; one that is nan with a disc, such as the agreement of a single look, says
            nothing.
    """
    if field is None:
        return Judgement(0.0, NO_LIGHT if photograph.mean() < 128 else NO_FUNDUS)
    values = dict(zip(FIELD_FEATURES, describe_field(photograph, field)))
    if disc.any():
        values |= dict(zip(DISC_FEATURES, describe_disc(photograph, disc)))
        values |= {name: float(signals[name]) for name in SIGNALS if not np.isnan(signals[name])}
    else:
        values |= dict.fromkeys(SIGNALS, 0.0)
    return judge_features(values)


def judge_features(values: Mapping[str, float]) -> Judgement:
    """As `judge`, by what `describe_field` and `describe_disc` gave, and the signals; the second not without a disc."""
    models = _models()
    if _probability(models["fundus"], values) < models["fundus"]["below"]:
        return Judgement(0.0, NO_FUNDUS)
    if "disc_light" not in values:
        return Judgement(0.0, _unusual(models["usual"], values))
    gradability = _probability(models["gradable"], values)
    if gradability >= models["gradable"]["below"]:
        return Judgement(round(gradability, 4), "", gradability < models["gradable"]["doubtful_below"])
    return Judgement(round(gradability, 4), _unusual(models["usual"], values) or UNSURE)


def _probability(model: Mapping, values: Mapping[str, float]) -> float:
    logit = model["bias"] + sum(
        weight * (values.get(name, mean) - mean) / scale
        for name, mean, scale, weight in zip(model["features"], model["mean"], model["scale"], model["weights"])
    )
    return float(1 / (1 + np.exp(-logit)))


def _unusual(usual: Mapping[str, tuple[float, float]], values: Mapping[str, float]) -> str:
    """The reason of the feature farthest from usual photographs' mean, in their standard deviations; "" if near it."""
    deviations = {
        key: key[1] * (values[key[0]] - usual[key[0]][0]) / usual[key[0]][1] for key in _REASONS if key[0] in values
    }
    farthest = max(deviations, key=lambda x: deviations[x])
    return _REASONS[farthest] if deviations[farthest] > _UNUSUAL else ""


@lru_cache
def _models() -> dict:
    refuse_changed(FILE)
    return json.loads(FILE.read_text(encoding="utf-8"))
