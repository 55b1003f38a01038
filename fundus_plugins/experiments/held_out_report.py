"""The figures of a table of many training sets: set by set, as a model that never saw it does."""

from collections.abc import Sequence

import numpy as np
from tabulate import tabulate

from fundus_plugins.config import get_fundus_cfg
from fundus_plugins.experiments.table import Table
from fundus_plugins.measures.bootstrap import mean_interval
from fundus_plugins.measures.confidence import margin_over_sources

METRICS = {
    "dice_od": "Dice, disc",
    "dice_oc": "Dice, cup",
    "vcdr_mae": "vCDR error",
    "vcdr_bias": "vCDR bias",
    "right_place": "right place",
    "flagged": "flagged",
}


def report_held_out(
    table: Table, results: Sequence[dict], *, seeds: Sequence[int], command: str, options: Sequence[str] = ()
) -> dict:
    """The figures of every row on every set, from the results there are.

    For each metric the mean over photographs (a photograph's mean over the runs that measured it) with its 95 %
    bootstrap interval, and the same of the difference to the reference row, photograph by photograph. `unflagged` is
    how many photographs have the disc in a wrong place and no flag, summed over runs. `intervals` are of the reference
    row: how far the interval of the vCDR must reach, every set counting the same, and what it covers of each set where
    the others decide how far. `options` are keys and values over every row's config; what is not known is None.
    """
    sets = list(dict.fromkeys(image["set"] for result in results for image in result["images"]))
    rows = []
    results = [_flagged(table, options, result) for result in results]
    for name in sets:
        reference = _by_photograph(results, table.reference, name)
        for row in table.rows:
            own = _by_photograph(results, row.name, name)
            if not own:
                continue
            metrics = {
                metric: {
                    "of": _interval([x[metric] for x in own.values()]),
                    "less": _interval([own[x][metric] - reference[x][metric] for x in own if x in reference]),
                }
                for metric in METRICS
            }
            seen = [x for r in results if r["row"] == row.name for x in r["images"] if x["set"] == name]
            wrong = sum(not x["right_place"] and not x["flagged"] for x in seen)
            rows.append(
                {"set": name, "row": row.name, "photographs": len(own), "measured": len(seen), "unflagged": wrong}
                | {"metrics": metrics}
            )
    return {
        "title": table.title,
        "reference": table.reference,
        "seeds": list(seeds),
        "command": command,
        "commits": list(dict.fromkeys(commit for result in results for commit in result["commits"])),
        "measured_commits": list(dict.fromkeys(x["measured_commit"] for x in results if "measured_commit" in x)),
        "runs": [{key: x[key] for key in ("row", "held_out", "seed", "command")} for x in results],
        "rows": rows,
        "intervals": _intervals(results, table.reference, sets),
    }


def held_out_markdown(report: dict) -> str:
    """That report as Markdown."""
    figures, differences = [], []
    for row in report["rows"]:
        head = [row["set"], row["row"], row["photographs"]]
        found = row["metrics"]
        wrong = f"{row['unflagged']} of {row['measured']}"
        figures.append([*head, *(_cell(found[metric]["of"], "{:.3f}") for metric in METRICS), wrong])
        if row["row"] != report["reference"]:
            differences.append([*head[:2], *(_cell(found[metric]["less"], "{:+.3f}") for metric in METRICS)])
    heads = ["measured on", "", "photographs", *METRICS.values(), "wrong place, no flag"]
    parts = [
        f"# {report['title']}",
        "Every set is measured by models that were not trained on it (or, in folds, on that part of it), as "
        "`FundusPredictor` sees it; means over photographs, in brackets 95 % bootstrap intervals over photographs. A "
        "photograph that several runs measured counts once, with its mean. vCDR bias: predicted less true. Right "
        f"place: the outline touches the true disc. Seeds: {', '.join(map(str, report['seeds']))}.",
        tabulate(figures, headers=heads, tablefmt="github", disable_numparse=True),
    ]
    if differences:
        parts.append(f"Difference to {report['reference']}, photograph by photograph:")
        parts.append(
            tabulate(
                differences, headers=["measured on", "", *METRICS.values()], tablefmt="github", disable_numparse=True
            )
        )
    found = report["intervals"]
    if found["margin"] is not None and len(found["covered"]) > 1:
        covered = ", ".join(f"{name} {part:.0%}" for name, part in found["covered"].items() if part is not None)
        parts.append(
            f"Interval of the vCDR ({report['reference']}): {found['margin']:.3f} to either side holds the truth of "
            f"nine in ten photographs of every set; {found['worst']} asks for it. With the margin of the others it "
            f"holds, of each: {covered}."
        )
    runs = "\n".join(f"# {run['row']}, {run['held_out']}\n{run['command']}" for run in report["runs"])
    measured = ", ".join(report["measured_commits"])
    parts.append(f"Trained at commit {', '.join(report['commits'])}, measured at {measured}.")
    parts.append(f"```\n{report['command']}\n{runs}\n```")
    return "\n\n".join(parts) + "\n"


def _flagged(table: Table, options: Sequence[str], result: dict) -> dict:
    """A result whose photographs are flagged by the limits that its row's config has now, too."""
    row = next(row for row in table.rows if row.name == result["row"])
    cfg = get_fundus_cfg(row.config, [*table.options(options), *(x for pair in row.overrides.items() for x in pair)])
    limits = {"agreement": cfg.TEST.FLAG_BELOW, "ellipse": cfg.TEST.FLAG_ELLIPSE_BELOW}

    def flag(image: dict) -> float:
        low = [image[key] is not None and image[key] < limit for key, limit in limits.items()]
        return float(image["flagged"] or any(low))

    return result | {"images": [image | {"flagged": flag(image)} for image in result["images"]]}


def _intervals(results: Sequence[dict], row: str, sets: Sequence[str]) -> dict:
    """`margin_over_sources` of every run's errors: a mean over runs would scatter less than one prediction does."""
    known = [_by_photograph([x], row, name) for name in sets for x in results]
    names = [name for name in sets for _ in results]
    rows = [{"set": name} | x for name, images in zip(names, known) for x in images.values()]
    found = margin_over_sources(rows)
    covered = {name: part if np.isfinite(part) else None for name, part in found["covered"].items()}
    return found | {"margin": found["margin"] if np.isfinite(found["margin"]) else None, "covered": covered}


def _by_photograph(results: Sequence[dict], row: str, name: str) -> dict[int, dict[str, float]]:
    """Image id -> metric -> mean over the runs that measured it; nan where it is not known."""
    found: dict[int, list[dict]] = {}
    for image in (x for result in results if result["row"] == row for x in result["images"] if x["set"] == name):
        found.setdefault(image["image_id"], []).append(image)
    return {
        image_id: {
            metric: float(np.mean([np.nan if x.get(metric) is None else x[metric] for x in same]))
            for metric in (*METRICS, "detection_rate", "vcdr_predicted")
        }
        for image_id, same in found.items()
    }


def _interval(values: Sequence[float]) -> list[float | None]:
    return [x if np.isfinite(x) else None for x in mean_interval(values)]


def _cell(interval: Sequence[float | None], form: str) -> str:
    return "" if interval[0] is None else "{0} ({0} to {0})".replace("{0}", form).format(*interval)
