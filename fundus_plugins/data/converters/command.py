"""The command line of `tools/convert_dataset.py`: arguments, summary, exit code."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np

from fundus_plugins.data.coco import GRADES, AnnotatedImage

from . import CONVERTERS
from .convert import Conversion, convert_dataset, count
from .preview import write_contact_sheet
from .record import NotThisDataset


def main(arguments: Sequence[str] | None = None, description: str | None = None) -> int:
    """Convert as the arguments say and print a summary; 0: clean, 1: something was left out, 2: nothing written."""
    args = build_parser(description).parse_args(arguments)
    converter = CONVERTERS[args.dataset]
    try:
        result = convert_dataset(
            converter,
            args.root,
            args.output,
            options={name: getattr(args, name) for name in converter.options},
            holdout=getattr(args, "holdout", 0),
            seed=getattr(args, "seed", 0),
            strict=args.strict,
            processes=args.processes,
        )
    except (NotThisDataset, OSError) as error:
        print(f"{args.dataset}: {error}", file=sys.stderr)
        return 2
    except BrokenProcessPool:
        print(f"{args.dataset}: a process died, perhaps for want of memory: try fewer --processes", file=sys.stderr)
        return 2
    print(summary(result, args.output))
    print_problems(result)
    if not result.written:
        print("nothing was written" + (" (--strict)" if args.strict else ""), file=sys.stderr)
        return 2
    if args.preview:
        everything = [image for split in converter.splits for image in result.splits.get(split, [])]
        try:
            write_contact_sheet(everything, args.preview)
        except OSError as error:
            print(f"no contact sheet: {error}", file=sys.stderr)
            return 1
        print(f"contact sheet: {args.preview}")
    return 1 if result.left_out else 0


def build_parser(description: str | None = None) -> argparse.ArgumentParser:
    """One subcommand per data set, with the options all share and its own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="dataset", required=True, metavar="{" + ",".join(CONVERTERS) + "}")
    for name, converter in CONVERTERS.items():
        command = commands.add_parser(name, help=converter.title)
        command.add_argument("--root", type=Path, required=True, help=f"the folder that holds {converter.title}")
        command.add_argument("--output", type=Path, required=True, help="where the JSON files go")
        command.add_argument(
            "--strict", action="store_true", help="write nothing if there is any problem, even a repaired one"
        )
        command.add_argument(
            "--preview", type=Path, metavar="FILE.png", help="also draw a contact sheet of photographs and contours"
        )
        command.add_argument(
            "--processes", type=_whole_number(1), default=os.cpu_count() or 1, help="default: one per processor"
        )
        for option, settings in converter.options.items():
            command.add_argument(f"--{option.replace('_', '-')}", **settings)
        if "val" not in converter.splits:
            text = "photographs of train to hold out: val.json, the rest fit.json; 0: none (default: 10)"
            command.add_argument("--holdout", type=_whole_number(0), default=10, help=text)
            command.add_argument("--seed", type=_whole_number(0), default=0, help="of the draw (default: 0)")
    return parser


def _whole_number(least: int):
    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, found {text}")
        return int(text)

    return parse


def summary(result: Conversion, output: Path) -> str:
    """A table of the splits, the notes, and where the files are."""
    grades = "/".join(GRADES)
    lines = [f"{'split':8}{'images':>8}{'discs':>8}{'cups':>8}  {f'{grades}/unknown':36}vCDR min, quartiles, max"]
    for split, images in result.splits.items():
        numbers = count(images)
        columns = "".join(f"{numbers[key]:8}" for key in ("images", "discs", "cups"))
        graded = "/".join(str(numbers[grade]) for grade in (*GRADES, "ungraded"))
        lines.append(f"{split:8}{columns}  {graded:36}{_vcdr_distribution(images)}")
    lines += result.notes
    if result.written:
        lines.append(f"written to {output}: {', '.join(path.name for path in result.written)}")
    return "\n".join(lines)


def _vcdr_distribution(images: Sequence[AnnotatedImage]) -> str:
    ratios = [image.vcdr for image in images if image.vcdr is not None]
    return "  ".join(f"{value:.3f}" for value in np.quantile(ratios, (0, 0.25, 0.5, 0.75, 1))) if ratios else "none"


def print_problems(result: Conversion) -> None:
    """Every problem in a line of its own, then how many there are of each kind, on standard error."""
    for problem in result.problems:
        print(f"{'repaired' if problem.repaired else 'left out'}: {problem}", file=sys.stderr)
    for kind, number in Counter(problem.kind for problem in result.problems).items():
        print(f"{number} x {kind}", file=sys.stderr)
