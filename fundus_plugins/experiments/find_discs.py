"""Where the discs lie in the photographs of a grading file, for models that look at the disc."""

from collections.abc import Mapping
from pathlib import Path

from fundus_plugins.boxes import box_of
from fundus_plugins.data.coco import write_json
from fundus_plugins.data.coco_file import read_coco
from fundus_plugins.prediction.predictor import FundusPredictor

SAVE_EVERY = 100


def find_discs(predictor: FundusPredictor, path: Path, facts: Mapping[str, object]) -> tuple[int, list[str], list[str]]:
    """Write into a grading file, of every photograph, its disc's box as `disc_box`: XYWH, pixels of the photograph.

    A photograph in which no disc is found has none. The box is that of the mask, not the detector's. Every hundred
    photographs the file is written; the same call with the same facts goes on from there.

    Args:
        facts: who the predictor is, kept as `info.discs`.

    Returns:
        how many discs were found, the photographs without, and a line for each that could not be read.

    Raises BadInput as `read_coco`.
    """
    document = read_coco(path)
    if document.get("info", {}).get("discs") != dict(facts):
        document["info"] = {**document.get("info", {}), "discs": dict(facts)}
        for image in document["images"]:
            image.pop("disc_box", None)
            image.pop("disc_looked_for", None)
    waiting = [x for x in document["images"] if "disc_box" not in x and "disc_looked_for" not in x]
    images = {str(path.parent / x["file_name"]): x for x in waiting}
    failures = []
    for number, (name, _, found) in enumerate(predictor.predict_files([Path(x) for x in images])):
        if isinstance(found, Exception):
            failures.append(f"{name}: {found}")
            continue
        box = box_of(found.disc)
        if box is None:
            images[str(name)]["disc_looked_for"] = True
        else:
            x0, y0, x1, y1 = box
            images[str(name)]["disc_box"] = [x0, y0, x1 - x0, y1 - y0]
        if number % SAVE_EVERY == SAVE_EVERY - 1:
            write_json({path: document})
    write_json({path: document})
    without = [x["file_name"] for x in document["images"] if "disc_looked_for" in x]
    return sum("disc_box" in x for x in document["images"]), without, failures
