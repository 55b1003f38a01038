"""From records to annotated images: every photograph is opened and checked with its masks."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fundus_plugins.data.coco import AnnotatedImage, mask_to_rle
from fundus_plugins.data.converters.record import Record
from fundus_plugins.data.converters.stereo import left_shape
from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio
from fundus_plugins.photographs.anatomy import cup_within_disc, refuse_impossible
from fundus_plugins.photographs.photograph import shape_and_orientation
from fundus_plugins.photographs.problems import BadInput, Problem


def annotate(
    records: Sequence[Record], processes: int
) -> tuple[list[AnnotatedImage | None], list[Problem], list[Path]]:
    """Open and check every record, in order; None stands for one that is left out.

    The paths are of photographs with masks which were turned without another size telling whether the masks were.
    """
    # "disable" None: not in a log
    bar: dict[str, Any] = {"total": len(records), "unit": "image", "desc": "converting", "disable": None}
    if processes > 1 and len(records) > 1:
        with ProcessPoolExecutor(min(processes, len(records))) as pool:
            results = list(tqdm(pool.map(annotate_one, records, chunksize=4), **bar))
    else:
        results = [annotate_one(record) for record in tqdm(records, **bar)]
    images, problems, turns = zip(*results) if results else ((), (), ())
    turned = [record.photograph for record, turn in zip(records, turns, strict=True) if turn]
    return list(images), [problem for some in problems for problem in some], turned


def annotate_one(record: Record) -> tuple[AnnotatedImage | None, list[Problem], bool]:
    """Read one record's photograph and masks; what cannot be used becomes a Problem, no image.

    Returns with them whether the photograph has masks and was turned, its size staying the same.
    """
    disc, cup = None, None
    drawn: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    problems: list[Problem] = []
    try:
        shape, number = shape_and_orientation(record.photograph)
        if record.stereo:
            shape = left_shape(record.photograph, shape)
        if record.readers:
            (disc, cup), drawn = record.readers.read(record.photograph, shape, problems)
        elif record.read_masks:
            disc, cup = record.read_masks(shape)
        if disc is not None and not disc.any():
            raise BadInput("empty disc", record.photograph, "a mask with a disc", "none of its pixels is disc")
        refuse_impossible(record.photograph, disc, cup)
        if disc is not None and cup is not None:
            cup, problem = cup_within_disc(record.photograph, disc, cup)
            problems += [problem] if problem else []
    except BadInput as error:
        return None, [*problems, error.problem], False
    image = AnnotatedImage(
        photograph=record.left_view or record.photograph,
        height=shape[0],
        width=shape[1],
        disc=None if disc is None else mask_to_rle(disc),
        cup=None if cup is None else mask_to_rle(cup),
        vcdr=None if disc is None or cup is None else vertical_cup_to_disc_ratio(disc, cup),
        grade=record.grade,
        patient=record.patient,
        readers={name: (mask_to_rle(x[0]), None if x[1] is None else mask_to_rle(x[1])) for name, x in drawn.items()},
    )
    same_size = number in (2, 3, 4) or number > 4 and shape[0] == shape[1]
    return image, problems, disc is not None and same_size
