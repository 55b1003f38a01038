"""Whether the readers' styles lie further apart where the cup-to-disc ratio is further off.

    python docs/scripts/reader_spread.py docs/results/many_sources/first_two_looks.refuge_14.csv

Beside that file are the same photographs in each reader's style.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from fundus_plugins.experiments.robustness import read_rows

READERS = ("drishti", "rim_one", "phantom")


def main() -> None:
    path = Path(sys.argv[1])
    name, _, rest = path.name.partition(".")
    rows = read_rows(str(path))
    styles = [read_rows(str(path.with_name(f"{name}_reader_{reader}.{rest}"))) for reader in READERS]
    ratios = np.array([[row["vcdr_predicted"] for row in style] for style in styles])
    errors = [row["vcdr_mae"] for row in rows]
    spread = np.ptp(ratios, axis=0)
    print(f"{len(rows)} photographs: styles {spread.mean():.3f} apart, ratio {np.mean(errors):.3f} off in the mean")
    print(f"rank correlation of the two: {spearmanr(spread, errors)[0]:.2f}")


if __name__ == "__main__":
    main()
