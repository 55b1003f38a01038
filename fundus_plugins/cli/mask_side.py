"""`fundus mask-side`: how good masks of a given side could be at best."""

import rich_click as click

from .options import PATH, Command, Several


@click.command(cls=Command)
@click.option("--gt", required=True, type=PATH, help="a folder of REFUGE's masks, or a COCO JSON")
@click.option("--sides", cls=Several, type=click.IntRange(min=2), help="cells; default: 28 56 112")
@click.option("--input", "input_size", type=click.IntRange(min=1), default=512, show_default=True, help="longer side")
@click.option("--output", type=PATH, help="a JSON file of the same figures")
def command(gt, sides, input_size, output):
    """Take true masks to the mask branch's grid and back, and measure what is lost.

    No model is run: what is lost is the input's resize, the grid and the threshold, and a model's own errors come on
    top. --input is in pixels.
    """
    import json
    import sys

    from fundus_plugins.experiments.mask_ceiling import measure_sides, sides_markdown
    from fundus_plugins.files import atomic_write
    from fundus_plugins.provenance import command_line, current_commit

    figures, number, problems = measure_sides(gt, sides or (28, 56, 112), input_size)
    print(f"{gt}: {number} photographs, input of {input_size} pixels; means and 95 % intervals")
    print(sides_markdown(figures))
    if output:
        about = {"command": command_line(), "commit": current_commit(), "photographs": number}
        with atomic_write(output) as file:
            json.dump(about | {"sides": figures}, file, indent=1)
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    return 1 if problems else 0
