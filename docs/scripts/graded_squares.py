"""The photographs that the packaged grader learns from: squares about the disc, of several graded sets in one.

    python docs/scripts/graded_squares.py gamma/train_grading.json odir/train_grading.json --output gamma_odir

The sets are grading files in which `fundus find-discs` has written where the discs are. Of every photograph with a
grade and a disc a square of 2.6 disc diameters, of at most 320 pixels, goes to raw/<set>_<photograph>.jpg below
--output, and its grade and disc to train_grading.json. A set is called as its file's folder is.
"""

import argparse
from pathlib import Path

from tqdm import tqdm

from fundus_plugins.data.coco import AnnotatedImage, build_grading, write_json
from fundus_plugins.data.coco_file import grading_records
from fundus_plugins.data.reading import read_record
from fundus_plugins.photographs.squares import KEPT_DIAMETERS, keep_square


def cut(record: dict, path: Path) -> tuple[int, list[float]]:
    """Write the square about a record's disc; its side, and the disc's box in it, XYWH."""
    kept = keep_square(read_record(record, "RGB"), record["disc_box"])
    path.write_bytes(kept.jpeg)
    x0, y0, x1, y1 = kept.box
    return len(kept.pixels), [x0, y0, x1 - x0, y1 - y0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="GRADING.json")
    parser.add_argument("--output", required=True, type=Path, help="a folder")
    chosen = parser.parse_args()
    grades: list[str] = []
    images: list[AnnotatedImage] = []
    boxes: dict[Path, list[float]] = {}
    if chosen.output.resolve() in [file.resolve().parent for file in chosen.files]:
        parser.error(f"--output {chosen.output}: expected another folder than the sets', whose files it would replace")
    raw = chosen.output / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for file in chosen.files:
        records, names = grading_records(str(file), str(file.parent))
        grades = grades or names
        if names != grades:
            parser.error(f"{file}: expected the grades {', '.join(grades)} of {chosen.files[0]}, found {names}")
        name = file.resolve().parent.name
        for record in tqdm([x for x in records if "disc_box" in x and x["annotations"]], name, disable=None):
            stem = Path(record["file_name"]).stem
            path = raw / f"{name}_{stem}.jpg"
            if path in boxes:
                parser.error(f"{file}: expected every photograph of a set by another name, found {stem} twice")
            side, boxes[path] = cut(record, path)
            grade = grades[record["annotations"][0]["category_id"]]
            patient = f"{name}_{record.get('patient') or stem}"
            images.append(AnnotatedImage(path, side, side, None, None, None, grade, patient))
    source = f"squares of {KEPT_DIAMETERS} disc diameters of {', '.join(map(str, chosen.files))}"
    document = build_grading(images, chosen.output, {"source": source}, grades)
    for entry, box in zip(document["images"], boxes.values(), strict=True):
        entry["disc_box"] = box
    write_json({chosen.output / "train_grading.json": document})
    counts = ", ".join(f"{sum(x.grade == grade for x in images)} {grade}" for grade in grades)
    print(f"{len(images)} squares -> {chosen.output}: {counts}")


if __name__ == "__main__":
    main()
