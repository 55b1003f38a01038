"""Reading COCO JSON, ours and other people's: checked, and as Detectron2's records."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fundus_plugins.data.annotations import IGNORED, structures_of
from fundus_plugins.photographs.masks import listed
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.regular import read_regular

KIND = "unreadable COCO JSON"
ALLOWED = "FUNDUS_PHOTOGRAPHS"  # in the environment, where no config can set it: folders, separated as in PATH


def read_json(path: Path, kind: str = KIND, expected: str = "COCO's format, which is JSON") -> Any:
    """A JSON document, with or without a byte-order mark. Raises BadInput where it is none."""
    try:
        return json.loads(read_regular(path).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        found = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInput(kind, Path(path), expected, str(found)) from None


def read_coco(path: Path) -> dict[str, Any]:
    """A COCO document: images, annotations and categories that refer to each other; backslashes in paths are slashes.

    Raises BadInput for what is no such document, ids that are there twice, and annotations of ids that are not there.
    """
    return check_coco(read_json(path), path)


def check_coco(document: Any, path: Path) -> dict[str, Any]:
    """The same for a document that has been read."""
    path = Path(path)

    def refuse(expected: str, found: str):
        raise BadInput(KIND, path, expected, found)

    if not isinstance(document, Mapping):
        refuse("COCO's format: images, annotations and categories", type(document).__name__)
    for key in ("images", "annotations", "categories"):
        if not isinstance(document.get(key), list) or not all(isinstance(x, Mapping) for x in document[key]):
            there = ", ".join(map(str, document)) if key not in document else "something else"
            refuse(f"COCO's format, with a list of {key}", there or "nothing")
    document = dict(document) | {"images": [_image(image) for image in document["images"]]}
    for image in document["images"]:
        for key, kind in (("id", int | str), ("file_name", str), ("height", int), ("width", int)):
            if not isinstance(image.get(key), kind) or isinstance(image[key], bool):
                refuse(f"a {key} of image {image.get('id', '?')}", repr(image.get(key)))
        if "disc_box" in image and not _is_box(image["disc_box"]):
            refuse(f"disc_box of {image['file_name']} as [x, y, width, height]", repr(image["disc_box"])[:80])
        if min(image["height"], image["width"]) < 1:
            refuse(f"a size of {image['file_name']}", f"{image['width']} x {image['height']}")
    for category in document["categories"]:
        if not isinstance(category.get("id"), int) or not isinstance(category.get("name"), str):
            refuse("an id and a name of every category", json.dumps(category)[:80])
    for annotation in document["annotations"]:
        box = annotation.get("bbox")
        numbers = isinstance(box, list) and all(isinstance(x, int | float) and math.isfinite(x) for x in box)
        if box is not None and (not numbers or len(box) not in (0, 4)):
            where = f"annotation {annotation.get('id', '?')} of image {annotation.get('image_id', '?')}"
            refuse(f"four numbers as the bbox of {where}", json.dumps(box)[:80])
    for key in ("images", "categories"):
        ids = [x["id"] for x in document[key]]
        if len(set(ids)) < len(ids):
            refuse(f"{key} of different ids", f"{next(x for x in ids if ids.count(x) > 1)} more than once")
    for key, there in (("image_id", "images"), ("category_id", "categories")):
        known = {x["id"] for x in document[there]}
        named = [x.get(key) for x in document["annotations"]]
        if missing := [x for x in named if isinstance(x, list | dict) or x not in known]:
            refuse(f"annotations whose {key} is one of the {there}", listed(list(dict.fromkeys(map(str, missing)))))
    return document


def _is_box(box: Any) -> bool:
    """Whether it is XYWH with a width and a height."""
    if not isinstance(box, list) or len(box) != 4:
        return False
    numbers = all(isinstance(x, int | float) and math.isfinite(x) for x in box)
    return numbers and min(box[2:]) > 0


def _image(image: Mapping) -> dict:
    """With whole numbers for sizes, and slashes in the path."""
    sizes = {key: image.get(key) for key in ("height", "width")}
    whole = {key: int(x) for key, x in sizes.items() if isinstance(x, float) and x.is_integer()}
    name = image.get("file_name")
    return dict(image) | whole | ({"file_name": name.replace("\\", "/")} if isinstance(name, str) else {})


def refuse_outside(document: Mapping[str, Any], path: Path, allowed: Sequence[str | os.PathLike]) -> None:
    """Raise BadInput for a photograph that is neither in the JSON's folder nor in one of those that are allowed.

    A stranger's JSON could name any picture on this machine, and an overlay would show it.
    """
    root = Path(path).resolve().parent
    inside = [root, *(Path(x).expanduser().resolve() for x in allowed)]
    for image in document["images"]:
        there = Path(os.path.normpath(root / image["file_name"]))
        if not any(there.is_relative_to(folder) or there.resolve().is_relative_to(folder) for folder in inside):
            expected = f"a photograph in its folder, in DETECTRON2_DATASETS, or in one that {ALLOWED} names"
            raise BadInput("photograph elsewhere", Path(path), expected, f"image {image['id']}, {image['file_name']}")


def disc_cup_records(
    json_file: str,
    image_root: str,
    own: Mapping[str, int] | None = None,
    allowed: Sequence[str | os.PathLike] | None = None,
) -> list[dict]:
    """The photographs of a segmentation file as Detectron2's records, whose category ids are DISC and CUP.

    Args:
        own: names of categories beside the usual ones, as `parse_categories` gives them.
        allowed: folders where photographs may be beside the JSON's own (`refuse_outside`); None: anywhere.

    Raises BadInput as `read_coco`, and where an annotation's category is neither disc nor cup.
    """
    document = read_coco(Path(json_file))
    if allowed is not None:
        refuse_outside(document, Path(json_file), allowed)
    names = {x["id"]: x["name"] for x in document["categories"]}
    found = dict(zip(names, structures_of(list(names.values()), json_file, own), strict=True))
    for unknown in {x["category_id"] for x in document["annotations"] if found[x["category_id"]] is None}:
        structures_of([names[unknown]], json_file, own)  # tells what was expected
    return _records(document, image_root, found)


def grading_records(
    json_file: str, image_root: str, allowed: Sequence[str | os.PathLike] | None = None
) -> tuple[list[dict], list[str]]:
    """The photographs of a grading file as Detectron2's records, and the names of their categories, in order of id.

    `allowed` is as for `disc_cup_records`. Raises BadInput as `read_coco`, and for a photograph with two grades.
    """
    document = read_coco(Path(json_file))
    if allowed is not None:
        refuse_outside(document, Path(json_file), allowed)
    categories = sorted(document["categories"], key=lambda x: x["id"])
    records = _records(document, image_root, {x["id"]: number for number, x in enumerate(categories)})
    for record in records:
        if len({x["category_id"] for x in record["annotations"]}) > 1:
            raise BadInput("conflicting grades", Path(json_file), f"one grade of {record['file_name']}", "several")
    return records, [x["name"] for x in categories]


def _corners(box: list[float]) -> list[float]:
    """XYXY of XYWH."""
    x, y, width, height = box
    return [x, y, x + width, y + height]


def _records(document: dict, image_root: str, contiguous: Mapping[int, int | None]) -> list[dict]:
    from detectron2.structures import BoxMode  # here, for whoever only reads files may not have it

    annotations: dict[Any, list[dict]] = {image["id"]: [] for image in document["images"]}
    for x in document["annotations"]:
        if contiguous[x["category_id"]] == IGNORED:
            continue
        # No crowds: some tools call every mask one that is RLE, and Detectron2 would pass over its photograph.
        kept = {key: x[key] for key in ("id", "segmentation", "score") if key in x}
        box = {"bbox": x.get("bbox") or [0.0] * 4, "bbox_mode": BoxMode.XYWH_ABS}
        annotations[x["image_id"]].append({"iscrowd": 0, "category_id": contiguous[x["category_id"]]} | box | kept)
    return [
        {
            "file_name": os.path.join(image_root, image["file_name"]),
            "height": image["height"],
            "width": image["width"],
            "image_id": image["id"],
            "annotations": annotations[image["id"]],
        }
        | ({"patient": str(image["patient"])} if image.get("patient") else {})
        | ({"grade_name": str(image["grade"])} if image.get("grade") else {})  # `grade` is a number, the mapper's
        | ({"disc_box": _corners(image["disc_box"])} if image.get("disc_box") else {})
        for image in document["images"]
    ]
