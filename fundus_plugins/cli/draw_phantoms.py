"""`fundus draw-phantoms`: drawn fundus photographs with exact masks."""

import os

import rich_click as click

from .options import PATH, Command, LateChoice, Several

VIEWS = LateChoice("fundus_plugins.data.phantom.sampling:VIEWS")
PARTS = LateChoice("fundus_plugins.data.phantom.sampling:PARTS")
COUNT = click.IntRange(min=0)


@click.command(cls=Command, context_settings={"show_default": True})
@click.option("--output", required=True, type=PATH, help="a new or empty folder")
@click.option("--train", type=COUNT, default=160, help="photographs for training")
@click.option("--val", type=COUNT, default=20, help="photographs for validation")
@click.option("--test", type=COUNT, default=40, help="photographs for testing")
@click.option("--size", type=click.IntRange(min=64), default=512, help="pixels on the longer side")
@click.option("--seed", type=COUNT, default=0, help="another seed, another set")
@click.option("--glaucoma-fraction", type=click.FloatRange(0, 1), default=0.3, help="share with glaucoma")
@click.option("--view", type=VIEWS, default="mixed", help="where the camera aims")
@click.option("--distinct-grades", is_flag=True, help="grades do not overlap in cup-to-disc ratio")
@click.option("--without", cls=Several, type=PARTS, help="leave these parts out")
@click.option("--processes", type=click.IntRange(min=1), default=os.cpu_count() or 1, help="that draw")
def command(output, train, val, test, size, seed, glaucoma_fraction, view, distinct_grades, without, processes):
    """Draw synthetic fundus photographs with exact masks, in the layout of REFUGE's archives.

    The same seed gives the same photographs, masks and labels, however many processes draw them.
    """
    from fundus_plugins.data.phantom import write_refuge_layout

    # Another process pays only for many photographs: starting one takes seconds.
    processes = min(processes, max(1, (train + val + test) // 100))
    write_refuge_layout(
        output,
        train=train,
        val=val,
        test=test,
        size=size,
        seed=seed,
        glaucoma_fraction=glaucoma_fraction,
        view=view,
        distinct_grades=distinct_grades,
        without=without,
        processes=processes,
        progress=True,
    )
    print(
        f"{output}: wrote {train} train, {val} val and {test} test phantoms, {size} pixels, seed {seed}, "
        "in REFUGE's layout"
    )
