"""A table's figures from its runs' results: means, differences to the reference row, intervals; Markdown and JSON."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tabulate import tabulate

from fundus_plugins.experiments.table import Row, Table
from fundus_plugins.files import atomic_write
from fundus_plugins.measures.bootstrap import mean_interval

METRICS = {
    "dice_oc": "Dice, cup",
    "dice_od": "Dice, disc",
    "miou": "mIoU",
    "vcdr_mae": "vCDR error",
    "hd95_oc_dd": "HD95, cup",  # in diameters of the true disc
    "hd95_od_dd": "HD95, disc",
    "detection_rate": "detected",
}


def report_table(
    table: Table, results: Sequence[dict], *, dataset: str, folds: int, seeds: Sequence[int], command: str
) -> dict:
    """The figures of a table from the results there are, pooled over folds by photograph.

    For each row and metric: mean over held-out photographs (a photograph's mean over seeds) and its 95 % bootstrap
    interval over photographs; the same of the difference to the reference row, photograph by photograph, on those that
    both rows have; the paper's figure. A row with runs missing says so in `runs`. `command` made the table.
    """
    expected = folds * len(seeds)
    values = {row.name: _by_photograph([x for x in results if x["row"] == row.name]) for row in table.rows}
    rows = []
    for row in table.rows:
        own = [x for x in results if x["row"] == row.name]
        metrics = {}
        for metric in METRICS:
            here, there = values[row.name].get(metric, {}), values[table.reference].get(metric, {})
            pairs = [here[image] - there[image] for image in sorted(here.keys() & there.keys())]
            metrics[metric] = {
                **_interval([here[image] for image in sorted(here)], ""),
                **(_interval(pairs, "difference_") if row.name != table.reference else {}),
                "paper": row.paper.get(metric),
            }
        rows.append(_row(row, own, expected) | {"metrics": metrics})
    return {
        "title": table.title,
        "reference": table.reference,
        "dataset": dataset,
        "folds": folds,
        "seeds": list(seeds),
        "paper_data": table.paper_data,
        "command": command,
        "method": _method(table, dataset, folds, seeds, all(row["runs"] == row["runs_expected"] for row in rows)),
        "rows": rows,
    }


def write_report(report: dict, text: str, folder: Path, name: str) -> None:
    """Write `<name>.json` and, as `text` says it, `<name>.md`, never half of one."""
    with atomic_write(folder / f"{name}.json") as file:
        json.dump(report, file, indent=1, allow_nan=False)
        file.write("\n")
    with atomic_write(folder / f"{name}.md") as file:
        file.write(text)


def to_markdown(report: dict) -> str:
    """A report as Markdown: figures, differences to the reference row, cost, commands."""
    rows = report["rows"]
    with_paper = [metric for metric in METRICS if any(row["metrics"][metric]["paper"] is not None for row in rows)]
    heads, figures, differences = ["", "runs"], [], []
    for metric, title in METRICS.items():
        heads += [title, "paper"] if metric in with_paper else [title]
    for row in rows:
        cells = [row["name"], f"{row['runs']}/{row['runs_expected']}"]
        for metric in METRICS:
            found = row["metrics"][metric]
            cells.append(_cell(found, "", "{:.3f}"))
            if metric in with_paper:
                cells.append("" if found["paper"] is None else f"{found['paper']:.4f}")
        figures.append(cells)
        if row["name"] != report["reference"]:
            cells = [_cell(row["metrics"][metric], "difference_", "{:+.3f}") for metric in METRICS]
            differences.append([row["name"], *cells])
    cost = [
        [row["name"], f"{row['parameters']:,}" if row["parameters"] else ""]
        + [f"{row[key]:.3f}" if row[key] else "" for key in ("seconds_per_iteration", "seconds_per_image")]
        + [", ".join(row["commits"])]
        for row in rows
    ]
    cost_heads = ["", "parameters", "s / iteration", "s / photograph", "commit"]
    parts = [
        f"# {report['title']}",
        report["method"],
        _markdown(figures, heads),
        f"Difference to {report['reference']}, photograph by photograph:",
        _markdown(differences, ["", *METRICS.values()]),
        "Cost (median over runs; s / photograph is the model alone, without reading files):",
        _markdown(cost, cost_heads),
        "Commands: of the table, and of every row's first run (its others differ in fold, seed and folder).",
        f"```\n{report['command']}\n"
        + "\n".join(f"# {row['name']}\n{row['command']}" for row in rows if row["command"])
        + "\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _by_photograph(results: list[dict]) -> dict[str, dict[int, float]]:
    """Metric -> image id -> mean over seeds; photographs of which a metric is not known are left out."""
    collected: dict[str, dict[int, list[float]]] = {metric: {} for metric in METRICS}
    for image in (image for result in results for image in result["images"]):
        for metric, by_image in collected.items():
            if image.get(metric) is not None:
                by_image.setdefault(image["image_id"], []).append(image[metric])
    return {metric: {i: float(np.mean(x)) for i, x in by_image.items()} for metric, by_image in collected.items()}


def _row(row: Row, results: list[dict], expected: int) -> dict:
    cost = {}
    for key in ("seconds_per_iteration", "seconds_per_image"):
        times = [result[key] for result in results if result[key] is not None]
        cost[key] = float(np.median(times)) if times else None
    return {
        "name": row.name,
        "runs": len(results),
        "runs_expected": expected,
        "interruptions": sum(len(result["commits"]) - 1 for result in results),
        "images": len({image["image_id"] for result in results for image in result["images"]}),
        "parameters": results[0]["parameters"] if results else None,
        **cost,
        "commits": list(dict.fromkeys(commit for result in results for commit in result["commits"])),
        "command": results[0]["command"] if results else None,
    }


def _interval(values: list[float], prefix: str) -> dict:
    names = (f"{prefix}mean", f"{prefix}low", f"{prefix}high")
    return {name: x if math.isfinite(x) else None for name, x in zip(names, mean_interval(values))}


def _cell(found: dict, prefix: str, form: str) -> str:
    values = [found[f"{prefix}{name}"] for name in ("mean", "low", "high")]
    return "" if None in values else "{0} ({0} to {0})".replace("{0}", form).format(*values)


def _markdown(cells: list[list[str]], heads: list[str]) -> str:
    return tabulate(cells, headers=heads, tablefmt="github", disable_numparse=True)


def _method(table: Table, dataset: str, folds: int, seeds: Sequence[int], whole: bool) -> str:
    seeds_text = f"training seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    once = "exactly once (for each seed)" if whole else "at most once (for each seed): not all folds are there"
    text = (
        f"{dataset}, {folds} folds, {seeds_text}. Every photograph is held out {once}; each run "
        "is evaluated once, with its last weights, on its held-out photographs, which choose nothing. Figures are "
        "means over photographs, pooled over folds, with 95 % bootstrap intervals over photographs; the chance of "
        "another training run is not in them. HD95, the 95th percentile Hausdorff distance, is in vertical diameters "
        "of the true disc; a missed disc has none."
    )
    if table.paper_data:
        text += f" The paper's figures are its own, of other photographs and another schedule: {table.paper_data}."
    return text
