"""Links to the ODIR photographs that the packaged weights' pseudo masks were drawn on, in a folder.

    python docs/scripts/odir_part.py odir/grades.csv odir_part

All glaucoma and suspicious ones, and 1300 of the others, drawn with seed 0. `grades.csv` has columns file and grade.
"""

import csv
import random
import sys
from pathlib import Path

OTHERS = 1300


def main() -> None:
    table, output = map(Path, sys.argv[1:])
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    random.Random(0).shuffle(rows)
    wanted = [row for row in rows if row["grade"] in ("glaucoma", "suspicious")]
    others = [row for row in rows if row["grade"] not in ("glaucoma", "suspicious")]
    output.mkdir(parents=True)
    for row in wanted + others[:OTHERS]:
        photograph = (table.parent / row["file"]).resolve()
        (output / photograph.name).symlink_to(photograph)


if __name__ == "__main__":
    main()
