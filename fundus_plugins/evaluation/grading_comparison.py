"""Several grading methods over several seeds, beside the paper's Table 1: pure functions of evaluators' JSON."""

import numpy as np
from tabulate import tabulate

from .bootstrap import mean_interval

# Table 1 of the paper, in per cent, on 199 photographs of its own.
PAPER = {
    "2sranking_cnn": {"acc": 96.46, "sp": 96.00, "se_suspicious": 97.56, "se_glaucoma": 95.18},
    "ranking_cnn": {"acc": 86.87, "sp": 80.00, "se_suspicious": 82.93, "se_glaucoma": 93.98},
    "softmax_cnn": {"acc": 85.86, "sp": 84.00, "se_suspicious": 73.17, "se_glaucoma": 92.77},
}
COLUMNS = ("acc", "sp", "se_suspicious", "se_glaucoma", "kappa", "auc_glaucoma")


def compare(runs: dict[str, dict[int, dict]]) -> dict[str, dict]:
    """Method -> measure -> mean over seeds, its 95 % bootstrap interval over seeds, and the seeds' values.

    `runs`: method -> seed -> `metrics` of a `GradingEvaluator`'s JSON (None: not defined). A measure that no seed
    defines is left out.
    """
    table: dict[str, dict] = {}
    for method, seeds in runs.items():
        table[method] = {}
        for name in COLUMNS:
            values = [np.nan if seeds[seed].get(name) is None else seeds[seed][name] for seed in sorted(seeds)]
            if np.isfinite(values).any():
                mean, low, high = mean_interval(np.array(values))
                found = {"mean": mean, "low": low, "high": high, "seeds": [float(value) for value in values]}
                table[method][name] = found
    return table


def comparison_markdown(table: dict[str, dict], runs: dict[str, dict[int, dict]], title: str) -> str:
    """`compare` as a Markdown table with the paper's figures; of a single seed, with its intervals over photographs."""
    lines = []
    for method, measures in table.items():
        seeds = runs[method]
        cells = [method, str(len(seeds))]
        for name in COLUMNS:
            cells.append(_cell(name, measures.get(name), next(iter(seeds.values())) if len(seeds) == 1 else None))
        lines.append(cells)
    for method, figures in PAPER.items():
        lines.append([f"{method}, the paper's", "", *(f"{figures[x]:.2f}" if x in figures else "" for x in COLUMNS)])
    body = tabulate(lines, headers=("method", "seeds", *COLUMNS), tablefmt="github", disable_numparse=True)
    notes = (
        "Shares in per cent. 95 % bootstrap intervals are over seeds, or over photographs for a single seed.\n"
        "The paper's figures are for 199 photographs of its own, which are not public: no like for like."
    )
    return f"# {title}\n\n{body}\n\n{notes}\n"


def _cell(name: str, found: dict | None, single: dict | None) -> str:
    if found is None:
        return ""
    low, high = (single[f"{name}-low"], single[f"{name}-high"]) if single else (found["low"], found["high"])
    scale, digits = (1, 3) if name.startswith(("kappa", "auc")) else (100, 1)
    return f"{found['mean'] * scale:.{digits}f} ({low * scale:.{digits}f} to {high * scale:.{digits}f})"
