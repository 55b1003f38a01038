"""Mutated files, read: what is well formed, and what it was where it has checksums, or refused in one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas
from PIL import Image

from fundus_plugins.data.annotations import disc_and_cup
from fundus_plugins.data.coco import AnnotatedImage, build_grading, build_segmentation, mask_to_rle
from fundus_plugins.data.coco_file import disc_cup_records, grading_records, read_coco
from fundus_plugins.data.converters.record import Listing
from fundus_plugins.data.converters.refuge import read_labels
from fundus_plugins.data.mask_files import MaskSet, list_masks
from fundus_plugins.photographs.masks import read_disc_and_cup, read_mask, read_structure
from fundus_plugins.photographs.photograph import photograph_shape, read_photograph
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.sheets import read_sheet
from tests.data.folders import SHAPE

from .drawing import codes_of, draw_eye, noise_picture, saved
from .mutated_bytes import PNG, Rng, mutate_bytes, one, rewritten_sheet, xlsx
from .outcome import CHECKED, require


def _picture(rng: Rng, kind: str) -> tuple[bytes, np.ndarray | None]:
    """A photograph, and its pixels where a checksum guards them."""
    pixels = noise_picture(rng)
    if kind == "PNG 16":
        return cv2.imencode(".png", pixels[..., ::-1].astype(np.uint16) * 257)[1].tobytes(), pixels
    if kind == "TIFF 16":
        return saved(pixels[..., 0].astype(np.uint16) * 257, "TIFF"), None
    turned = Image.Exif()
    turned[0x0112] = int(rng.integers(1, 9))
    options: dict = {"exif": turned} if kind == "JPEG" and rng.random() < 0.5 else {}
    options |= {"compression": one(rng, [None, "tiff_lzw", "tiff_deflate"])} if kind == "TIFF" else {}
    return saved(pixels, kind, **options), pixels if kind == "PNG" else None


def _table(rng: Rng, kind: str) -> bytes:
    rows = {"file": [f"images\\{n}.jpg" for n in range(5)], "grade": ["normal", "glaucoma"] * 2 + ["suspect"]}
    if kind == "XLSX":
        return xlsx(pandas.DataFrame(rows))
    if kind == "index.json":
        return json.dumps({str(n): {"ImgName": f"V{n}.jpg", "Label": n % 2} for n in range(4)}).encode()
    return rewritten_sheet(rng, rows)


def _coco(rng: Rng, kind: str) -> bytes:
    eyes = [draw_eye(rng, str(n), "", "normal") for n in range(2)]
    images = [
        AnnotatedImage(Path(f"/x/{e.stem}.jpg"), *SHAPE, *map(mask_to_rle, e.masks.values()), 0.5, e.grade)
        for e in eyes
    ]
    if kind == "grading":
        return json.dumps(build_grading(images, Path("/x"), {})).encode()
    document = build_segmentation(images, Path("/x"), {})
    if kind == "COCO polygons":
        for annotation in document["annotations"]:
            annotation["segmentation"] = [[10, 10, 30, 10, 30, 30.5, 10, 30]]
    if kind == "results":
        document = [annotation | {"score": 0.5} for annotation in document["annotations"]]
    return json.dumps(document, indent=one(rng, [None, 1])).encode()


def read(reader: Callable, path: Path) -> Any:
    """What a reader gives, or None where it refuses, in one line that names the file."""
    try:
        return reader(path)
    except BadInput as error:
        require(len(str(error).splitlines()) == 1, f"refused in several lines: {str(error)!r}")
        require(str(path) in str(error), f"refused without the file's name: {str(error)!r}")
        return None


def check_photograph(path: Path, pixels: np.ndarray | None) -> bool:
    image, shape = read(read_photograph, path), read(photograph_shape, path)
    require((image is None) == (shape is None), f"read_photograph gave {image is not None}, photograph_shape {shape}")
    if image is not None:
        require(image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8, f"{image.shape} {image.dtype}")
        require(image.shape[:2] == shape and min(shape) > 0, f"{image.shape}, and photograph_shape {shape}")
        require(image.flags.writeable and image.flags.c_contiguous, "not to be written to")
        if pixels is not None:
            CHECKED["pixels"] += 1
            same = image.shape == pixels.shape and np.array_equal(image, pixels)
            require(same, "a damaged PNG is read as other pixels")
    return image is not None


def check_masks(path: Path, masks: dict[str, np.ndarray] | None) -> bool:
    """`masks`: what the file must show, where a checksum guards it: disc and cup, or one of them."""
    mask, single, both = (read(lambda x, f=f: f(x, None), path) for f in (read_mask, read_structure, read_disc_and_cup))
    for found in (single, *(both or ())):
        require(
            found is None or found.dtype == bool and mask is not None and found.shape == mask.shape, "a mask's form"
        )
    require(mask is None or mask.ndim == 2 and mask.dtype == np.uint8, "a mask's form")
    require(both is None or not (both[1] & ~both[0]).any(), "a cup outside the disc")
    results = [single] if masks and len(masks) == 1 else both
    if masks and results is not None and results[0] is not None:
        CHECKED["masks of files"] += 1
        for found, truth in zip(results, masks.values(), strict=True):
            require(np.array_equal(found, truth), "a damaged PNG is read as another mask")
    return any(x is not None for x in (mask, single, both))


def check_table(path: Path, kind: str) -> bool:
    rows = read(read_sheet, path)
    require(rows is None or rows and len({len(row) for row in rows}) == 1, "rows of several lengths")
    listing = Listing()
    name = Path(path.name)
    labels = read_labels(path.parent, [name], listing)
    require(
        all(len(str(x).splitlines()) == 1 for x in listing.problems), f"problems {[str(x) for x in listing.problems]}"
    )
    require(set(labels.values()) <= {"normal", "suspicious", "glaucoma"}, f"labels {labels}")
    return rows is not None


def check_coco_file(path: Path, kind: str) -> bool:
    document = read(read_coco, path)
    records = read(lambda x: disc_cup_records(str(x), "/x"), path)
    read(lambda x: grading_records(str(x), "/x"), path)
    truth = MaskSet(document={"images": [{"id": 1, "file_name": "1.jpg", "height": SHAPE[0], "width": SHAPE[1]}]})
    truth.document |= {"categories": [{"id": 1, "name": "disc"}, {"id": 2, "name": "cup"}]}
    listed = read(lambda x: list_masks(x, truth=truth), path)
    for record in records or ():
        size = record["height"], record["width"]
        where = Path(record["file_name"])
        masks = read(lambda x, r=record, s=size: disc_and_cup(r["annotations"], (0, 1), s, x), where)
        require(all(x.shape == size and x.max(initial=0) <= 1 for x in (masks or {}).values()), "a mask's form")
    for reader in (listed.masks if listed else {}).values():
        read(lambda _, reader=reader: reader(), path)
    return any(x is not None for x in (document, listed))


PICTURES = ("JPEG", "PNG", "PNG 16", "TIFF", "TIFF 16", "BMP", "WEBP")
MASKS = ("REFUGE mask", "mask of 0, 1, 2", "disc", "GIF mask", "BMP mask")
TABLES = ("CSV", "XLSX", "index.json")
DOCUMENTS = ("COCO", "COCO polygons", "grading", "results")
FILES = (*PICTURES, *MASKS, *TABLES, *DOCUMENTS)


def file_case(rng: Rng, number: int, folder: Path) -> str:
    kind = FILES[number % len(FILES)]
    pixels, masks, path = None, None, folder / "file"
    if kind in PICTURES:
        data, pixels = _picture(rng, kind)
    elif kind in MASKS:
        eye = draw_eye(rng, "eye")
        codes = (
            eye.masks["disc"] * np.uint8(255)
            if kind == "disc"
            else codes_of(eye, "012" if "012" in kind else "official")
        )
        data = saved(codes, {"GIF mask": "GIF", "BMP mask": "BMP"}.get(kind, "PNG"))
        masks = None if kind in ("GIF mask", "BMP mask") else eye.masks
        masks = {"disc": eye.masks["disc"]} if kind == "disc" else masks
    elif kind in TABLES:
        data, path = _table(rng, kind), folder / {"CSV": "a.csv", "XLSX": "a.xlsx"}.get(kind, kind)
    else:
        data, path = _coco(rng, kind), folder / "file.json"
    if number % 50:  # now and then a sound one
        data = mutate_bytes(
            rng, data, "json" if kind in (*DOCUMENTS, "index.json") else "text" if kind == "CSV" else ""
        )
    path.write_bytes(data)
    if not data.startswith(PNG):
        pixels = masks = None
    # The header may be another's now: every reader of pictures has a look.
    if kind in PICTURES or kind in MASKS:
        done = check_photograph(path, pixels) | check_masks(path, masks)
    else:
        done = check_table(path, kind) if kind in TABLES else check_coco_file(path, kind)
        check_photograph(path, None)
    require(done or number % 50, "a sound file is refused")
    return f"{kind}: {'read' if done else 'refused'}"
