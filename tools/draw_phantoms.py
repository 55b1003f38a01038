#!/usr/bin/env python3
"""Draw synthetic fundus photographs with exact masks of disc and cup, in the layout of REFUGE's archives.

    python tools/draw_phantoms.py --output phantoms --train 160 --val 20 --test 40

The same seed gives the same photographs, masks and labels, however many processes draw them. Exit code: 0 all
written, 2 nothing written.
"""

import argparse
import os
import sys
from pathlib import Path

from fundus_plugins.data.phantom import PARTS, VIEWS, write_refuge_layout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, type=Path, help="a new or empty folder")
    parser.add_argument("--train", type=int, default=160, help="photographs for training (default %(default)s)")
    parser.add_argument("--val", type=int, default=20, help="photographs for validation (default %(default)s)")
    parser.add_argument("--test", type=int, default=40, help="photographs for testing (default %(default)s)")
    parser.add_argument("--size", type=int, default=512, help="pixels on the longer side (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another set (default %(default)s)")
    parser.add_argument("--glaucoma-fraction", type=float, default=0.3, help="0 to 1 (default %(default)s)")
    parser.add_argument("--view", choices=VIEWS, default="mixed", help="where the camera aims (default %(default)s)")
    parser.add_argument("--distinct-grades", action="store_true", help="grades do not overlap in cup-to-disc ratio")
    parser.add_argument("--without", choices=PARTS, nargs="+", default=[], help="leave these parts out")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="default: one per core")
    args = parser.parse_args()
    # Another process pays only for many photographs: starting one takes seconds.
    processes = min(args.processes, max(1, (args.train + args.val + args.test) // 100))
    try:
        write_refuge_layout(
            args.output,
            train=args.train,
            val=args.val,
            test=args.test,
            size=args.size,
            seed=args.seed,
            glaucoma_fraction=args.glaucoma_fraction,
            view=args.view,
            distinct_grades=args.distinct_grades,
            without=args.without,
            processes=processes,
            progress=True,
        )
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"{args.output}: wrote {args.train} train, {args.val} val and {args.test} test phantoms, "
        f"{args.size} pixels, seed {args.seed}, in REFUGE's layout"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
