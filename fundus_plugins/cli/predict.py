"""`fundus predict`: photographs to overlays and a table."""

import sys
from pathlib import Path

import rich_click as click

from .options import PATH, Command, Several, config_option, is_key, load_config, load_release, pairs, report_failures


@click.command(cls=Command)
@config_option()
@click.option(
    "--weights",
    metavar="FILE",
    help="such as output/.../model_best.pth; default: the config's, or the packaged ones without --config-file",
)
@click.option("--input", "photographs", cls=Several, type=PATH, help="the same as PHOTOGRAPHS")
@click.option("--output", required=True, type=PATH, help="another folder, for overlays and predictions.csv")
@click.argument("words", nargs=-1, metavar="[PHOTOGRAPHS]... [KEY VALUE]...")
def command(config_file, weights, photographs, output, words):
    """Outline the optic disc and cup, and measure the vertical cup-to-disc ratio.

    PHOTOGRAPHS: files, or folders of them (not searched deeper). Without --config-file, --weights is a file of
    `fundus release`, which holds its config; without either it is the packaged one.
    """
    given, overrides = split_words(words)
    files = list_photographs([*photographs, *given])
    unused = list_unused([*photographs, *given], files, output)
    if output.resolve() in {path.resolve().parent for path in files}:
        raise click.UsageError(f"{output} holds the photographs; choose another folder, so that none is overwritten")

    from fundus_plugins.prediction.outputs import predict_to_folder
    from fundus_plugins.prediction.predictor import FundusPredictor
    from fundus_plugins.prediction.release import PACKAGED

    if config_file:
        cfg = load_config(config_file, [*(["MODEL.WEIGHTS", weights] if weights else []), *overrides])
    else:
        cfg = load_release(weights or PACKAGED, overrides)
    result = predict_to_folder(FundusPredictor(cfg), files, output)
    photographs = f"{result.predicted} photograph{'s' * (result.predicted != 1)}"
    print(f"{photographs}, {result.missed} without a detected disc, {result.flagged} flagged for review -> {output}")
    return report_failures([*unused, *result.failures])


def split_words(words: tuple[str, ...]) -> tuple[list[Path], list[str]]:
    """Paths of photographs, and KEY VALUE pairs, which may stand among them."""
    photographs: list[Path] = []
    overrides: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if is_key(word):
            overrides += [word, *rest[:1]]
            del rest[:1]
        else:
            photographs.append(Path(word))
    return photographs, pairs(overrides)


def list_unused(paths: list[Path], files: list[Path], output: Path) -> list[str]:
    """A line for every kind of file in the folders that were given which is not read; their folders are named alone."""
    from fundus_plugins.photographs.folders import unused_pictures, walk_files

    lines = []
    for root in (path for path in dict.fromkeys(paths) if path.is_dir()):
        ours = {file.relative_to(root) for file in files if file.parent == root}
        found = [x for x in walk_files(root) if not (root / x).resolve().is_relative_to(output.resolve())]
        problems = unused_pictures(root, found, ours, "")
        lines += [str(x) for x in problems if x.kind != "unused folder" and x.file == root]
        for problem in problems:
            if problem.kind == "unused folder":
                print(f"not searched: {problem.file}, {problem.found}; name it, too, to read it", file=sys.stderr)
    return lines


def list_photographs(paths: list[Path]) -> list[Path]:
    """The photographs that are meant: files as they are, of a folder those with a photograph's suffix, sorted."""
    from fundus_plugins.photographs.folders import list_folder

    if not paths:
        raise click.UsageError("no photographs given: name files or folders")
    files: list[Path] = []
    for path in paths:
        found = list_folder(path) if path.is_dir() else [path]
        if not found or not found[0].exists():
            raise click.UsageError(f"no photographs at {path}")
        files += found
    return list(dict.fromkeys(files))
