"""The command line of `python -m benchmarks`: arguments, report, exit code."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import set_threads
from benchmarks.photographs import draw_photographs, find_photographs
from benchmarks.report import render
from benchmarks.run import MEASUREMENTS, run
from benchmarks.settings import Settings
from fundus_plugins.files import atomic_write

DEFAULT_CONFIGS = ("configs/Base-RFNet.yaml", "configs/rfnet_drishti_cpu.yaml")
DEFAULT_MANY = 1000
DESCRIPTION = (
    "Measure speed and memory of RF-Net, plain and fast, and of its peers, on this machine; see benchmarks/README.md."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as the arguments say, print the report and write it; 0: all measured, 1: something failed, 2: stopped."""
    parser = build_parser()
    args = parser.parse_args(arguments)
    configs, what = args.config_file or DEFAULT_CONFIGS, args.only or MEASUREMENTS
    if args.weights and len(args.weights) != len(configs):
        parser.error(f"--weights: one for each --config-file: {len(configs)} expected, {len(args.weights)} found")
    if len({Path(path).stem for path in configs}) < len(configs):
        parser.error(f"--config-file: expected files of different names, found {', '.join(configs)}")
    many = args.many or (DEFAULT_MANY if args.only and "many" in args.only else 0)
    settings = Settings(
        config_files=tuple(configs),
        weights=tuple(args.weights or ()),
        opts=tuple(args.opts),
        boxes=args.boxes,
        mask_rois=args.mask_rois,
        threads=args.threads,
    )
    set_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        try:
            settings.configs()
            if args.images:
                photographs = find_photographs(args.images, args.count)
            else:
                photographs = draw_photographs(Path(folder) / "drawn", args.count, args.size)
        except (OSError, ValueError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        report = run(
            settings,
            photographs,
            what=what,
            match=args.contender or (),
            repeats=args.repeats,
            training_repeats=args.training_repeats,
            many=many,
        )
    report["photographs"]["source"] = "photographs" if args.images else "drawn photographs"
    text = render(report)
    print(text)
    if args.output:
        for ending, content in ((".md", text), (".json", json.dumps(report, indent=2) + "\n")):
            with atomic_write(args.output + ending) as file:
                file.write(content)
    for failure in report["failures"]:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if report["failures"] else 0


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("benchmarks", description=DESCRIPTION)
    add = parser.add_argument
    add("--config-file", action="append", help=f"of RF-Net; may be repeated (default: {' and '.join(DEFAULT_CONFIGS)})")
    add("--weights", action="append", help="a trained checkpoint for each --config-file (default: random weights)")
    add("--images", type=Path, help="a folder of photographs (default: phantoms are drawn)")
    add("--count", type=_positive, default=2, help="photographs to measure on (default %(default)s)")
    add("--size", type=_positive, default=2000, help="pixels on a phantom's longer side (default %(default)s)")
    add("--repeats", type=_positive, default=5, help="timed rounds of inference (default %(default)s)")
    add("--training-repeats", type=_positive, default=3, help="timed rounds of training (default %(default)s)")
    add("--threads", type=_positive, default=0, help="of torch and OpenCV (default: their own choice)")
    add("--only", action="append", choices=MEASUREMENTS, help="measure only this; may be repeated")
    add("--contender", action="append", help="measure only those with this in their name; may be repeated")
    add("--many", type=_positive, help=f"also predict so many photographs in a row (--only many: {DEFAULT_MANY})")
    add("--boxes", type=_positive, default=1, help="discs a photograph gives with random weights (default %(default)s)")
    add("--mask-rois", type=_positive, default=6, help="MODEL.RFNET.MASK_ROIS_PER_IMAGE of a config that has 0")
    add("--output", help="write OUTPUT.md and OUTPUT.json")
    add("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs that override every config")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text}")
    return int(text)
