#!/usr/bin/env python3
"""Predict the optic disc and cup of every photograph in a folder: overlays and a table `predictions.csv`.

    python tools/predict.py --input photographs/ --output predictions/

uses the weights that come with the package; --weights other weights, --config-file their config.
"""

import argparse
import csv
import sys
from pathlib import Path

import cv2
from tqdm import tqdm

import fundus_plugins
from fundus_plugins.files import atomic_write
from fundus_plugins.release import PACKAGED
from fundus_plugins.visualization import draw_disc_and_cup

ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}
COLUMNS = "file_name look_again why vcdr vcdr_low vcdr_high agreement ellipse score disc_pixels cup_pixels".split()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config-file", help="of a model; without it --weights are a release, which holds its config")
    parser.add_argument(
        "--weights", help=f"such as output/.../model_best.pth (default: the config's, without --config-file {PACKAGED})"
    )
    parser.add_argument(
        "--input", required=True, type=Path, help="a photograph, or a folder of them (not searched deeper)"
    )
    parser.add_argument("--output", required=True, type=Path, help="another folder, for overlays and predictions.csv")
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs that override the config")
    args = parser.parse_args()

    files = (
        sorted(x for x in args.input.iterdir() if x.suffix.lower() in ENDINGS) if args.input.is_dir() else [args.input]
    )
    if not files or not files[0].exists():
        sys.exit(f"error: no photographs ({', '.join(sorted(ENDINGS))}) at {args.input}")
    if args.output.resolve() in {path.resolve().parent for path in files}:
        sys.exit(f"error: {args.output} holds the photographs; choose another folder, so that none is overwritten")
    try:
        if args.config_file:
            weights = ["MODEL.WEIGHTS", args.weights] if args.weights else []
            cfg = fundus_plugins.get_fundus_cfg(args.config_file, [*weights, *args.opts])
        else:
            cfg = fundus_plugins.release_cfg(args.weights or PACKAGED, args.opts)
        predictor = fundus_plugins.FundusPredictor(cfg)
    except (FileNotFoundError, RuntimeError, ValueError, KeyError, AssertionError) as error:  # the last two: yacs
        sys.exit(f"error: {error}")

    rows, failures = [], []
    for path, image, prediction in tqdm(predictor.predict_files(files), total=len(files), unit="image", disable=None):
        try:
            if isinstance(prediction, Exception):
                raise prediction
            overlay = cv2.imencode(".png", cv2.cvtColor(draw_disc_and_cup(image, prediction), cv2.COLOR_RGB2BGR))[1]
            with atomic_write(args.output / f"{path.stem}_{path.suffix[1:]}.png", "wb") as file:
                file.write(overlay.tobytes())
            counts = int(prediction.disc.sum()), int(prediction.cup.sum())
            values = (
                prediction.vcdr,
                *prediction.vcdr_interval,
                prediction.agreement,
                prediction.ellipse,
                prediction.score,
            )
            why = int(prediction.flagged), "; ".join(prediction.doubts)
            rows.append((path.name, *why, *(f"{x:.4f}" for x in values), *counts))
        except Exception as error:  # one bad file must not cost the others
            failures.append(f"{path}: {type(error).__name__}: {error}")
    with atomic_write(args.output / "predictions.csv") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    missed, flagged = (
        sum(row[COLUMNS.index(x)] == y for row in rows) for x, y in (("disc_pixels", 0), ("look_again", 1))
    )
    print(
        f"{len(rows)} photographs, {missed} without a detected disc, {flagged} to be looked at again -> {args.output}"
    )
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
