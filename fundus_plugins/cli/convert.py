"""`fundus convert`: public data sets and photographs of one's own to COCO JSON, a subcommand each."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rich_click as click

from .options import PATH, Command, Several, one_line

COUNT = click.IntRange(min=0)


class _Converters(click.RichGroup):
    """A subcommand for every converter, with the options that all share and its own."""

    def list_commands(self, ctx):
        from fundus_plugins.data.converters import CONVERTERS

        return list(CONVERTERS)

    def get_command(self, ctx, cmd_name):
        from fundus_plugins.data.converters import CONVERTERS

        return _command_of(CONVERTERS[cmd_name]) if cmd_name in CONVERTERS else None


@click.group(cls=_Converters)
def command():
    """Convert a data set on disk to COCO JSON.

    Writes SPLIT.json (masks of disc and cup) and SPLIT_grading.json; photographs stay where they are. What cannot
    be used is left out and listed; the exit code is then 1, as after a warning, and 2 if nothing was written.
    """


def _command_of(converter) -> click.Command:
    options = [
        click.Option(["--root"], type=PATH, required=True, help=f"the folder that holds {converter.title}"),
        click.Option(["--output"], type=PATH, required=True, help="where the JSON files go"),
        click.Option(["--strict"], is_flag=True, help="write nothing if there is any problem, even a repaired one"),
        click.Option(["--preview"], type=PATH, metavar="FILE.png", help="also draw photographs with their contours"),
        click.Option(
            ["--processes"], type=click.IntRange(min=1), default=os.cpu_count() or 1, help="default: one per processor"
        ),
        click.Option(["--overwrite"], is_flag=True, help="replace JSON that is not of fundus convert, too"),
        *(_option(name, **settings) for name, settings in converter.options.items()),
    ]
    if "val" not in converter.splits:
        text = "photographs of train to hold out: val.json, the rest fit.json; 0: none"
        options.append(click.Option(["--holdout"], type=COUNT, default=10, show_default=True, help=text))
        options.append(click.Option(["--seed"], type=COUNT, default=0, show_default=True, help="of the draw"))

    def convert(root, output, strict, preview, processes, overwrite, holdout=0, seed=0, **own):
        own = {name: seed if name == "seed" else own[name] for name in converter.options}
        return run(converter, root, output, own, holdout, seed, strict, processes, preview, overwrite)

    return Command(
        converter.name, params=options, callback=convert, help=f"{converter.title[:1].upper()}{converter.title[1:]}."
    )


def _option(name: str, *, choices: Sequence = (), several: bool = False, **settings) -> click.Option:
    kind: dict[str, Any] = {"type": click.Choice(list(choices))} if choices else {}
    return (Several if several else click.Option)(
        [f"--{name.replace('_', '-')}"], show_default="default" in settings, **kind, **settings
    )


def run(
    converter, root: Path, output: Path, options: dict, holdout: int, seed: int, strict, processes, preview, overwrite
) -> int:
    """Convert, print a summary and what was left out, and draw the contact sheet; the exit code."""
    from concurrent.futures.process import BrokenProcessPool

    from fundus_plugins.data.converters.convert import convert_dataset
    from fundus_plugins.data.converters.record import NotThisDataset
    from fundus_plugins.data.preview import refuse_other_file, write_contact_sheet

    try:
        if preview:
            refuse_other_file(preview)  # before the minutes that the rest takes
        result = convert_dataset(
            converter,
            root,
            output,
            options=options,
            holdout=holdout,
            seed=seed,
            strict=strict,
            processes=processes,
            overwrite=overwrite,
        )
    except (NotThisDataset, OSError) as error:
        print(f"{converter.name}: {one_line(error)}", file=sys.stderr)
        return 2
    except BrokenProcessPool:
        print(f"{converter.name}: a process died, perhaps for want of memory: try fewer --processes", file=sys.stderr)
        return 2
    print(summary(result, output))
    print_problems(result)
    if not result.written:
        print("nothing was written" + (" (--strict)" if strict else ""), file=sys.stderr)
        return 2
    if preview:
        everything = [image for split in converter.splits for image in result.splits.get(split, [])]
        try:
            write_contact_sheet(everything, preview)
        except OSError as error:
            print(f"no contact sheet: {error}", file=sys.stderr)
            return 1
        print(f"contact sheet: {preview}")
    return 1 if result.left_out or result.warnings else 0


def summary(result, output: Path) -> str:
    """A table of a Conversion's splits, its notes, and where the files are."""
    from fundus_plugins.data.converters.convert import count

    grades = "/".join(result.grades)
    lines = [f"{'split':8}{'images':>8}{'discs':>8}{'cups':>8}  {f'{grades}/unknown':36}vCDR min, quartiles, max"]
    for split, images in result.splits.items():
        numbers = count(images, result.grades)
        columns = "".join(f"{numbers[key]:8}" for key in ("images", "discs", "cups"))
        graded = "/".join(str(numbers[grade]) for grade in (*result.grades, "ungraded"))
        lines.append(f"{split:8}{columns}  {graded:36}{_vcdr_distribution(images)}")
    lines += result.notes
    if result.written:
        lines.append(f"written to {output}: {', '.join(path.name for path in result.written)}")
    return "\n".join(lines)


def _vcdr_distribution(images: Sequence) -> str:
    import numpy as np

    ratios = [image.vcdr for image in images if image.vcdr is not None]
    return "  ".join(f"{value:.3f}" for value in np.quantile(ratios, (0, 0.25, 0.5, 0.75, 1))) if ratios else "none"


def print_problems(result) -> None:
    """Every problem and warning in a line of its own, then how many problems of each kind, on standard error."""
    for problem in result.problems:
        print(f"{'repaired' if problem.repaired else 'left out'}: {problem}", file=sys.stderr)
    for warning in result.warnings:
        print(f"warning: {' '.join(warning.split())}", file=sys.stderr)
    for kind, number in Counter(problem.kind for problem in result.problems).items():
        print(f"{number} x {kind}", file=sys.stderr)
