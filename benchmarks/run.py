"""All the measurements of one run, in order, gathered in one report."""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

from benchmarks.contender import predict_files
from benchmarks.engines import measure_engines
from benchmarks.machine import describe_machine
from benchmarks.measure import (
    build_all,
    inference_builders,
    measure_agreement,
    measure_files,
    measure_many,
    measure_memory,
    measure_model,
    measure_stages,
    measure_training,
)
from benchmarks.photographs import longer_sides
from benchmarks.rfnet import type_name
from benchmarks.settings import Settings
from benchmarks.training import training_contenders
from fundus_plugins.engine.precision import resolve_precision

MEASUREMENTS = ("inference", "files", "agreement", "engines", "training", "memory", "many")


def run(
    settings: Settings,
    photographs: list[str],
    *,
    what: Sequence[str],
    match: Sequence[str],
    repeats: int,
    training_repeats: int,
    many: int,
) -> dict:
    """Measure, and return everything as JSON can hold it; what fails is listed, and the rest goes on.

    Args:
        what: of MEASUREMENTS.
        match: only contenders with one of these in their name; none: all.
        repeats, training_repeats: timed rounds.
        many: photographs of the long run, which is of the last config's fast path; 0: no long run.
    """
    fast = type_name(resolve_precision("auto", "cpu"))
    report = {
        "command": shlex.join(["python", *sys.argv]),
        "machine": describe_machine(),
        "settings": asdict(settings),
        "repeats": repeats,
        "training_repeats": training_repeats,
        "side": settings.input_side(),
        "photographs": {"count": len(photographs), "longer_sides": longer_sides(photographs)},
        "references": [f"RF-Net {name}, fast, {fast}" for name in settings.configs()],
        **{section: {} for section in ("inference", "stages", "engines", "training", "many")},
        "failures": [],
    }

    def attempt(section: str, measure: Callable[..., dict], *arguments) -> None:
        try:
            rows = measure(*arguments)
        except Exception as error:  # what was measured already must not be lost
            report["failures"].append(f"{section}, {measure.__name__}: {type(error).__name__}: {error}")
            return
        for name, row in rows.items():
            report[section].setdefault(name, {}).update(row)

    def build(section: str, builders: dict[str, Callable], warm_up: Callable) -> dict:
        built, missing, failed = build_all(builders, warm_up)
        report["failures"] += failed
        for name in builders:
            report[section][name] = {"missing": missing[name]} if name in missing else {}
        return built

    everything = inference_builders(settings), training_contenders(settings, photographs)
    inference, training = (_chosen(builders, match) for builders in everything)
    if not inference and not training:
        names = "; ".join(name for builders in everything for name in builders)
        report["failures"].append(f"--contender: none of {', '.join(match)} is in any name; there are: {names}")
    if {"inference", "files", "agreement"} & set(what):
        built = build("inference", inference, lambda x: list(predict_files(x, photographs)))
        if "inference" in what:
            attempt("inference", measure_model, built, photographs, repeats)
            attempt("stages", measure_stages, _chosen(built, report["references"]), photographs, repeats)
        if "files" in what:
            attempt("inference", measure_files, built, photographs, repeats)
        if "agreement" in what:
            attempt("inference", measure_agreement, built, photographs)
        built = None
    if "engines" in what:
        attempt("engines", measure_engines, settings, repeats)
    if "training" in what:
        attempt("training", measure_training, build("training", training, lambda x: x.step()), training_repeats)
    if "memory" in what:
        for section, names in (("inference", inference), ("training", training)):
            for name in names:
                if "missing" not in report[section].get(name, {}):  # what could not be built need not be tried again
                    attempt(section, measure_memory, settings, photographs, name, section)
    if "many" in what and many:
        attempt("many", measure_many, settings, photographs, report["references"][-1], many)
    return report


def _chosen(contenders: dict, match: Sequence[str]) -> dict:
    return {name: x for name, x in contenders.items() if not match or any(part in name for part in match)}
