"""Class activation maps of a whole grading set: pictures, and what share of them lies on the disc."""

import csv
import json
from pathlib import Path
from typing import Any

import cv2
from detectron2.config import CfgNode
from torch import nn
from tqdm import tqdm

from fundus_plugins.files import atomic_write
from fundus_plugins.measures.bootstrap import mean_interval
from fundus_plugins.measures.cam_overlap import COLUMNS, cam_overlap
from fundus_plugins.prediction.explanation import draw_explanation, explain


def explain_to_folder(
    model: nn.Module, cfg: CfgNode, dataset: str, output: Path, pictures: int | None = None
) -> dict[str, dict[str, float]] | None:
    """Write a picture a photograph (the first `pictures`; None: all), `cam_overlap.csv` and `cam_overlap.json`.

    Returns the means of COLUMNS with their intervals; None, and no such files, where no disc masks lie beside the
    grades.
    """
    rows: list[dict[str, Any]] = []
    drawn = set()
    for number, found in enumerate(tqdm(explain(model, cfg, dataset), unit="image", disable=None)):
        if pictures is None or number < pictures:
            name = Path(found.file_name).stem
            name = f"{name}_{number}" if name in drawn else name  # the same name in another folder
            drawn.add(name)
            picture = cv2.cvtColor(draw_explanation(found), cv2.COLOR_RGB2BGR)
            with atomic_write(output / f"{name}.png", "wb") as file:
                file.write(cv2.imencode(".png", picture)[1].tobytes())
        if found.disc is not None:
            about = {"file_name": found.file_name, "truth": found.truth, "predicted": found.predicted}
            rows.append(about | cam_overlap(found.mask, found.disc))
    if not rows:
        return None
    with atomic_write(output / "cam_overlap.csv") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    summary = {
        column: dict(zip(("mean", "low", "high"), mean_interval([row[column] for row in rows]))) for column in COLUMNS
    }
    with atomic_write(output / "cam_overlap.json") as file:
        json.dump({"dataset": dataset, "images": len(rows)} | summary, file, indent=2)
    return summary
