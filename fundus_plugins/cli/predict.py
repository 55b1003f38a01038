"""`fundus predict`: photographs to overlays and a table."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from fundus_plugins.children import cores
from fundus_plugins.photographs.remote import is_url

from .options import (
    PATH,
    LateChoice,
    Several,
    config_option,
    is_key,
    load_config,
    load_release,
    pairs,
    report_failures,
)
from .ray_option import RayCommand, ray_option

if TYPE_CHECKING:
    from detectron2.config import CfgNode


ENGINES = {"onnxruntime": ".onnx", "torch": ".safetensors"}  # by the kind of weights that they read
A_WORKER = 8  # photographs, for which starting another process pays
MOST_WORKERS = 16  # unless more are asked for


class _PathOrUrl(click.Path):
    def convert(self, value, param, ctx):
        return value if is_url(value) else super().convert(value, param, ctx)


PATH_OR_URL = _PathOrUrl(path_type=Path)


@click.command(cls=RayCommand)
@config_option()
@click.option(
    "--weights",
    metavar="FILE",
    help="of `fundus export` (.onnx), of `fundus release` (.safetensors), or with --config-file a checkpoint; "
    "default: the config's, or the packaged ones",
)
@click.option(
    "--engine",
    type=click.Choice(list(ENGINES)),
    help="what runs the packaged weights; default: onnxruntime, or torch with KEY VALUE pairs",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help=f"processes; default: one for each core and {A_WORKER} photographs with onnxruntime, 1 with torch",
)
@ray_option(
    "on Ray: of this machine; auto: the one that it is part of; or a head's host:port. Rows go to the parts of "
    "predictions.parquet, in a folder that all machines share, or at a URL"
)
@click.option("--input", "photographs", cls=Several, type=PATH_OR_URL, help="the same as PHOTOGRAPHS")
@click.option(
    "--output",
    required=True,
    type=PATH_OR_URL,
    help="another folder, for everything that is written, or with --ray a URL",
)
@click.option("--recursive", is_flag=True, help="folders within folders, too")
@click.option(
    "--write",
    cls=Several,
    type=LateChoice("fundus_plugins.prediction.run.options:KINDS"),
    help="what to write; default: csv overlays report; with --ray the rows, and of few photographs csv and report",
)
@click.option(
    "--mask-coding",
    type=LateChoice("fundus_plugins.prediction.run.options:CODINGS"),
    default="refuge",
    show_default=True,
    help="of mask files: 0 cup, 128 rim, 255 background; or 0 background, 1 rim, 2 cup",
)
@click.option(
    "--mm-per-pixel",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="MM",
    help="on the retina, of photographs of which neither a list nor a header tells the scale",
)
@click.option(
    "--split/--no-split",
    default=None,
    help="the report's pictures in files beside it, or in the page; default: in the page, unless it would be large",
)
@click.option(
    "--masks-from",
    type=PATH,
    help="outlines that a person corrected: a folder of LabelMe files or of masks, or a COCO JSON; they go before the "
    "model's",
)
@click.option(
    "--grade/--no-grade",
    default=None,
    help="grade glaucoma; default: with the packaged weights, whose outlines the grader knows",
)
@click.option("--overwrite", is_flag=True, help="begin anew, whatever --output holds of an earlier run")
@click.argument("words", nargs=-1, metavar="[PHOTOGRAPHS]... [KEY VALUE]...")
def command(
    config_file,
    weights,
    engine,
    workers,
    ray,
    photographs,
    output,
    recursive,
    write,
    mask_coding,
    mm_per_pixel,
    masks_from,
    split,
    grade,
    overwrite,
    words,
):
    """Outline the optic disc and cup, measure the nerve head, grade it, and write a table, overlays and a report.

    PHOTOGRAPHS: files (JPEG, PNG, TIFF, BMP, WebP, DICOM), folders, patterns, ZIP files, or lists (.csv, .parquet;
    columns path and, if known, id, eye, patient, mm_per_pixel); or URLs of files, folders and lists, such as
    s3://bucket/folder. The same command goes on where it was stopped.

    Without --config-file, --weights is a file that holds its config; without either it is the packaged one. KEY VALUE
    pairs of the config are for torch, which alone needs PyTorch and Detectron2.
    """
    given, overrides = split_words(words)
    engine = choose_engine(engine, config_file, weights, overrides)
    if engine == "onnxruntime":
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's products are small; its threads wait at full speed
    paths = [*photographs, *given]
    if not paths:
        raise click.UsageError("no photographs given: name files or folders")
    from fundus_plugins.photographs.listing import list_sources

    local = [x for x in paths if isinstance(x, Path)]
    without = check_output(output, local, write, ray)
    sources = list_sources(paths, recursive=recursive, without=without)
    files = [x.path for x in sources if not x.url]
    unused = list_unused(local, files, without, recursive)

    from fundus_plugins.prediction.predictor import PACKAGED, FundusPredictor
    from fundus_plugins.prediction.run.options import DEFAULT, Options
    from fundus_plugins.prediction.run.run import predict_sources

    if ray:
        from fundus_plugins.prediction.cluster.connection import require_ray

        require_ray()
    if grade is None:
        grade = engine == "onnxruntime" and not weights or weights == str(PACKAGED)
    if engine == "onnxruntime":
        if not ray:
            workers = workers or max(1, min(cores(), MOST_WORKERS, len(sources) // A_WORKER))
        threads = 1 if ray or workers > 1 else None
        # The packaged one is where the package is, on every machine.
        predictor = partial(FundusPredictor, *([weights] if weights else []), threads=threads, grade=grade)
        made = {"engine": engine, "weights": hash_of(weights or PACKAGED)}
    else:
        workers = workers or (None if ray else 1)
        cfg = torch_config(config_file, weights, overrides)
        predictor = partial(FundusPredictor, cfg, grade=grade)
        made = {"engine": engine, "weights": hash_of(cfg.MODEL.WEIGHTS), "config": cfg.dump()}
    from fundus_plugins.prediction import gradability, grading

    made["gradability"] = hash_of(gradability.FILE)
    made["grader"] = hash_of(grading.FILE) + hash_of(grading.NETWORK) if grade else None
    chosen = tuple(dict.fromkeys(write)) or (() if ray else DEFAULT)
    options = Options(chosen, mask_coding, mm_per_pixel, os.path.abspath(masks_from) if masks_from else None)
    if ray:
        from fundus_plugins.prediction.cluster.pool import Place
        from fundus_plugins.prediction.cluster.run import predict_on_ray

        place = Place(ray, workers, gpu=engine == "torch", weights=os.path.abspath(weights) if weights else "")
        result = predict_on_ray(predictor, sources, output, options, place, made=made, overwrite=overwrite, split=split)
    else:
        result = predict_sources(
            predictor, sources, output, options, made=made, workers=workers, overwrite=overwrite, split=split
        )
    photographs = f"{result.predicted} photograph{'s' * (result.predicted != 1)}"
    before = f" ({result.before} done before)" if result.before else ""
    by_person = f"{result.corrected} with a person's outlines, " if masks_from else ""
    cupless = f", {result.cupless} without a detected cup" if result.cupless else ""
    doubts = f"{result.missed} without a detected disc{cupless}, {result.ungradable} ungradable"
    print(f"{photographs}{before}, {by_person}{doubts}, {result.flagged} flagged for review -> {output}")
    if result.unused:
        print(f"not used: {result.unused} of {masks_from}, which are of no photograph that is given", file=sys.stderr)
    if isinstance(output, Path) and (output / "report.html").exists() and (ray or "report" in chosen):
        print(f"open {output / 'report.html'}")
    return report_failures([*unused, *result.failures])


def check_output(output: Path | str, photographs: list[Path], write: tuple[str, ...], ray: str | None) -> Path | None:
    """The folder to be written to, as it really is; None of a URL. Raises UsageError where it will not do."""
    if isinstance(output, str):
        if not ray or set(write) - {"parquet"}:
            given = f"--write {next(x for x in write if x != 'parquet')}" if ray else "a run without --ray"
            raise click.UsageError(f"{output} is a URL, and {given} needs a folder")
        return None
    if output.resolve() in {(x if x.is_dir() else x.parent).resolve() for x in photographs if x.exists()}:
        raise click.UsageError(f"{output} holds the photographs; choose another folder, so that none is overwritten")
    if ray and "jsonl" in write:
        raise click.UsageError("--write jsonl: with --ray the records are in predictions.parquet, column record")
    if not ray and (output / "predictions.parquet").is_dir():
        raise click.UsageError(f"{output} holds a run of --ray; choose another --output, or say --ray")
    return output.resolve()


def hash_of(weights: str | os.PathLike) -> str:
    """Which weights these are; nothing where there are none, which the engine tells."""
    from fundus_plugins.files import file_hash

    path = str(weights)
    if not path.endswith((ENGINES["onnxruntime"], ".json")):
        from fundus_plugins.weights.loading import local_weights

        try:
            path = local_weights(path)
        except (OSError, ValueError):
            return ""
    return file_hash(path)[:16] if os.path.isfile(path) else ""


def choose_engine(engine: str | None, config_file: str | None, weights: str | None, overrides: list[str]) -> str:
    """One of ENGINES, as the weights and the rest ask for. Raises UsageError for one that cannot run them."""
    exported = weights is not None and weights.endswith(ENGINES["onnxruntime"])
    if exported:
        wanted, why = "onnxruntime", f"{weights} is an exported model"
    elif weights:
        wanted, why = "torch", f"{weights} is no exported model (.onnx)"
    elif config_file or overrides:
        wanted, why = "torch", "a config is given"
    else:
        return engine or "onnxruntime"
    if engine not in (None, wanted):
        raise click.UsageError(f"--engine {engine}: {why}, which needs {wanted}")
    if exported and (config_file or overrides):
        given = config_file or overrides[0]
        raise click.UsageError(f"{weights} is an exported model, whose config cannot be changed: {given}")
    return wanted


def torch_config(config_file: str | None, weights: str | None, overrides: list[str]) -> "CfgNode":
    """Of a config file, or of weights that hold theirs."""
    from fundus_plugins.prediction.release import PACKAGED

    if config_file:
        return load_config(config_file, [*(["MODEL.WEIGHTS", weights] if weights else []), *overrides])
    return load_release(weights or PACKAGED, overrides)


def split_words(words: tuple[str, ...]) -> tuple[list[Path | str], list[str]]:
    """Paths and URLs of photographs, and KEY VALUE pairs, which may stand among them."""
    photographs: list[Path | str] = []
    overrides: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if is_key(word):
            overrides += [word, *rest[:1]]
            del rest[:1]
        else:
            photographs.append(word if is_url(word) else Path(word))
    return photographs, pairs(overrides)


def list_unused(paths: list[Path], files: list[Path], output: Path | None, recursive: bool = False) -> list[str]:
    """A line for every kind of file in the folders that were given which is not read; their folders are named alone."""
    from fundus_plugins.photographs.folders import unused_pictures, walk_files

    lines = []
    for root in (path for path in dict.fromkeys(paths) if path.is_dir()):
        ours = {file.relative_to(root) for file in files if file.is_relative_to(root)}
        found = [
            x
            for x in walk_files(root, everything=recursive)
            if not output or not Path(os.path.realpath(root / x)).is_relative_to(output)
        ]
        problems = unused_pictures(root, found, ours, "")
        lines += [str(x) for x in problems if x.kind != "unused folder" and (recursive or x.file == root)]
        for problem in problems:
            if problem.kind == "unused folder":
                print(
                    f"not searched: {problem.file}, {problem.found}; name it, too, or say --recursive", file=sys.stderr
                )
    return lines
