"""What a mask branch could reach at best: the true masks, taken to its grid and back."""

from collections.abc import Sequence
from pathlib import Path

import detectron2.data.transforms as T
import numpy as np
import torch
from detectron2.modeling.postprocessing import detector_postprocess
from detectron2.structures import BitMasks, Instances
from tabulate import tabulate

from fundus_plugins.data.mask_files import list_masks
from fundus_plugins.data.structures import CUP, DISC, DiscCupMasks, best_disc_and_cup
from fundus_plugins.measures.bootstrap import mean_interval
from fundus_plugins.measures.disc_cup import compare_disc_and_cup
from fundus_plugins.photographs.problems import BadInput, Problem

METRICS = ("dice_oc", "dice_od", "miou", "vcdr_mae")


def through_the_grid(disc: np.ndarray, cup: np.ndarray, *, input_size: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The disc and cup that a model would give if its box and every cell of its side x side grid were right.

    As in training the masks are resized to the input, sampled within the disc's box and set to 0 or 1; as at inference
    they are then pasted into the photograph and cut at one half.

    Args:
        disc, cup: (H, W) bool, pixels of the photograph; the disc is not empty.
        input_size: pixels on the longer side of the network's input.
        side: of the grid, cells.

    Returns:
        disc and cup, (H, W) bool.
    """
    resize = T.ResizeShortestEdge([input_size], input_size, "choice").get_transform(disc)
    masks = torch.from_numpy(np.stack([resize.apply_segmentation(mask.astype(np.uint8)) for mask in (disc, cup)]))
    boxes = BitMasks(masks[None, DISC].bool()).get_bounding_boxes()
    grid = DiscCupMasks(masks[None], torch.ones(1, 2, dtype=torch.bool)).crop_and_resize(boxes.tensor, side)
    rows = Instances(tuple(masks.shape[-2:]))
    rows.pred_boxes = type(boxes)(boxes.tensor.repeat(2, 1))
    rows.scores = torch.ones(2)
    rows.pred_classes = torch.tensor([DISC, CUP])
    rows.pred_masks = grid[0, :, None]
    return best_disc_and_cup(detector_postprocess(rows, *disc.shape), disc.shape)[:2]


def measure_sides(
    truth: Path, sides: Sequence[int], input_size: int
) -> tuple[dict[int, dict[str, dict[str, float]]], int, list[Problem]]:
    """METRICS of every true mask taken through grids of each side: means and intervals, how many masks, problems.

    `truth` is what `list_masks` reads; masks without a disc are left out. Raises BadInput where there are none.
    """
    masks = list_masks(truth)
    rows: dict[int, list[dict]] = {side: [] for side in sides}
    problems = list(masks.problems)
    for read in masks.masks.values():
        try:
            disc, cup = read()
        except BadInput as error:
            problems.append(error.problem)
            continue
        if disc is None or not disc.any():
            continue
        for side in sides:
            found = through_the_grid(disc, disc if cup is None else cup, input_size=input_size, side=side)
            rows[side].append(compare_disc_and_cup(*found, disc, cup))
    figures = {
        side: {x: dict(zip(("mean", "low", "high"), mean_interval([row[x] for row in own]))) for x in METRICS}
        for side, own in rows.items()
    }
    return figures, len(next(iter(rows.values()))), problems


def sides_markdown(figures: dict[int, dict[str, dict[str, float]]]) -> str:
    """What `measure_sides` gives, as a table."""
    cells = [
        [side, *("{mean:.4f} ({low:.4f} to {high:.4f})".format(**own[x]) for x in METRICS)]
        for side, own in figures.items()
    ]
    return tabulate(cells, headers=("side", *METRICS), tablefmt="github", disable_numparse=True)
