"""What a wrong square about the disc costs: networks trained on squares, measured on right, found and wrong ones.

    fundus predict PHOTOGRAPHS --output output/discs --write coco
    python docs/scripts/wrong_crops.py --true RUNS/unet_smp_drishti_x/seed0 --whole RUNS/unet_smp_drishti_y/seed0 \\
        --discs output/discs/predictions.coco.json --output docs/results/tables/wrong_crops

RUNS is the folder `runs` of tables/disc_crop.yaml's output: folders with a run for each fold, whose held-out
photographs are measured by its last weights. Wrong squares are about the true disc, moved to a side drawn by the
photograph's name, or larger or smaller than they should be.
"""

import argparse
import csv
import json
import tempfile
import zlib
from pathlib import Path

import numpy as np
import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.data import DatasetCatalog
from detectron2.evaluation import inference_on_dataset
from processor import processor
from tabulate import tabulate

from fundus_plugins.boxes import box_of
from fundus_plugins.config import get_fundus_cfg
from fundus_plugins.data.annotations import DISC, disc_and_cup
from fundus_plugins.data.registration import disc_cup_structures, register_fundus_datasets
from fundus_plugins.engine.trainer import FundusTrainer
from fundus_plugins.files import atomic_write
from fundus_plugins.measures.bootstrap import mean_interval
from fundus_plugins.provenance import command_line, current_commit

METRICS = {"dice_oc": "Dice, cup", "dice_od": "Dice, disc", "vcdr_mae": "vCDR error"}
MOVED, SCALED = (0.25, 0.5, 0.75), (0.5, 0.75, 1.5, 2.0)
REFERENCE = "square about the true disc"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--true", type=Path, required=True)
    parser.add_argument("--whole", type=Path, required=True)
    parser.add_argument("--discs", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    chosen = parser.parse_args()
    register_fundus_datasets()
    found: dict[str, dict[str, dict]] = {}
    for run in sorted(chosen.whole.glob("*/result.json")):
        collect(found, "whole photograph, no square", run.parent, [])
    for run in sorted(chosen.true.glob("*/result.json")):
        collect(found, REFERENCE, run.parent, ["INPUT.DISC_CROP.ABOUT", "true"])
        about(found, "about the disc that RF-Net finds", run.parent, chosen.discs)
        dataset = get_fundus_cfg(str(run.parent / "config.yaml")).DATASETS.TEST[0]
        boxes = true_boxes(dataset)
        for part in MOVED:
            wrong(found, f"moved by {part:g} of the disc's diameter", run.parent, dataset, moved(boxes, part))
        for factor in SCALED:
            wrong(found, f"{factor:g} times as large", run.parent, dataset, scaled(boxes, factor))
        none = {name: None for name in boxes}
        wrong(found, "no disc found: the photograph as the square", run.parent, dataset, none)
    with atomic_write(chosen.output.with_suffix(".md")) as file:
        file.write(page(found))


def true_boxes(dataset: str) -> dict[str, np.ndarray | None]:
    """XYXY of the true disc by the photograph's file name."""
    boxes, structures = {}, disc_cup_structures(dataset)
    for record in DatasetCatalog.get(dataset):
        shape = record["height"], record["width"]
        disc = disc_and_cup(record["annotations"], structures, shape, record["file_name"])[DISC]
        boxes[Path(record["file_name"]).name] = np.array(box_of(disc > 0), float)
    return boxes


def moved(boxes: dict, part: float) -> dict:
    """The boxes moved by a part of their height, each to a side of its own."""
    found = {}
    for name, box in boxes.items():
        angle = 2 * np.pi * (zlib.crc32(name.encode()) / 2**32)
        step = part * (box[3] - box[1]) * np.array([np.cos(angle), np.sin(angle)])
        found[name] = box + np.tile(step, 2)
    return found


def scaled(boxes: dict, factor: float) -> dict:
    """The boxes about their middles."""
    found = {}
    for name, box in boxes.items():
        middle, half = (box[:2] + box[2:]) / 2, factor * (box[2:] - box[:2]) / 2
        found[name] = np.concatenate([middle - half, middle + half])
    return found


def wrong(found: dict, name: str, run: Path, dataset: str, boxes: dict) -> None:
    """Measure with these boxes as the detected discs; None: none was found."""
    sizes = {Path(x["file_name"]).name: (x["height"], x["width"]) for x in DatasetCatalog.get(dataset)}
    images = [{"id": i, "file_name": x, "height": sizes[x][0], "width": sizes[x][1]} for i, x in enumerate(boxes)]
    annotations = [
        {"id": i, "image_id": i, "category_id": 1, "bbox": [*map(float, (*x[:2], *(x[2:] - x[:2])))], "score": 1.0}
        for i, x in enumerate(boxes.values())
        if x is not None
    ]
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "optic_disc"}]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "discs.json")
        path.write_text(json.dumps(document))
        about(found, name, run, path)


def about(found: dict, name: str, run: Path, discs: Path) -> None:
    collect(found, name, run, ["INPUT.DISC_CROP.ABOUT", "detected", "INPUT.DISC_CROP.DISCS", str(discs)])


@torch.inference_mode()
def collect(found: dict, name: str, run: Path, keys: list[str]) -> None:
    """Add a run's photographs, by file name, to `found[name]`."""
    with tempfile.TemporaryDirectory() as folder:
        common = ["MODEL.DEVICE", "cpu", "TEST.PRECISION", "float32", "OUTPUT_DIR", folder, "MODEL.WEIGHTS"]
        cfg = get_fundus_cfg(str(run / "config.yaml"), [*common, str(run / "model_final.pth"), *keys])
        model = FundusTrainer.build_model(cfg).eval()
        DetectionCheckpointer(model).load(cfg.MODEL.WEIGHTS)
        dataset = cfg.DATASETS.TEST[0]
        loader, evaluator = FundusTrainer.build_test_loader(cfg, dataset), FundusTrainer.build_evaluator(cfg, dataset)
        inference_on_dataset(model, loader, evaluator)
        (path,) = Path(folder).rglob("*_images.csv")
        with open(path, newline="", encoding="utf-8") as file:
            found.setdefault(name, {}).update({x["file_name"]: x for x in csv.DictReader(file)})


def page(found: dict) -> str:
    """Means and differences to the true squares, photograph by photograph."""
    rows = []
    for name, images in found.items():
        cells = [name, len(images)]
        for metric in METRICS:
            values = np.array([float(x[metric]) for x in images.values()])
            cells.append("{:.3f} ({:.3f} to {:.3f})".format(*mean_interval(values)))
            if name != REFERENCE:
                less = values - [float(found[REFERENCE][x][metric]) for x in images]
                cells.append("{:+.3f} ({:+.3f} to {:+.3f})".format(*mean_interval(less)))
            else:
                cells.append("")
        rows.append(cells)
    heading = ["", "photographs", "Dice, cup", "less the true squares'", "Dice, disc", "less", "vCDR error", "less"]
    table = tabulate(rows, heading, "github", disable_numparse=True)
    return f"""# What a wrong square about the disc costs

A U-Net over RF-Net's backbone, trained on squares of two disc diameters about the true disc, which are off by up to
0.15 of it in training, and one trained on whole photographs; held-out photographs of Drishti-GS1 in folds. 95 %
bootstrap intervals over photographs. Moved: to a side drawn by the photograph's name.

{table}

{processor()}; commit {current_commit()}:

    {command_line()}
"""


if __name__ == "__main__":
    main()
