"""Conversions in this process, and what they wrote."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as mask_util

from fundus_plugins.cli.main import main


def convert(dataset, root, *options):
    output = root.parent / "out"
    arguments = ["convert", dataset, "--root", str(root), "--output", str(output), "--processes", "1"]
    return main([*arguments, *map(str, options)]), output


def grades(path):
    return {Path(image["file_name"]).stem: image["grade"] for image in json.loads(path.read_text())["images"]}


def masks(path):
    return [mask_util.decode(x["segmentation"]).astype(bool) for x in json.loads(path.read_text())["annotations"]]


def save(path, pixels, palette=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(pixels, np.uint8))
    if palette:
        image = image.convert("P")
        image.putdata(np.asarray(pixels).ravel().tolist())
        image.putpalette(palette)
    image.save(path)
