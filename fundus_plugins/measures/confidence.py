"""Whether a prediction's own numbers tell how wrong it is."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

SIGNALS = ("score", "agreement", "ellipse")
TRUTHS = ("dice_od", "dice_oc", "vcdr_mae")


def rank_correlations(rows: Sequence[dict]) -> dict[str, dict[str, float]]:
    """Spearman's rank correlation of every signal with every truth, over the rows that have both.

    Args:
        rows: as `robustness.measure` gives them; a photograph without a found disc has the signal nan and counts as 0.

    Returns:
        signal -> truth -> correlation; nan where there are fewer than three rows, or one of both is constant.
    """
    result: dict[str, dict[str, float]] = {}
    for signal in SIGNALS:
        values = np.nan_to_num(np.array([row[signal] for row in rows], float))
        result[signal] = {}
        for truth in TRUTHS:
            truths = np.array([row[truth] for row in rows], float)
            known = np.isfinite(truths)
            varied = known.sum() > 2 and np.ptp(truths[known]) > 0 and np.ptp(values[known]) > 0
            result[signal][truth] = float(spearmanr(values[known], truths[known]).statistic) if varied else float("nan")
    return result


def flagged_by(rows: Sequence[dict], signal: str, threshold: float) -> dict[str, float]:
    """What a flag on every row whose `signal` is below `threshold` (or nan) catches.

    Returns:
        `flagged`, the part of all rows; for each of TRUTHS its means over the flagged and the other rows,
        `<truth> flagged` and `<truth> others`, over known ones, nan where there are none.
    """
    flags = np.array([not row[signal] >= threshold for row in rows])
    result = {"flagged": float(flags.mean())}
    for truth in TRUTHS:
        truths = np.array([row[truth] for row in rows], float)
        for name, chosen in (("flagged", flags), ("others", ~flags)):
            known = truths[chosen & np.isfinite(truths)]
            result[f"{truth} {name}"] = float(known.mean()) if len(known) else float("nan")
    return result


def threshold_for(rows: Sequence[dict], signal: str, part: float) -> float:
    """The value of `signal` that the lowest `part` of the rows stays below; nan counts as 0."""
    return float(np.quantile(np.nan_to_num(np.array([row[signal] for row in rows], float)), part))


def cross_validated_flags(rows: Sequence[dict], signal: str, part: float) -> dict[str, float]:
    """As `flagged_by`, each run's rows flagged by the threshold that flags `part` of the other runs' rows."""
    flagged = []
    for run, others in _each_and_the_others(rows):
        threshold = threshold_for(others, signal, part)
        flagged += [row | {signal: 1.0 if row[signal] >= threshold else 0.0} for row in run]
    return flagged_by(flagged, signal, 0.5)


def cross_validated_margin(rows: Sequence[dict], coverage: float = 0.9) -> dict[str, float]:
    """How far an interval about the predicted cup-to-disc ratio must reach to hold the true one.

    Split conformal prediction: the margin is the `coverage` quantile (n + 1 corrected) of the absolute errors of rows
    with a found disc, a found cup and a known one. Each run is held to the margin of the others.

    Returns:
        `margin`, of all rows, and `covered`, the part of the rows that the others' margins hold. A margin is infinite
        where there are too few rows for the coverage (fewer than 9 for 0.9).
    """
    rows = [row for row in rows if np.isfinite(row["vcdr_mae"]) and _has_ratio(row)]
    covered = [
        row["vcdr_mae"] <= _margin(others, coverage) for run, others in _each_and_the_others(rows) for row in run
    ]
    return {"margin": _margin(rows, coverage), "covered": float(np.mean(covered)) if covered else float("nan")}


def margin_over_sources(rows: Sequence[dict], coverage: float = 0.9) -> dict:
    """How far the interval must reach to hold the true ratio on *every* source, of rows of several (`set`).

    Readers draw the cup of one source larger, of another smaller: what is enough for most is too little for the next.
    Each source has the margin of `cross_validated_margin`; the largest of them counts. It is infinite where a source
    has too few rows for the coverage (fewer than 9 for 0.9).

    Returns:
        `margin`; `worst`, the source that asks for it, None without rows; and `covered`, for each source the part of
        its rows that the margin of the others holds, nan where there are no others.
    """
    rows = [row for row in rows if row["vcdr_mae"] is not None and np.isfinite(row["vcdr_mae"])]
    sources = {name: [x for x in rows if x["set"] == name and _has_ratio(x)] for name in _sets(rows)}
    margins = {name: _margin(found, coverage) for name, found in sources.items() if found}
    covered = {}
    for name in margins:
        others = max((margin for other, margin in margins.items() if other != name), default=math.nan)
        held = [row["vcdr_mae"] <= others for row in sources[name]]
        covered[name] = float(np.mean(held)) if not math.isnan(others) else math.nan
    worst = max(margins, key=lambda name: margins[name], default=None)
    return {"margin": margins[worst] if worst else math.inf, "worst": worst, "covered": covered}


def _has_ratio(row: dict) -> bool:
    """Whether a disc and a cup were found: without, a photograph has no ratio and no interval."""
    return bool(row["detection_rate"]) and row.get("vcdr_predicted") != 0


def _sets(rows: Sequence[dict]) -> list[str]:
    return list(dict.fromkeys(row["set"] for row in rows))


def _margin(rows, coverage):
    errors = sorted(row["vcdr_mae"] for row in rows)
    rank = math.ceil(round(coverage * (len(errors) + 1), 9))  # 0.9 * 10 is 9, whatever floats say
    return errors[rank - 1] if rank <= len(errors) else math.inf


def _each_and_the_others(rows):
    for run in dict.fromkeys(row["run"] for row in rows):
        yield [row for row in rows if row["run"] == run], [row for row in rows if row["run"] != run]
