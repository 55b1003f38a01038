"""How many eyes a report has, of each kind."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fundus_plugins.measures.morphometry import shown_ratio


@dataclass(frozen=True)
class Summary:
    """Counts of eyes.

    Attributes:
        eyes: all of them.
        by_status: their number by status.
        doubtful: those that someone should look at.
        reasons: why, with the number of eyes, the most frequent first.
        vcdr: least, lower quartile, median, upper quartile and largest vCDR of measured eyes; None without any.
    """

    eyes: int
    by_status: Mapping[str, int]
    doubtful: int
    reasons: Sequence[tuple[str, int]]
    vcdr: tuple[float, float, float, float, float] | None


def summarise(rows: Sequence[Mapping[str, Any]]) -> Summary:
    """The summary of the rows of all eyes."""
    reasons = Counter(reason for row in rows for reason in dict.fromkeys(row["reasons"]))
    ratios = vcdrs(rows)
    low, first, median, third, high = np.percentile(ratios, [0, 25, 50, 75, 100]).tolist() if ratios else [0.0] * 5
    return Summary(
        eyes=len(rows),
        by_status=Counter(row["status"] for row in rows),
        doubtful=sum(row["flagged"] for row in rows),
        reasons=sorted(reasons.items(), key=lambda item: (-item[1], item[0])),
        vcdr=(low, first, median, third, high) if ratios else None,
    )


def vcdrs(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    """The vCDR of every measured eye that has one, as it is shown."""
    ratios = [shown_ratio(row.get("vcdr")) for row in rows if row["status"] == "measured"]
    return [ratio for ratio in ratios if ratio is not None]
