"""How often an interval of the mean holds the true one, by the number of photographs: bootstrap beside Student's t.

    python docs/scripts/interval_coverage.py > docs/results/interval_coverage.md

Values are drawn from a normal distribution, and from one that is skewed as a Dice is: many high ones, some low.
"""

import numpy as np
from scipy import stats
from tabulate import tabulate

from fundus_plugins.measures.bootstrap import mean_interval
from fundus_plugins.provenance import command_line, current_commit

NUMBERS = (10, 14, 20, 30, 50, 100)
DRAWS = 1000
KINDS = {
    "normal": (lambda rng, n: rng.normal(size=n), 0.0),
    "skewed": (lambda rng, n: -rng.lognormal(size=n), -float(np.exp(0.5))),
}


def student(values: np.ndarray) -> tuple[float, float]:
    return stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))


def coverage(draw, truth: float, number: int) -> tuple[float, float]:
    """The parts of DRAWS whose bootstrap and whose t interval hold the truth."""
    rng = np.random.default_rng(number)
    held = np.zeros((DRAWS, 2))
    for i in range(DRAWS):
        values = draw(rng, number)
        intervals = mean_interval(values, seed=i)[1:], student(values)
        held[i] = [low <= truth <= high for low, high in intervals]
    return tuple(held.mean(axis=0))


def main() -> None:
    rows = []
    for number in NUMBERS:
        found = [x for draw, truth in KINDS.values() for x in coverage(draw, truth, number)]
        rows.append([number, *(f"{100 * x:.0f} %" for x in found)])
    heads = ["photographs", *(f"{name}, {how}" for name in KINDS for how in ("bootstrap", "Student's t"))]
    print("# How often a 95 % interval of the mean holds the truth\n")
    print(
        f"{DRAWS} drawn sets each, of normal values and of skewed ones (a lognormal's, turned round). The percentile "
        "bootstrap is what all tables here have. Of few photographs it is too narrow, and of skewed values so is every "
        "other.\n"
    )
    print(tabulate(rows, heads, "github", disable_numparse=True))
    print(f"\nCommit {current_commit()}:\n\n    {command_line()}")


if __name__ == "__main__":
    main()
