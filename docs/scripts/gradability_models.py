"""The two regressions that fit_gradability.py fits: is it a photograph of a fundus, and do its outlines mislead."""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from fundus_plugins.photographs.appearance import DISC_FEATURES, FIELD_FEATURES
from fundus_plugins.prediction.gradability import SIGNALS

FUNDUS = (*FIELD_FEATURES, *SIGNALS)
GRADABLE = (*SIGNALS, *DISC_FEATURES, "fine", "middle", "coarse", "fine_middle", "light", "contrast")
STRENGTH = 0.03  # of the regressions, scikit-learn's C
MISLEADING = 0.2, 0.8  # an error of the vCDR above this, or a disc's Dice below
BELOW = {"fundus": 0.5, "gradable": 0.5}


def lit(groups: dict[str, list]) -> dict[str, list]:
    """Those in which there is a field of view."""
    return {name: [x for x in rows if "light" in x] for name, rows in groups.items()}


def misleading(row: dict) -> bool:
    return row.get("error", 0) > MISLEADING[0] or row["dice"] < MISLEADING[1]


def fit(groups: Sequence[Sequence[dict]], good: Sequence[np.ndarray], names: Sequence[str], below: float) -> dict:
    """A regression of `good` on features; every group counts the same."""
    rows = [row for group in groups for row in group]
    values = np.array([[row[name] for name in names] for row in rows])
    weights = np.concatenate([np.full(len(group), 1000 / len(group)) for group in groups])
    scaler = StandardScaler().fit(values)
    model = LogisticRegression(C=STRENGTH, max_iter=5000)
    model.fit(scaler.transform(values), np.concatenate(good), sample_weight=weights)
    return {
        "features": list(names),
        "mean": scaler.mean_.round(5).tolist(),
        "scale": scaler.scale_.round(5).tolist(),
        "weights": model.coef_[0].round(5).tolist(),
        "bias": round(float(model.intercept_[0]), 5),
        "below": below,
    }


def apply(model: dict, rows: Sequence[dict]) -> np.ndarray:
    values = np.array([[row[name] for name in model["features"]] for row in rows]).reshape(len(rows), -1)
    logits = (values - model["mean"]) / model["scale"] @ model["weights"] + model["bias"]
    return 1 / (1 + np.exp(-logits))


def fit_fundus(real: dict[str, list], altered: dict[str, list], none: list[dict]) -> dict:
    """Photographs, altered ones too, count together as much as pictures of other things."""
    groups = [*real.values(), *altered.values()]
    return fit(
        [*groups, *[none] * len(groups)],
        [*(np.ones(len(x)) for x in groups), *[np.zeros(len(none))] * len(groups)],
        FUNDUS,
        BELOW["fundus"],
    )


def fit_gradable(altered: dict[str, list]) -> dict:
    return fit(
        list(altered.values()),
        [np.array([not misleading(x) for x in rows]) for rows in altered.values()],
        GRADABLE,
        BELOW["gradable"],
    )
