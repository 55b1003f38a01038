"""The files that a run writes of each photograph: overlay, masks, contours, pictures for the report, DICOM objects."""

import json
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fundus_plugins.boxes import box_of
from fundus_plugins.files import atomic_write
from fundus_plugins.photographs.masks import encode_refuge_mask
from fundus_plugins.photographs.problems import BadInput
from fundus_plugins.photographs.sources import Source
from fundus_plugins.photographs.squares import disc_square
from fundus_plugins.prediction.contours import labelme
from fundus_plugins.prediction.drawing import at_most, draw_disc_and_cup
from fundus_plugins.prediction.grading import draw_cam
from fundus_plugins.prediction.result import FundusPrediction
from fundus_plugins.prediction.run.options import Options

OVERLAY_SIDE = 1600  # pixels of the longer side
PHOTOGRAPH_SIDE, CLOSE_SIDE = 1000, 640  # in the report: of the photograph, and of the close-up of the disc
CLOSE = 2.5  # disc diameters that the close-up shows
QUALITY = 88  # of JPEG
_LONGEST = 180  # bytes of a part of a file's name

Writer = Callable[[Path, Source, dict[str, Any], np.ndarray, FundusPrediction, Options], None]


def output_name(id: str) -> str:
    """Where the files of a photograph are, below each kind's folder and without a suffix: `a/eye_jpg` of `a/eye.jpg`.

    What no file's name can hold, or would lead elsewhere, becomes `_`.
    """
    parts = [re.sub(r'[<>:"\\|?*\x00-\x1f]', "_", x).rstrip(" .") for x in id.replace("\\", "/").split("/")]
    parts = [x for x in parts if x.strip("._ ")] or ["_"]
    stem, _, number = parts[-1].partition("#")
    name, dot, suffix = stem.rpartition(".")
    parts[-1] = (f"{name}_{suffix}" if dot and name else stem) + (f"_{number}" if number else "")
    return "/".join(map(_that_a_disk_takes, parts))


def _that_a_disk_takes(part: str) -> str:
    """A name that is not too long, and none that Windows keeps for itself."""
    data = part.encode("utf-8", "surrogateescape")
    if len(data) > _LONGEST:
        shortened = data[: _LONGEST - 9].decode("utf-8", "ignore")
        part = f"{shortened}_{zlib.crc32(data):08x}"
    return f"{part}_" if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", part) else part


def write_files(
    folder: Path,
    source: Source,
    record: dict[str, Any],
    image: np.ndarray,
    prediction: FundusPrediction,
    options: Options,
) -> list[str]:
    """Write what `options` ask for of one photograph, (H, W, 3) uint8 RGB, and name it in the record's `files`.

    Returns a line for each kind that could not be written; the others are.
    """
    record["files"], failures = {}, []
    for kind in (x for x in options.write if x in WRITERS):
        try:
            WRITERS[kind](folder, source, record, image, prediction, options)
        except BadInput as error:  # which names the file
            failures.append(str(error))
        except Exception as error:
            failures.append(f"{source.where}: {kind}: {type(error).__name__}: {error}")
    return failures


def _overlay(folder, source, record, image, prediction, options):
    drawn = draw_disc_and_cup(image, prediction, OVERLAY_SIDE)
    _save(folder, record, "overlay", f"overlays/{output_name(source.id)}.jpg", _jpeg(drawn))


def _masks(folder, source, record, image, prediction, options):
    if options.mask_coding == "refuge":
        mask = encode_refuge_mask(prediction.disc, prediction.cup)
    else:
        mask = prediction.disc.astype(np.uint8) + prediction.cup
    # Level 1: masks are plain areas, and more effort saves hardly a byte.
    data = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
    _save(folder, record, "masks", f"masks/{output_name(source.id)}.png", data)


def _contours(folder, source, record, image, prediction, options):
    document = labelme(record.get("contours", {}), record["path"], *image.shape[:2])
    _save(folder, record, "contours", f"contours/{output_name(source.id)}.json", json.dumps(document).encode())


def _coco(folder, source, record, image, prediction, options):
    if prediction.disc.any():
        from fundus_plugins.data.coco import mask_to_rle

        cup = mask_to_rle(prediction.cup) if prediction.knows_cup else None
        record["rle"] = {"disc": mask_to_rle(prediction.disc), "cup": cup}


def _report(folder, source, record, image, prediction, options):
    name = output_name(source.id)
    whole = f"pictures/whole/{name}.jpg"
    pictures: dict[str, Any] = {"photograph": whole, "disc": None, "disc_box": None, "cam": None}
    _save(folder, record, "picture", whole, _jpeg(at_most(image, PHOTOGRAPH_SIDE)))
    if prediction.disc.any():
        box = close_up(prediction.disc)
        close = at_most(_part(image, box), CLOSE_SIDE)
        pictures |= {"disc": f"pictures/disc/{name}.jpg", "disc_box": list(box)}
        _save(folder, record, "disc", pictures["disc"], _jpeg(close))
        if prediction.grade is not None:
            pictures["cam"] = f"pictures/cam/{name}.jpg"
            _save(folder, record, "cam", pictures["cam"], _jpeg(draw_cam(close, prediction.grade, box)))
    record["pictures"] = pictures


def _cams(folder, source, record, image, prediction, options):
    if prediction.grade is not None:
        box = close_up(prediction.disc)
        drawn = draw_cam(at_most(_part(image, box), OVERLAY_SIDE), prediction.grade, box)
        _save(folder, record, "cams", f"cams/{output_name(source.id)}.jpg", _jpeg(drawn))


def _dicom_seg(folder, source, record, image, prediction, options):
    from fundus_plugins.prediction.run.dicom_objects import segmentation

    data = segmentation(source, record, prediction)
    if data:
        _save(folder, record, "dicom-seg", f"dicom-seg/{output_name(source.id)}.dcm", data)


def _dicom_sr(folder, source, record, image, prediction, options):
    from fundus_plugins.prediction.run.dicom_objects import structured_report

    data = structured_report(source, record)
    if data:
        _save(folder, record, "dicom-sr", f"dicom-sr/{output_name(source.id)}.dcm", data)


WRITERS: Mapping[str, Writer] = {
    "overlays": _overlay,
    "cams": _cams,
    "masks": _masks,
    "contours": _contours,
    "coco": _coco,
    "report": _report,
    "dicom-seg": _dicom_seg,
    "dicom-sr": _dicom_sr,
}


def close_up(disc: np.ndarray) -> tuple[int, int, int, int]:
    """A box (x0, y0, x1, y1) about a disc, (H, W) bool and not empty, CLOSE times its larger side, in the picture."""
    height, width = disc.shape
    box = box_of(disc)
    assert box is not None
    left, top, right, bottom = disc_square(box, CLOSE)
    return max(0, int(left)), max(0, int(top)), min(width, int(right)), min(height, int(bottom))


def _part(image: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    x0, y0, x1, y1 = box
    return image[y0:y1, x0:x1]


def _jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[
        1
    ].tobytes()


def _save(folder: Path, record: dict[str, Any], kind: str, name: str, data: bytes) -> None:
    with atomic_write(folder / name, "wb") as file:
        file.write(data)
    record["files"][kind] = name
