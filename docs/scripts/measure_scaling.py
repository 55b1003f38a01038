"""How `fundus predict` speeds up with processes: photographs a second of one, two, ... processes of one thread each.

    python docs/scripts/measure_scaling.py > docs/results/scaling.md

Drawn photographs of 2000 pixels as JPEG, first few and then many of them: the difference is free of the start. Rounds
are interleaved; medians over them.
"""

import os
import statistics
import tempfile
from pathlib import Path

from measure_default import draw, seconds
from processor import processor
from tabulate import tabulate

from fundus_plugins.provenance import current_commit

FEW, MANY, ROUNDS = 16, 100, 3


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    code = Path(__file__).resolve().parents[2]
    counts = range(1, (os.cpu_count() or 1) + 1)
    kinds = {"with grades": [], "without": ["--no-grade"]}
    rates: dict[tuple[str, int], list[float]] = {(kind, n): [] for kind in kinds for n in counts}
    with tempfile.TemporaryDirectory() as root:
        many, few = Path(root, "many"), Path(root, "few")
        many.mkdir(), few.mkdir()
        draw(many)
        for name in range(FEW):
            (few / f"{name}.jpg").symlink_to(many / f"{name}.jpg")
        for _ in range(ROUNDS):
            for (kind, n), found in rates.items():
                options = ["--workers", str(n), *kinds[kind]]
                found.append((MANY - FEW) / (seconds(many, code, options) - seconds(few, code, options)))
    rows = []
    for kind in kinds:
        one = statistics.median(rates[kind, 1])
        for n in counts:
            ratios = [x / y / n for x, y in zip(rates[kind, n], rates[kind, 1])]
            rate = statistics.median(rates[kind, n])
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            rows.append([f"{kind}, {n}", f"{rate:.1f}", f"{rate / one:.2f}", spread])
    print("# Processes of `fundus predict`\n")
    print(f"{processor()}; commit {current_commit()}. {MANY - FEW} drawn photographs of 2000 pixels, overlays and a")
    print("report written; the start is taken off. Of linear: the rate over that of one process and their number, the")
    print(f"median of {ROUNDS} rounds and their range.\n")
    heads = ["processes", "photographs a second", "times one process", "of linear"]
    print(tabulate(rows, heads, tablefmt="github", disable_numparse=True))
    print("\n```bash\npython docs/scripts/measure_scaling.py > docs/results/scaling.md\n```")


if __name__ == "__main__":
    main()
