"""`--ray`, alone or with the address of a Ray that runs."""

import os
import re

import rich_click as click

from .options import Command

ADDRESS = r"auto|local|[\w.-]+:\d+|\[[0-9a-fA-F:]+\]:\d+"


class RayCommand(Command):
    """A command in which what follows `--ray` is its value only where it is an address, and no file."""

    def parse_args(self, ctx, args):
        spread = []
        for place, word in enumerate(args):
            following = args[place + 1] if place + 1 < len(args) else ""
            alone = not re.fullmatch(ADDRESS, following) or os.path.exists(following)
            spread.append("--ray=local" if word == "--ray" and alone else word)
        return super().parse_args(ctx, spread)


def _check(ctx, param, value):
    if value is not None and not re.fullmatch(ADDRESS, value):
        raise click.BadParameter(f"expected auto, or the host:port of a head, found {value!r}", ctx, param)
    return value


def ray_option(text: str):
    return click.option("--ray", "ray", metavar="[ADDRESS]", callback=_check, help=text)
