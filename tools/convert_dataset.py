"""Convert a public fundus data set on disk to COCO JSON.

    python tools/convert_dataset.py drishti_gs1 --root Drishti-GS1_files --output datasets/drishti_gs1

Writes <split>.json (masks of disc and cup) and <split>_grading.json; photographs stay where they are. Exit code: 0
all converted, 1 something was left out (listed at the end), 2 nothing written.
"""

import sys

from fundus_plugins.data.converters.command import main

if __name__ == "__main__":
    sys.exit(main(description=__doc__))
