"""A contact sheet of converted photographs with the contours of disc and cup: do masks and photographs agree?"""

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pycocotools import mask as mask_util

from fundus_plugins.data.coco import SEGMENTATION_COLORS, AnnotatedImage
from fundus_plugins.files import atomic_write
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.photographs.regular import open_regular

TILE = 320  # pixels, a side of one photograph on the sheet
CAPTION = 26
COLUMNS = ROWS = 4
MADE_BY = "fundus_plugins, contact sheet"


def write_contact_sheet(images: Sequence[AnnotatedImage], path: Path) -> None:
    """Write a PNG with up to 16 of `images`, evenly chosen, cropped around the disc; name and vCDR under each.

    Raises OSError, also where the file is there and is no contact sheet (`refuse_other_file`).
    """
    refuse_other_file(path)
    write_tiles([images[i] for i in np.unique(np.linspace(0, len(images) - 1, COLUMNS * ROWS).astype(int))], path)


def write_tiles(chosen: Sequence[AnnotatedImage], path: Path) -> None:
    """The same of these photographs, in their order."""
    rows = -(-len(chosen) // COLUMNS)
    sheet = np.full((rows * (TILE + CAPTION), COLUMNS * TILE, 3), 255, np.uint8)
    for index, image in enumerate(chosen):
        top, left = index // COLUMNS * (TILE + CAPTION), index % COLUMNS * TILE
        sheet[top : top + TILE + CAPTION, left : left + TILE] = _tile(image)
    about = PngInfo()
    about.add_text("Software", MADE_BY)
    with atomic_write(path, "wb") as file:
        Image.fromarray(sheet).save(file, format="PNG", pnginfo=about)


def refuse_other_file(path: Path) -> None:
    """Raise FileExistsError for a file that is there and is no contact sheet: it may be somebody's photograph."""
    if not os.path.lexists(path):
        return
    try:
        with open_regular(path) as file, Image.open(file, formats=("PNG",)) as image:
            ours = image.info.get("Software") == MADE_BY
    except Exception:  # whatever it is
        ours = False
    if not ours:
        raise FileExistsError(None, "is there and is no contact sheet; choose another name", str(path))


def _tile(image: AnnotatedImage) -> np.ndarray:
    photograph = Image.fromarray(read_photograph(image.photograph))
    x, y, width, height = mask_util.toBbox(image.disc) if image.disc else (0, 0, image.width, image.height)
    side = (2 if image.disc else 1) * max(width, height)  # the disc takes the middle half
    left, top = x + width / 2 - side / 2, y + height / 2 - side / 2
    box = (left, top, left + side, top + side)
    tile = np.array(photograph.transform((TILE, TILE), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR))
    for rle, color in zip((image.disc, image.cup), SEGMENTATION_COLORS, strict=True):
        if rle is None:
            continue
        mask = Image.fromarray(mask_util.decode(rle) * 255).transform((TILE, TILE), Image.Transform.EXTENT, box)
        contours, _ = cv2.findContours(np.array(mask), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(tile, contours, -1, color, 1, cv2.LINE_AA)
    tile = cv2.copyMakeBorder(tile, 0, CAPTION, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    about = image.grade if image.disc is None else f"vCDR {'unknown' if image.vcdr is None else f'{image.vcdr:.2f}'}"
    caption = f"{image.photograph.name}  {about}"
    caption = caption.encode("ascii", "backslashreplace").decode()  # OpenCV knows no other letters
    cv2.putText(tile, caption, (4, TILE + 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return tile
