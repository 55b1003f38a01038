"""What fit_gradability.py measures: photographs, parts of pictures of other things, and altered photographs."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

import fundus_plugins
from fundus_plugins.data.annotations import decode_segmentation
from fundus_plugins.data.coco_file import read_coco
from fundus_plugins.experiments.alterations import ALTERATIONS, Pixels
from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio
from fundus_plugins.measures.overlap import dice
from fundus_plugins.photographs.appearance import DISC_FEATURES, FIELD_FEATURES, describe_disc, describe_field
from fundus_plugins.photographs.field import find_field
from fundus_plugins.photographs.folders import list_folder
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.prediction.gradability import SIGNALS

NONE_PARTS = 6  # of each picture of another thing
MOST = 900  # photographs of a source


def _haze(image, disc, part):
    """Towards a bright mean colour, as behind a cataract."""
    return np.clip(part * image + (1 - part) * (0.6 * image.reshape(-1, 3).mean(axis=0) + 60), 0, 255).astype(np.uint8)


def _few_pixels(image, disc, side):
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    small = cv2.resize(
        image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def _noise(image, disc, sigma):
    return np.clip(image + np.random.default_rng(0).normal(0, sigma, image.shape), 0, 255).astype(np.uint8)


def _uneven(image, disc, slope):
    return np.clip(image * np.exp(slope * np.linspace(-1, 1, image.shape[1])[None, :, None]), 0, 255).astype(np.uint8)


_OURS = {x.name: x.pixels for x in ALTERATIONS}
KINDS: dict[str, tuple[Pixels, Sequence[float]]] = {
    "blur": (_OURS["blur"], (0.3, 0.6, 1, 1.5, 2.5, 4)),
    "low light": (_OURS["low light"], (0.35, 0.2, 0.1, 0.05, 0.03)),
    "gamma": (_OURS["gamma"], (0.3, 0.5, 2, 3)),
    "jpeg": (_OURS["jpeg"], (20, 10, 5, 2)),
    "haze": (_haze, (0.6, 0.35, 0.2, 0.1)),
    "few pixels": (_few_pixels, (400, 250, 150, 90)),
    "noise": (_noise, (15, 30, 60)),
    "uneven light": (_uneven, (0.7, 1.5, -0.7, -1.5)),
}


def features(image: np.ndarray, prediction) -> dict:
    """All that the models may read, of one picture and its prediction."""
    row = {name: float(np.nan_to_num(getattr(prediction, name))) for name in SIGNALS}
    field = find_field(image)
    if field is not None:
        row |= zip(FIELD_FEATURES, map(float, describe_field(image, field)))
    if prediction.disc.any():
        row |= zip(DISC_FEATURES, map(float, describe_disc(image, prediction.disc)))
    return row


def of_folders(folders: str, most: int = MOST) -> Iterator[dict]:
    files = [x for folder in folders.split(":") for x in list_folder(Path(folder))]
    random.Random(2).shuffle(files)
    for path, image, found in fundus_plugins.FundusPredictor(threads=1).predict_files(files[:most]):
        if isinstance(found, Exception) or image is None:
            raise found if isinstance(found, Exception) else ValueError(path)
        yield {"name": path.name, **features(image, found)}


def of_parts(folder: Path) -> Iterator[dict]:
    """Parts of pictures of other things, some mirrored, in other colours."""
    predictor, draw = fundus_plugins.FundusPredictor(threads=1), random.Random(0)
    for path in list_folder(folder):
        image = read_photograph(path)
        for _ in range(NONE_PARTS):
            height, width = (max(40, int(x * draw.uniform(0.5, 1))) for x in image.shape[:2])
            top, left = (draw.randint(0, max(0, x - y)) for x, y in zip(image.shape, (height, width)))
            part = image[top : top + height, left : left + width][:, :: draw.choice((1, -1))]
            part = np.clip(part * np.array([draw.uniform(0.7, 1.3) for _ in range(3)]), 0, 255).astype(np.uint8)
            yield {"name": path.name, **features(part, predictor(part))}


def of_altered(json_file: Path, weights: str, number: int) -> Iterator[dict]:
    predictor, draw = fundus_plugins.FundusPredictor(weights, threads=1), random.Random(0)
    document = read_coco(json_file)
    names = {x["id"]: x["name"] for x in document["categories"]}
    for entry in document["images"]:
        photograph = read_photograph(json_file.parent / entry["file_name"])
        true = {
            names[x["category_id"]]: decode_segmentation(x["segmentation"], photograph.shape[:2]) > 0
            for x in document["annotations"]
            if x["image_id"] == entry["id"]
        }
        disc, cup = true["optic_disc"], true.get("optic_cup")
        for place in range(number):
            kind = draw.choice(list(KINDS)) if place else "unaltered"
            alter, levels = KINDS.get(kind, (lambda image, disc, level: image, (0,)))
            level = draw.choice(levels)
            image = np.ascontiguousarray(alter(photograph, disc, level))
            found = predictor(image)
            row = {"name": entry["file_name"], "kind": kind, "level": level, "dice": float(dice(found.disc, disc))}
            if cup is not None and found.disc.any():
                row["error"] = float(abs(found.vcdr - vertical_cup_to_disc_ratio(disc, cup)))
            yield row | features(image, found)
