"""`fundus check`: is a data set what it should be?"""

import json
import os
import sys
from pathlib import Path

import rich_click as click

from .options import PATH, Command, Several


@click.command(cls=Command)
@click.argument("sets", nargs=-1, required=True, metavar="SET...")
@click.option("--output", type=PATH, help="a folder for check.json and strangest.png")
@click.option("--categories", cls=Several, metavar="disc=NAME", help="names of categories beside the usual ones")
@click.option("--processes", type=click.IntRange(min=1), default=os.cpu_count() or 1, help="default: one per processor")
def command(sets, output, categories, processes):
    """Look at every photograph, mask and grade of data sets: errors, warnings, and what is worth knowing.

    SET: a data set (drishti_gs1: all of its splits that are there), one registered split (drishti_gs1_train), or a
    COCO JSON of your own. Errors make training or evaluation wrong, or stop it; warnings may. The exit code is 1 if
    there are errors. With --output, strangest.png shows the photographs that differ most from the rest, outlined.
    """
    from tabulate import tabulate

    from fundus_plugins.data.checks.check import check_sets, some
    from fundus_plugins.data.checks.findings import strangest
    from fundus_plugins.files import atomic_write

    names = registered_names(sets, categories)
    check = check_sets(names, categories=categories, processes=processes)
    cells = [
        (x.level, x.kind, x.dataset, x.number, x.text + (f": {some(x.examples)}" if x.examples else ""))
        for x in check.findings
    ]
    print(tabulate(cells, headers=("", "", "set", "number", ""), maxcolwidths=[None, 24, 32, None, 90]))
    if output:
        document = {"sets": names, "findings": [vars(x) for x in check.findings]}
        with atomic_write(output / "check.json") as file:
            json.dump(document, file, indent=1)
        chosen = [x for name in names for x in strangest(check.examined.get(name, ()))][:16]
        if chosen:
            _draw(names, [x.file_name for x in chosen], categories, output / "strangest.png")
    errors, warnings = len(check.of("error")), len(check.of("warning"))
    print(f"{', '.join(names)}: errors: {errors}, warnings: {warnings}", file=sys.stderr)
    return 1 if errors else 0


def registered_names(sets, categories) -> list[str]:
    """Names of registered sets from those of whole data sets, of splits, and paths of JSON files."""
    from fundus_plugins.data.registration import (
        FUNDUS_DATASETS,
        datasets_root,
        register_fundus_datasets,
        require_dataset,
    )

    register_fundus_datasets(categories=categories)
    names: list[str] = []
    for word in sets:
        if word in FUNDUS_DATASETS and not Path(word).is_file():
            folder = Path(datasets_root()) / word
            own = [f"{split}{kind}" for split in FUNDUS_DATASETS[word][0] for kind in ("", "_grading")]
            there = [f"{word}_{stem}" for stem in own if (folder / f"{stem}.json").is_file()]
            if not there:
                require_dataset(f"{word}_{own[0]}")
            names += there
            continue
        require_dataset(word, categories)
        names.append(word)
    return list(dict.fromkeys(names))


def _draw(names, files, categories, path: Path) -> None:
    from detectron2.data import DatasetCatalog

    from fundus_plugins.data.annotations import CUP, DISC, disc_and_cup, parse_categories
    from fundus_plugins.data.coco import AnnotatedImage, mask_to_rle
    from fundus_plugins.data.preview import write_tiles
    from fundus_plugins.data.registration import disc_cup_structures
    from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio

    tiles: dict[str, AnnotatedImage] = {}
    for name in names:
        if name.removesuffix(".json").endswith("_grading"):
            continue
        structures = disc_cup_structures(name, parse_categories(categories))
        for record in DatasetCatalog.get(name):
            if record["file_name"] in files and record["file_name"] not in tiles:
                size = record["height"], record["width"]
                masks = disc_and_cup(record["annotations"], structures, size, record["file_name"])
                disc, cup = masks[DISC], masks.get(CUP)
                ratio = None if cup is None else vertical_cup_to_disc_ratio(disc, cup)
                rles = (mask_to_rle(disc), None if cup is None else mask_to_rle(cup))
                tiles[record["file_name"]] = AnnotatedImage(Path(record["file_name"]), *size, *rles, ratio, None)
    write_tiles([tiles[file] for file in dict.fromkeys(files) if file in tiles], path)
    print(f"the strangest: {path}", file=sys.stderr)
