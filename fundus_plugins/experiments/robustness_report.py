"""The report of a robustness measurement, in Markdown."""

import math
from collections.abc import Sequence

from tabulate import tabulate

from fundus_plugins.measures.confidence import (
    SIGNALS,
    TRUTHS,
    cross_validated_flags,
    cross_validated_margin,
    rank_correlations,
    threshold_for,
)

from .robustness import METRICS, differences, summarise

FLAGGED = 0.1  # part of the photographs that are flagged as the least certain


def robustness_markdown(rows: Sequence[dict], reference: Sequence[dict] = (), reference_name: str = "") -> str:
    """Means by alteration, differences to `reference` (other runs' rows), and how far a prediction knows its error."""
    summary, compared = summarise(rows), differences(rows, reference)
    text = (
        f"{summary[0]['photographs']} photographs; means with 95 % intervals over photographs.\n\n"
        f"{_table(summary, '{:.3f} ({:.3f} to {:.3f})')}\n\n"
    )
    if compared:
        text += f"Less {reference_name}, paired:\n\n{_table(compared, '{:+.3f} ({:+.3f} to {:+.3f})')}\n\n"
    return text + _confidence(rows)


def _table(lines: list[dict], form: str) -> str:
    cells = [[line["alteration"], f"{line['level']:g}", *(form.format(*line[x]) for x in METRICS)] for line in lines]
    return tabulate(cells, headers=("alteration", "level", *METRICS), tablefmt="github", disable_numparse=True)


def _confidence(rows: Sequence[dict]) -> str:
    """How the predictions' own numbers go with the truth: on the photographs as they are, and over all rows."""
    unchanged = [row for row in rows if row["alteration"] == rows[0]["alteration"]]
    kinds = [("unchanged", unchanged), ("all rows", rows)][: 1 if len(unchanged) == len(rows) else 2]
    signals = [x for x in SIGNALS if any(row[x] == row[x] for row in rows)]  # one view: no agreement
    text = "Spearman's rank correlation with the truth:\n\n" + tabulate(
        [
            [name, signal, *(f"{correlations[signal][truth]:.2f}" for truth in TRUTHS)]
            for name, some in kinds
            for correlations in (rank_correlations(some),)
            for signal in signals
        ],
        headers=("photographs", "signal", *TRUTHS),
        tablefmt="github",
        disable_numparse=True,
    )
    runs = {row["run"] for row in rows}
    if len(runs) < 2 or len({(row["run"], row["file_name"]) for row in rows}) > len({row["file_name"] for row in rows}):
        return text  # nothing is held out, or other runs have seen the same photographs
    names = [f"{truth} {which}" for truth in TRUTHS for which in ("flagged", "others")]
    text += f"\n\nWith the threshold that flags {FLAGGED:.0%} of the other runs' photographs:\n\n" + tabulate(
        [
            [name, signal, *(f"{value:.3f}" for value in cross_validated_flags(some, signal, FLAGGED).values())]
            for name, some in kinds
            for signal in signals
        ],
        headers=("photographs", "signal", "flagged", *names),
        tablefmt="github",
        disable_numparse=True,
    )
    if "agreement" in signals:
        threshold = threshold_for(unchanged, "agreement", FLAGGED)
        text += f"\n\nUnchanged photographs: {FLAGGED:.0%} have an agreement below {threshold:.3f}."
    margin = cross_validated_margin(unchanged)
    if math.isfinite(margin["margin"]):
        text += (
            f"\n\nUnchanged photographs: 90% have a vCDR within {margin['margin']:.3f} of the truth; the other runs' "
            f"margins hold {margin['covered']:.0%}."
        )
    return text
