"""How the vCDR is distributed: bins, as the page draws and filters them."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fundus_plugins.prediction.report.summary import vcdrs

_BINS = 20  # from 0 to 1


@dataclass(frozen=True)
class Bin:
    """Eyes with a vCDR of at least `low` and less than `high`; the last one has all above, too (`high` is None)."""

    low: float
    high: float | None
    eyes: int
    share: float  # of the fullest bin's

    @property
    def words(self) -> str:
        """What it is called: its limits and its number of eyes."""
        upper = "or more" if self.high is None else f"to below {self.high:.2f}"
        return f"vCDR {self.low:.2f} {upper}: {self.eyes} {'eye' if self.eyes == 1 else 'eyes'}"


def vcdr_bins(rows: Sequence[Mapping[str, Any]]) -> list[Bin]:
    """The bins of the rows of all eyes, from 0 upwards."""
    edges = [i / _BINS for i in range(_BINS)]
    counts = [0] * _BINS
    for ratio in vcdrs(rows):
        counts[max(bisect_right(edges, ratio) - 1, 0)] += 1
    fullest = max(*counts, 1)
    return [
        Bin(low, high, eyes, eyes / fullest) for low, high, eyes in zip(edges, [*edges[1:], None], counts, strict=True)
    ]
