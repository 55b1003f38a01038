#!/usr/bin/env python3
"""Pack a training run's weights and config into one half-precision safetensors file.

    python tools/release_weights.py --run output/rfnet_drishti_any_camera --output rfnet.safetensors \\
        --command "python tools/train_net.py ..."

tools/predict.py and fundus_plugins.release_cfg read it. Exit code: 0 written.
"""

import argparse
import sys
from pathlib import Path

import fundus_plugins
from fundus_plugins.provenance import current_commit
from fundus_plugins.release import write_release


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, type=Path, help="a folder with config.yaml and model_final.pth")
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--command", required=True, help="that made the weights; kept in the file")
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs over the run's config")
    args = parser.parse_args()
    try:
        weights = str(args.run / "model_final.pth")
        cfg = fundus_plugins.get_fundus_cfg(str(args.run / "config.yaml"), [*args.opts, "MODEL.WEIGHTS", weights])
        write_release(cfg, args.output, {"command": args.command, "commit": current_commit()})
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"error: {error}")
    print(f"{args.output}: {args.output.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
