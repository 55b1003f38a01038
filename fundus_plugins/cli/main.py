"""The `fundus` command: its subcommands, loaded when they are wanted, and what becomes of errors."""

import difflib
import errno
import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence

import rich_click as click

import fundus_plugins
from fundus_plugins.cli.options import one_line
from fundus_plugins.requirements import MISSING, TRAINING

# In the order of --help: data, models, experiments, the machine. Each is `command` in a module of this folder.
COMMANDS = {
    "predict": "predict",
    "convert": "convert",
    "check": "check",
    "draw-phantoms": "draw_phantoms",
    "train": "train",
    "evaluate": "evaluate",
    "explain": "explain",
    "table": "table",
    "pseudo-masks": "pseudo_masks",
    "find-discs": "find_discs",
    "fit-reader": "fit_reader",
    "robustness": "robustness",
    "compare-grading": "compare_grading",
    "mask-side": "mask_side",
    "release": "release",
    "export": "export",
    "web": "web",
    "doctor": "doctor",
}
STOPPED, INTERRUPTED = 2, 130

click.rich_click.TEXT_MARKUP = "markdown"
click.rich_click.SHOW_METAVARS_COLUMN = True
click.rich_click.MAX_WIDTH = 110


class _LazyGroup(click.RichGroup):
    def list_commands(self, ctx):
        return list(COMMANDS)

    def get_command(self, ctx, cmd_name):
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"fundus_plugins.cli.{COMMANDS[cmd_name]}").command
        command.name = cmd_name
        return command

    def resolve_command(self, ctx, args):
        if args and args[0] not in COMMANDS:
            close = difflib.get_close_matches(args[0], COMMANDS)
            hint = f" Did you mean {close[0]}?" if close else " See fundus --help."
            raise click.UsageError(f"no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(fundus_plugins.__version__, prog_name="fundus")
def fundus() -> None:
    """Optic disc, optic cup and glaucoma in fundus photographs: train, predict, measure.

    Exit codes: 0, done; 1, done, but something was left out or failed, and is listed; 2, stopped, and one line says
    why. For research. It is not a medical device.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code; errors that a user can mend are one line on standard error.

    With FUNDUS_TRACEBACK=1 in the environment they come with their traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal, or a file's name, need not be UTF-8
    try:
        return fundus.main(arguments, prog_name="fundus", standalone_mode=False) or 0
    except click.ClickException as error:
        usage = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
        return _stopped(error.format_message() + (f" (see {usage} --help)" if usage else ""))
    except (KeyboardInterrupt, click.Abort):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except (OSError, ValueError, RuntimeError, ImportError, ArithmeticError, KeyError, AssertionError) as error:
        if os.environ.get("FUNDUS_TRACEBACK"):
            traceback.print_exc()
        if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "detectron2":
            return _stopped(MISSING)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _stopped(f"{one_line(error)}: what is done is kept; with more room, give the same command again")
        if isinstance(error, ModuleNotFoundError):
            return _stopped(f"{one_line(error)}; {TRAINING}")
        return _stopped(one_line(error))
    except Exception:
        traceback.print_exc()
        return _stopped("this should not happen; please report it with the lines above")


def _stopped(text: str) -> int:
    print(f"error: {' '.join(text.split())}", file=sys.stderr)
    return STOPPED


def run() -> None:
    """The console script."""
    sys.exit(main())
