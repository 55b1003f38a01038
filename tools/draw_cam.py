#!/usr/bin/env python3
"""Draw what a grading model's class activation maps leave of each photograph, and measure how much is on the disc.

    python tools/draw_cam.py --config-file output/2sranking_cnn/config.yaml \
        --weights output/2sranking_cnn/model_best.pth --dataset rim_one_r3_test_grading --output output/cam

Writes a picture a photograph (photograph, mask filters, ROI image) and, where disc masks lie beside the grades,
`cam_overlap.csv` and `cam_overlap.json`. Exit code: 0 done, 1 something is missing.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import cv2
from tqdm import tqdm

import fundus_plugins
from fundus_plugins.data.coco import require_dataset
from fundus_plugins.evaluation.bootstrap import mean_interval
from fundus_plugins.evaluation.cam_overlap import COLUMNS, cam_overlap
from fundus_plugins.explanation import draw_explanation, explain
from fundus_plugins.files import atomic_write
from fundus_plugins.inference import without_weights
from fundus_plugins.weights.loading import load_trained_weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config-file", required=True)
    parser.add_argument("--weights", required=True, help="of a two-stage model; of another, with FC_DIM 0")
    parser.add_argument("--dataset", required=True, help="a registered grading set, such as rim_one_r3_test_grading")
    parser.add_argument("--output", required=True, type=Path, help="a folder for pictures and numbers")
    parser.add_argument("--pictures", type=int, default=None, help="draw only the first so many (default: all)")
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs that override the config")
    args = parser.parse_args()
    fundus_plugins.register_fundus_datasets()
    try:
        require_dataset(args.dataset)
        cfg = without_weights(fundus_plugins.get_fundus_cfg(args.config_file, args.opts))
        model = fundus_plugins.FundusTrainer.build_model(cfg)
        load_trained_weights(model, args.weights)
        rows, drawn = [], set()
        for number, found in enumerate(tqdm(explain(model, cfg, args.dataset), unit="image", disable=None)):
            if args.pictures is None or number < args.pictures:
                picture = cv2.cvtColor(draw_explanation(found), cv2.COLOR_RGB2BGR)
                name = Path(found.file_name).stem
                name = f"{name}_{number}" if name in drawn else name  # the same name in another folder
                drawn.add(name)
                with atomic_write(args.output / f"{name}.png", "wb") as file:
                    file.write(cv2.imencode(".png", picture)[1].tobytes())
            if found.disc is not None:
                about = {"file_name": found.file_name, "truth": found.truth, "predicted": found.predicted}
                rows.append(about | cam_overlap(found.mask, found.disc))
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"error: {error}")
    if not rows:
        print(f"{args.dataset}: pictures only, for no disc masks lie beside the grades -> {args.output}")
        return
    with atomic_write(args.output / "cam_overlap.csv") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    summary = {"dataset": args.dataset, "images": len(rows)}
    for column in COLUMNS:
        mean, low, high = mean_interval([row[column] for row in rows])
        summary[column] = {"mean": mean, "low": low, "high": high}
        print(f"{column:12} {mean:.3f}  ({low:.3f} to {high:.3f})")
    with atomic_write(args.output / "cam_overlap.json") as file:
        json.dump(summary, file, indent=2)


if __name__ == "__main__":
    main()
