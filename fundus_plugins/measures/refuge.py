"""The REFUGE challenge's measures of a segmentation, as its own script defines them: pure functions on masks.

Orlando et al., "REFUGE Challenge", Medical Image Analysis 59 (2020).
"""

from collections.abc import Mapping

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import roc_curve

from fundus_plugins.measures.morphometry import vertical_diameter
from fundus_plugins.measures.overlap import dice

# The challenge's script adds it to the disc's diameter. It decides ties of equal ratios, so the AUC needs it too.
EPSILON = 1e-7

# Measure -> weight of a team's rank in the challenge's score, and whether more is better.
RANK_WEIGHTS = {"dice_oc": (0.35, True), "dice_od": (0.25, True), "vcdr_mae": (0.40, False)}


def refuge_vcdr(disc: np.ndarray, cup: np.ndarray) -> float:
    """Largest column sum of the cup over that of the disc plus 1e-7; (H, W) bool, 0 for an empty disc and cup."""
    return vertical_diameter(cup) / (vertical_diameter(disc) + EPSILON)


def score_masks(
    disc: np.ndarray, cup: np.ndarray, true_disc: np.ndarray, true_cup: np.ndarray | None
) -> dict[str, float]:
    """The challenge's measures of one photograph, all (H, W) bool; a disc gets its cup added, as the coding has it.

    `dice_od`, `dice_oc`, `vcdr_predicted`, `vcdr_true` and `vcdr_mae` (absolute error). Where the true cup is unknown
    (None; REFUGE has no such photograph), nan for what needs it.
    """
    disc = disc | cup
    true_disc = true_disc if true_cup is None else true_disc | true_cup
    row = {"dice_od": dice(disc, true_disc), "vcdr_predicted": refuge_vcdr(disc, cup)}
    if true_cup is None:
        return row | dict.fromkeys(("dice_oc", "vcdr_true", "vcdr_mae"), float("nan"))
    true_vcdr = refuge_vcdr(true_disc, true_cup)
    error = abs(row["vcdr_predicted"] - true_vcdr)
    return row | {"dice_oc": dice(cup, true_cup), "vcdr_true": true_vcdr, "vcdr_mae": error}


def refuge_sensitivity(labels: np.ndarray, scores: np.ndarray, specificity: float = 0.85) -> float:
    """Sensitivity at a specificity as the challenge's script has it, to compare with its leaderboards.

    It sorts the points of the ROC curve by specificity, and those of one specificity by sensitivity, before it joins
    them, so that a line runs from the highest sensitivity at one specificity to the *lowest* at the next. Where the
    curve is steep that is too low (a perfect score gets 0.15): `screening.sensitivity_at_specificity` is the curve's
    own. labels (N,) 1 for glaucoma and 0 for none, scores (N,); nan without both labels.
    """
    if len(np.unique(labels)) < 2:
        return float("nan")
    false_positive_rate, sensitivity, _ = roc_curve(labels, scores)
    order = np.argsort(1 - false_positive_rate, kind="stable")
    return float(np.interp(specificity, (1 - false_positive_rate)[order], sensitivity[order]))


def rank_submissions(results: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """The challenge's ranks, 1 the best, of submissions by name, and `score`, their weighted sum; the lowest wins.

    `.35 rank(cup Dice) + .25 rank(disc Dice) + .40 rank(vCDR error)`. Equal values share the better rank; a submission
    with a nan is left out, as the challenge does. A rank says nothing about a single submission.
    """
    names = [name for name, values in results.items() if not any(np.isnan(values[x]) for x in RANK_WEIGHTS)]
    ranks = {name: {"score": 0.0} for name in names}
    for measure, (weight, more_is_better) in RANK_WEIGHTS.items():
        values = np.array([results[name][measure] for name in names])
        for name, rank in zip(names, rankdata(-values if more_is_better else values, method="min")):
            ranks[name][f"rank_{measure}"] = int(rank)
            ranks[name]["score"] += weight * int(rank)
    return ranks
