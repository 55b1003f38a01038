#!/usr/bin/env bash
# Sets up the environment, then does the main job on drawn photographs: predict, convert, train RF-Net, evaluate.
# Usage: bash tools/quickstart.sh [output folder, default output/quickstart]
# The drawn data set goes to $DETECTRON2_DATASETS/phantom (default: datasets/phantom in the repository's root).
set -euo pipefail
absolute() { case $1 in /*) printf '%s\n' "$1" ;; *) printf '%s\n' "$PWD/$1" ;; esac; }
step() { printf '\n[%4d s] %s\n' "$SECONDS" "$*"; }

out=$(absolute "${1:-$(dirname -- "${BASH_SOURCE[0]}")/../output/quickstart}")
[ -z "${DETECTRON2_DATASETS:-}" ] || DETECTRON2_DATASETS=$(absolute "$DETECTRON2_DATASETS")
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
export DETECTRON2_DATASETS="${DETECTRON2_DATASETS:-$PWD/datasets}"
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
data=$DETECTRON2_DATASETS/phantom

step "environment"
python=$(bash tools/setup.sh)
fundus() { "$python" -m fundus_plugins "$@"; }
mkdir -p "$out" "$data"
out=$(cd -- "$out" && pwd)

step "a first look: the packaged weights on six drawn photographs"
if [ ! -d "$out/first/phantoms" ]; then
  rm -rf "$out/first/phantoms.part" # left by an interrupted run
  fundus draw-phantoms --output "$out/first/phantoms.part" --train 0 --val 0 --test 6 --size 900 --view disc --seed 7
  mv "$out/first/phantoms.part" "$out/first/phantoms"
fi
fundus predict "$out/first/phantoms/Test400" --output "$out/first/predictions" --overwrite # of an earlier version
echo "  look at $out/first/predictions: report.html, overlays, and predictions.csv with the cup-to-disc ratios"

if [ -d "$data/raw" ]; then
  step "phantoms to train on: already drawn in $data/raw"
else
  step "phantoms to train on, in REFUGE's layout: $data/raw"
  rm -rf "$data/raw.part" # left by an interrupted run
  fundus draw-phantoms --output "$data/raw.part" --train 240 --val 20 --test 40 --size 512 --view disc --seed 0
  mv "$data/raw.part" "$data/raw"
fi

step "convert to COCO JSON: $data"
fundus convert refuge --root "$data/raw" --output "$data" --preview "$out/preview.png"

step "train RF-Net: $out"
fundus train --config-file quickstart.yaml --overwrite OUTPUT_DIR "$out" # run again, it begins anew

step "evaluate on the held-out phantoms: $out/test"
fundus train --config-file quickstart.yaml --eval-only MODEL.WEIGHTS "$out/model_best.pth" \
  DATASETS.TEST "('phantom_test',)" OUTPUT_DIR "$out/test"

step "predict with these weights: $out/overlays"
fundus predict "$data/raw/Test400" --output "$out/overlays" --config-file quickstart.yaml \
  --weights "$out/model_best.pth" --overwrite # weights may have been trained again

step "done"
cat <<END
  the packaged weights at work $out/first/predictions
  converted masks to look at   $out/preview.png
  trained weights              $out/model_best.pth
  table on held-out phantoms   printed above, files in $out/test
  overlay pictures             $out/overlays
END
