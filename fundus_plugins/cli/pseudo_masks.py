"""`fundus pseudo-masks`: a trained model's surest outlines as a data set."""

from pathlib import Path

import rich_click as click

from .options import PATH, Command, load_release, report_failures
from .predict import split_words

FIELDS = ("agreement", "ellipse", "score")


@click.command(cls=Command)
@click.option("--weights", metavar="FILE", help="the teacher, of `fundus release`; default: the packaged one")
@click.option("--output", required=True, type=PATH, metavar="FILE.json", help="COCO JSON to train on")
@click.option("--agreement", type=click.FloatRange(0, 1), help="of the views' masks, at least")
@click.option("--ellipse", type=click.FloatRange(0, 1), help="IoU of the disc with an ellipse, at least")
@click.option("--score", type=click.FloatRange(0, 1), help="of the detection, at least")
@click.argument("words", nargs=-1, required=True, metavar="PHOTOGRAPHS... [KEY VALUE]...")
def command(weights, output, words, **limits):
    """Outline photographs that nobody outlined, and keep what the model is sure of, to train another on.

    PHOTOGRAPHS: files, or folders of them. Kept are those in which the views agree, the disc has a disc's shape and
    size, and the field is lit; the JSON's `info` says by which limits, and whose outlines they are. The same command
    goes on where it was interrupted.
    """
    given, overrides = split_words(words)
    files = list_photographs(given)

    from fundus_plugins.experiments.pseudo_masks import Limits, write_pseudo_masks
    from fundus_plugins.files import file_hash
    from fundus_plugins.prediction.predictor import FundusPredictor
    from fundus_plugins.prediction.release import PACKAGED
    from fundus_plugins.weights.loading import local_weights

    teacher = weights or PACKAGED
    cfg = load_release(teacher, overrides)
    facts = {"teacher": teacher, "teacher_sha256": file_hash(local_weights(teacher)), "options": overrides}
    chosen = Limits(**{name: limits[name] for name in FIELDS if limits[name] is not None})
    counts, failures = write_pseudo_masks(FundusPredictor(cfg), files, output, chosen, facts)
    for reason, number in counts.most_common():
        print(f"{number} {reason}")
    print(f"{counts['kept']} of {len(files)} photographs -> {output}")
    return report_failures(failures)


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
