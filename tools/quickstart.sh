#!/usr/bin/env bash
# Sets up the environment, then does the main job on drawn photographs: convert, train RF-Net, evaluate, predict.
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
config=configs/quickstart.yaml

step "environment"
python=$(bash tools/setup.sh)
mkdir -p "$out" "$data"
out=$(cd -- "$out" && pwd)

if [ -d "$data/raw" ]; then
  step "phantoms: already drawn in $data/raw"
else
  step "draw phantoms in REFUGE's layout: $data/raw"
  rm -rf "$data/raw.part" # left by an interrupted run
  "$python" tools/draw_phantoms.py --output "$data/raw.part" --train 240 --val 20 --test 40 --size 512 \
    --view disc --seed 0
  mv "$data/raw.part" "$data/raw"
fi

step "convert to COCO JSON: $data"
"$python" tools/convert_dataset.py refuge --root "$data/raw" --output "$data" --preview "$out/preview.png"

step "train RF-Net: $out"
"$python" tools/train_net.py --config-file "$config" OUTPUT_DIR "$out"

step "evaluate on the held-out phantoms: $out/test"
"$python" tools/train_net.py --config-file "$config" --eval-only MODEL.WEIGHTS "$out/model_best.pth" \
  DATASETS.TEST "('phantom_test',)" OUTPUT_DIR "$out/test"

step "predict: $out/overlays"
"$python" tools/predict.py --config-file "$config" --weights "$out/model_best.pth" --input "$data/raw/Test400" \
  --output "$out/overlays"

step "done"
cat <<END
  converted masks to look at   $out/preview.png
  trained weights              $out/model_best.pth
  table on held-out phantoms   printed above, files in $out/test
  overlay pictures             $out/overlays
END
