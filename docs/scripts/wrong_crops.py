"""What a wrong square about the disc costs: networks trained on squares, measured on right, found and wrong ones.

    python docs/scripts/wrong_crops.py --network "a U-Net over RF-Net's backbone" \\
        --true RUNS/unet_smp_drishti_x/seed0 --whole RUNS/unet_smp_drishti_y/seed0 \\
        --detector RUNS/rfnet_drishti_y/seed0 --output docs/results/tables/wrong_crops_unet

RUNS is the folder `runs` of tables/disc_crop.yaml's output, which table1.yaml shares: folders with a run for each fold,
whose held-out photographs are measured by its last weights. Found squares are about the disc that the detector of the
same fold finds, which has not seen the photograph either. Wrong ones are about the true disc, moved to a side drawn by
the photograph's name, or larger or smaller than they should be. OUTPUT.csv is every photograph's, as between_rows.py
reads them.
"""

import argparse
import csv
import json
import re
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
from fundus_plugins.experiments.in_processes import each_in_processes
from fundus_plugins.files import atomic_write
from fundus_plugins.measures.bootstrap import mean_interval
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.prediction.predictor import FundusPredictor
from fundus_plugins.provenance import command_line, current_commit

METRICS = {"dice_oc": "Dice, cup", "dice_od": "Dice, disc", "vcdr_mae": "vCDR error"}
MOVED, SCALED = (0.25, 0.5, 0.75), (0.5, 0.75, 1.5, 2.0)
REFERENCE = "square about the true disc"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", required=True, help="what it is, as the page calls it")
    parser.add_argument("--true", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--whole", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--detector", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1, help="folds side by side")
    chosen = parser.parse_args()
    runs = sorted(x.parent for x in chosen.true.glob("*/result.json"))
    if not runs:
        parser.error(f"{chosen.true}: expected a folder of finished runs")
    for other in (x / run.name for x in (chosen.whole, chosen.detector) for run in runs):
        if not (other / "result.json").is_file():
            parser.error(f"{other}: expected the finished run of this fold, too")
    more = chosen.whole, chosen.detector, chosen.device
    folds = dict(each_in_processes(measure, runs, *more, jobs=chosen.jobs))
    found: dict[str, dict[str, dict]] = {}
    for place in range(len(runs)):
        for name, images in folds[place].items():
            found.setdefault(name, {}).update(images)
    write_photographs(found, chosen.network, chosen.output.with_suffix(".csv"))
    with atomic_write(chosen.output.with_suffix(".md")) as file:
        file.write(page(found, chosen.network, chosen.device))


def measure(run: Path, whole: Path, detector: Path, device: str) -> dict[str, dict[str, dict]]:
    """A fold's photographs, by square and file name."""
    register_fundus_datasets()
    found: dict[str, dict[str, dict]] = {}
    collect(found, "whole photograph, no square", whole / run.name, device, [])
    collect(found, REFERENCE, run, device, ["INPUT.DISC_CROP.ABOUT", "true"])
    dataset = get_fundus_cfg(str(run / "config.yaml")).DATASETS.TEST[0]
    boxes = true_boxes(dataset)
    squares = {"about the disc that RF-Net finds": detected(detector / run.name, dataset, device)}
    squares |= {f"moved by {part:g} of the disc's diameter": moved(boxes, part) for part in MOVED}
    squares |= {f"{factor:g} times as large": scaled(boxes, factor) for factor in SCALED}
    squares |= {"no disc found: the photograph as the square": dict.fromkeys(boxes)}
    for name, wrong in squares.items():
        about(found, name, run, device, dataset, wrong)
    return found


def true_boxes(dataset: str) -> dict[str, np.ndarray | None]:
    """XYXY of the true disc by the photograph's file name."""
    boxes, structures = {}, disc_cup_structures(dataset)
    for record in DatasetCatalog.get(dataset):
        shape = record["height"], record["width"]
        disc = disc_and_cup(record["annotations"], structures, shape, record["file_name"])[DISC]
        boxes[Path(record["file_name"]).name] = np.array(box_of(disc > 0), float)
    return boxes


def detected(run: Path, dataset: str, device: str) -> dict[str, np.ndarray | None]:
    """XYXY of the disc that a run's last weights find, by the photograph's file name; None: they find none."""
    keys = ["MODEL.DEVICE", device, "TEST.PRECISION", "float32", "MODEL.WEIGHTS", str(run / "model_final.pth")]
    predictor = FundusPredictor(get_fundus_cfg(str(run / "config.yaml"), keys), grade=False)
    boxes = {}
    for record in DatasetCatalog.get(dataset):
        disc = predictor(read_photograph(record["file_name"])).disc
        boxes[Path(record["file_name"]).name] = np.array(box_of(disc), float) if disc.any() else None
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


def about(found: dict, name: str, run: Path, device: str, dataset: str, boxes: dict) -> None:
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
        collect(found, name, run, device, ["INPUT.DISC_CROP.ABOUT", "detected", "INPUT.DISC_CROP.DISCS", str(path)])


@torch.inference_mode()
def collect(found: dict, name: str, run: Path, device: str, keys: list[str]) -> None:
    """Add a run's photographs, by file name, to `found[name]`."""
    with tempfile.TemporaryDirectory() as folder:
        common = ["MODEL.DEVICE", device, "TEST.PRECISION", "float32", "OUTPUT_DIR", folder, "MODEL.WEIGHTS"]
        cfg = get_fundus_cfg(str(run / "config.yaml"), [*common, str(run / "model_final.pth"), *keys])
        model = FundusTrainer.build_model(cfg).eval()
        DetectionCheckpointer(model).load(cfg.MODEL.WEIGHTS)
        dataset = cfg.DATASETS.TEST[0]
        loader, evaluator = FundusTrainer.build_test_loader(cfg, dataset), FundusTrainer.build_evaluator(cfg, dataset)
        inference_on_dataset(model, loader, evaluator)
        (path,) = Path(folder).rglob("*_images.csv")
        with open(path, newline="", encoding="utf-8") as file:
            fold = {"row": name, "fold": re.search(r"fold(\d+)", run.name)[1]}
            found.setdefault(name, {}).update({x["file_name"]: fold | x for x in csv.DictReader(file)})


def write_photographs(found: dict, network: str, path: Path) -> None:
    columns = ["row", "fold", "image_id", "dice_oc", "dice_od", "miou", "vcdr_mae"]
    with atomic_write(path) as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for image in (x for images in found.values() for x in images.values()):
            rounded = {x: f"{float(image[x]):.5f}" for x in columns[3:]}
            writer.writerow(image | rounded | {"row": f"{network}: {image['row']}"})


def page(found: dict, network: str, device: str) -> str:
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

The network is {network}, trained on squares about the true disc (INPUT.DISC_CROP), and once more on whole photographs;
held-out photographs in folds. 95 % bootstrap intervals over photographs. The RF-Net that finds the disc was trained on
the same folds of whole photographs. Moved: to a side drawn by the photograph's name.

{table}

{torch.cuda.get_device_name() if device.startswith("cuda") else processor()}; commit {current_commit()}:

    {command_line()}
"""


if __name__ == "__main__":
    main()
