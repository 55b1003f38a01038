"""The tables of a run, in Markdown."""

from statistics import mean, median

from tabulate import tabulate

from benchmarks.timing import ratio

MEGABYTE = 2**20
BACKWARD = 2  # a backward pass is two forward passes' multiply-adds: towards the input and towards the weights


def render(report: dict) -> str:
    """The whole report of `run.run`, as Markdown."""
    inference, training = report["inference"], report["training"]
    sections = [
        ("", _facts(report)),
        ("Inference, one photograph at a time", _inference_table(inference)),
        ("Inference, time relative to RF-Net", _relative_table(inference, report["references"])),
        ("Dice between the masks of the fast path and of the stock path", _agreement_table(inference)),
        ("Multiply-adds of an image, in billions, and the time they would take", _work_table(inference)),
        ("Where the time of the fast path goes, model only", _stage_table(report["stages"])),
        ("The dense part (trunk, pyramid, RPN head) in several engines", _engine_table(report["engines"])),
        ("Training", _training_table(training)),
        ("Multiply-adds of a step, forward, in billions", _work_table(training, steps=1 + BACKWARD)),
        *(
            (f"{name}: file to masks over many photographs", _many_table(row["tenths"]))
            for name, row in report["many"].items()
        ),
    ]
    parts = [f"## {title}\n\n{text}" if title else text for title, text in sections if text]
    if report["failures"]:
        parts.append("## Failed\n\n" + "\n".join(f"- {failure}" for failure in report["failures"]))
    return "\n\n".join(parts) + "\n"


def _facts(report: dict) -> str:
    machine, settings, photographs = report["machine"], report["settings"], report["photographs"]
    least, most = photographs["longer_sides"]
    trained = bool(settings["weights"])
    weights = "trained" if trained else f"random, each photograph given {settings['boxes']} disc(s)"
    found = [name for name in ("amx_bf16", "avx512_bf16") if machine[name]]
    lines = [
        f"command: `{report['command']}`",
        f"commit {machine['commit']}, torch {machine['torch']}, Python {machine['python']}",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} thread(s)",
        f"instructions for bfloat16: {', '.join(found) or 'none'}; "
        f"a bfloat16 convolution runs on {machine['bfloat16_convolution']}",
        f"{photographs['count']} {photographs['source']} of {least} to {most} pixels; the models' input: "
        f"{report['side']}; medians (least to greatest) "
        f"of {report['repeats']} repeats, of {report['training_repeats']} in training, in turn, when warm",
        f"weights of RF-Net: {weights}; of the peers: random, a box for the disc and one for the cup",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _table(headers: tuple, rows: list) -> str:
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True) if rows else ""


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _is_convolution(row: dict) -> bool:
    return "convolution_seconds" in row


def rates(rows: dict) -> dict[str, float]:
    """Multiply-adds a second of the reference convolution, by precision."""
    found = (row for row in rows.values() if _is_convolution(row))
    return {row["precision"]: row["multiply_adds"] / median(row["convolution_seconds"]) for row in found}


def floor_seconds(row: dict, rate: dict[str, float], steps: int = 1) -> float | None:
    """What the multiply-adds of a row's layers would take at the rate of the reference convolution."""
    if "work" not in row or row["precision"] not in rate:
        return None
    return steps * sum(part["multiply_adds"] for part in row["work"].values()) / rate[row["precision"]]


def _per_second(samples: list[float] | None) -> str:
    return f"{1 / median(samples):.2f} ({1 / max(samples):.2f} to {1 / min(samples):.2f})" if samples else ""


def _memory(row: dict) -> tuple[str, str]:
    if "peak_bytes" not in row:
        return "", ""
    return f"{row['peak_bytes'] / MEGABYTE:.0f}", f"{(row['peak_bytes'] - row['import_bytes']) / MEGABYTE:.0f}"


def _over(samples: list[float] | None, floor: float | None) -> str:
    return _number(median(samples) / floor if samples and floor else None, 1)


def _inference_table(rows: dict) -> str:
    rate, cells = rates(rows), []
    for name, row in rows.items():
        if _is_convolution(row) or not row:  # empty: failed, which is listed
            continue
        if "missing" in row:
            cells.append((name, row["missing"]))
            continue
        model, floor = row.get("model_seconds"), floor_seconds(row, rate)
        speeds = _per_second(row.get("file_seconds")), _per_second(model)
        cells.append((name, row["precision"], *speeds, _over(model, floor), *_memory(row)))
    headers = ("", "precision", "images/s, file to masks", "images/s, model only", "model / floor")
    return _table((*headers, "peak memory, MB", "without imports, MB"), cells)


def _relative_table(rows: dict, references: list[str]) -> str:
    columns = [
        (reference, key)
        for reference in references
        for key in ("file_seconds", "model_seconds")
        if key in rows.get(reference, {})
    ]
    cells = [
        (name, *(_number(ratio(row[key], rows[reference][key])) for reference, key in columns))
        for name, row in rows.items()
        if columns and all(key in row for _, key in columns)
    ]
    titles = {"file_seconds": "file to masks", "model_seconds": "model only"}
    return _table(("", *(f"{titles[key]}, / {reference}" for reference, key in columns)), cells)


def _agreement_table(rows: dict) -> str:
    cells = []
    for name, row in rows.items():
        if "disc_agreement" in row:
            found = [row["disc_agreement"], row["cup_agreement"]]
            cells.append((name, *(f"{_number(mean(x), 4)} ({_number(min(x), 4)})" for x in found)))
    return _table(("mean (least)", "disc", "cup"), cells)


def _work_table(rows: dict, steps: int = 1) -> str:
    rate, cells = rates(rows), []
    parts = list(dict.fromkeys(part for row in rows.values() for part in row.get("work", ())))
    for name, row in rows.items():
        if "work" not in row:
            continue
        work = row["work"]
        counts = [_number(work[part]["multiply_adds"] / 1e9 if part in work else None) for part in parts]
        total = sum(part["multiply_adds"] for part in work.values()) / 1e9
        boxes = [_number(work[part]["rows"] if part in work else None, 1) for part in ("box head", "mask head")]
        floor = floor_seconds(row, rate, steps)
        cells.append((name, *boxes, *counts, _number(total), _number(floor * 1000 if floor else None, 1)))
    if not cells:
        return ""
    floor = "floor, ms" if steps == 1 else f"floor, ms ({steps} x forward)"
    table = _table(("", "boxes, box head", "boxes, mask head", *parts, "total", floor), cells)
    speeds = "; ".join(f"{precision} {value / 1e9:.0f}" for precision, value in rate.items())
    return f"{table}\n\nFloor: at the rate of a 3 x 3 convolution in this run, 10^9 multiply-adds a second: {speeds}."


def _stage_table(stages: dict) -> str:
    names = list(stages)
    cells = []
    for stage in stages[names[0]] if names else ():
        of_all = [f"{stages[n][stage] * 1000:.1f} ({stages[n][stage] / sum(stages[n].values()):.0%})" for n in names]
        cells.append((stage, *of_all))
    return _table(("ms an image", *names), cells)


def _engine_table(rows: dict) -> str:
    cells = []
    for name, row in rows.items():
        samples = [1000 * x for x in row.get("engine_seconds", ())]
        spread = f"{median(samples):.1f} ({min(samples):.1f} to {max(samples):.1f})" if samples else row["missing"]
        cells.append((name, spread))
    return _table(("", "ms an image"), cells)


def _training_table(rows: dict) -> str:
    rate, cells, stock = rates(rows), [], None
    for name, row in rows.items():
        if _is_convolution(row) or not row:  # empty: failed, which is listed
            continue
        if "missing" in row:
            cells.append((name, row["missing"]))
            continue
        samples = row.get("step_seconds")
        if name.endswith("stock path"):  # those that follow are of the same config
            stock = samples
        seconds = f"{median(samples):.2f} ({min(samples):.2f} to {max(samples):.2f})" if samples else ""
        speedup = _number(ratio(stock, samples) if stock and samples else None)
        over = _over(samples, floor_seconds(row, rate, 1 + BACKWARD))
        cells.append((name, row["precision"], seconds, speedup, over, *_memory(row)))
    headers = ("", "precision", "s/step", "times as fast as the stock path", "step / floor")
    return _table((*headers, "peak memory, MB", "without imports, MB"), cells)


def _many_table(rows: list[dict]) -> str:
    cells, before = [], 0
    for row in rows:
        count = row["images"] - before
        before = row["images"]
        speed = f"{count / row['seconds']:.2f}"
        cells.append((row["images"], f"{row['seconds']:.2f}", speed, f"{row['resident_bytes'] / MEGABYTE:.0f}"))
    return _table(("images so far", "seconds since the row above", "images/s", "resident memory, MB"), cells)
