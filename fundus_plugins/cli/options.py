"""What the subcommands' command lines have in common: options of one meaning, and KEY VALUE pairs over a config."""

import difflib
import importlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from detectron2.config import CfgNode

# The roots of Detectron2's config keys.
_ROOTS = {"MODEL", "INPUT", "DATASETS", "DATALOADER", "SOLVER", "TEST", "OUTPUT_DIR", "SEED"}
_ROOTS |= {"CUDNN_BENCHMARK", "VIS_PERIOD", "GLOBAL", "FLOAT32_PRECISION", "VERSION"}

PATH = click.Path(path_type=Path)


def names_a_key(word: str) -> bool:
    """Whether a word has the form of a key of Detectron2's config."""
    return bool(re.fullmatch(r"[A-Z][A-Z0-9_.]*", word)) and word.split(".")[0] in _ROOTS


def is_key(word: str) -> bool:
    """Whether a word is such a key where it might also be a file: that is, unless there is one of that name."""
    return names_a_key(word) and not os.path.exists(word)


class Several(click.Option):
    """An option of one value or more, `--runs a b c`, which may be repeated; the values end at an option or a key."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs, multiple=True)


class Command(click.RichCommand):
    """A command with options of Several values, and with negative numbers among its KEY VALUE pairs."""

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("context_settings", {}).update(ignore_unknown_options=True)
        super().__init__(*args, **kwargs)

    def parse_args(self, ctx, args):
        several = {name for option in self.params if isinstance(option, Several) for name in option.opts}
        spread: list[str] = []
        current, empty = None, False  # the option of Several values that is being read, and whether it has none yet
        for place, word in enumerate(args):
            ends = word.startswith("-") and not _is_number(word) or current is not None and is_key(word)
            if ends and empty:
                raise click.BadOptionUsage(str(current), f"Option '{current}' requires a value.", ctx=ctx)
            if word == "--":
                spread += args[place:]
                break
            if ends:
                current = word if word in several else None
                empty = current is not None
                name, equals, value = word.partition("=")
                if equals and name in several:
                    spread += [name, value]
                elif current is None:
                    spread.append(word)
                continue
            spread += [current, word] if current else [word]
            empty = False
        if empty:
            raise click.BadOptionUsage(str(current), f"Option '{current}' requires a value.", ctx=ctx)
        for word in spread[: spread.index("--") if "--" in spread else None]:
            # Click would look for the -h in -path.
            if re.match(r"-[^-]", word) and word != "-h" and not _is_number(word):
                raise click.NoSuchOption(word, ctx=ctx)
        rest = super().parse_args(ctx, list(spread))  # Click empties the list that it is given
        _refuse_unknown_options(self, ctx, spread)
        return rest


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _refuse_unknown_options(command: click.Command, ctx: click.Context, words: Sequence[str]) -> None:
    known = [name for option in command.get_params(ctx) for name in (*option.opts, *option.secondary_opts)]
    values = [str(x) for value in ctx.params.values() if isinstance(value, tuple | list) for x in value]
    for word in words[: words.index("--") if "--" in words else None]:
        name = word.partition("=")[0]
        if name.startswith("-") and not _is_number(word) and name not in known and word in values:
            raise click.NoSuchOption(name, possibilities=difflib.get_close_matches(name, known), ctx=ctx)


def pairs(words: Sequence[str]) -> list[str]:
    """KEY VALUE pairs as they were given. Raises UsageError for a key without a value, or what is no key."""
    words = list(words)
    for key in words[::2]:
        if not names_a_key(key):
            raise click.UsageError(f"expected KEY VALUE pairs of the config such as SOLVER.MAX_ITER 100, found {key!r}")
    if len(words) % 2:
        raise click.UsageError(f"the key {words[-1]} has no value")
    return words


def load_config(config_file: str, words: Sequence[str]) -> "CfgNode":
    """The config of a file and KEY VALUE pairs. Raises UsageError in one line for whatever is wrong with either."""
    import yaml

    from fundus_plugins.config import get_fundus_cfg

    try:
        return get_fundus_cfg(config_file, words)
    except (KeyError, AssertionError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:  # yacs has many
        raise click.UsageError(f"{config_file or 'config'}: {one_line(error)}") from error


def load_release(path: str, words: Sequence[str]) -> "CfgNode":
    """The config of released weights with KEY VALUE pairs over it; raises as `load_config`."""
    from fundus_plugins.prediction.release import release_cfg

    try:
        return release_cfg(path, words)
    except (KeyError, AssertionError, TypeError, AttributeError) as error:
        raise click.UsageError(f"{path}: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """An exception's text in one line; a KeyError's without the quotes that Python puts about it."""
    if "in DataLoader worker process" in str(error):  # with a traceback, at whose end is what happened
        return str(error).strip().splitlines()[-1].rpartition("problems.BadInput: ")[2]
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return " ".join(text.split()) or type(error).__name__


def report_failures(failures: Sequence[str]) -> int:
    """Print a line for each on standard error; the exit code: 1 if there are any, else 0."""
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


def config_option(**settings):
    return click.option(
        "--config-file", metavar="FILE", help="a YAML file, or the name of one of the package's", **settings
    )


def dataset_option(text: str, **settings):
    return click.option("--dataset", metavar="NAME", help=text, **settings)


class LateChoice(click.ParamType):
    """One of the names in `module:attribute`, which is imported only when they are wanted."""

    name = "choice"

    def __init__(self, where: str):
        self.where = where

    @property
    def choice(self) -> click.Choice:
        module, _, attribute = self.where.partition(":")
        return click.Choice(list(getattr(importlib.import_module(module), attribute)))

    def get_metavar(self, param, ctx):
        return self.choice.get_metavar(param, ctx)

    def convert(self, value, param, ctx):
        return self.choice.convert(value, param, ctx)

    def shell_complete(self, ctx, param, incomplete):
        return self.choice.shell_complete(ctx, param, incomplete)


overrides_argument = click.argument("overrides", nargs=-1, metavar="[KEY VALUE]...")
