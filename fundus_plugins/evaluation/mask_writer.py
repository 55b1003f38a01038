"""Predicted masks as a folder of pictures, such as the REFUGE challenge wants submitted."""

import os
from collections.abc import Iterable
from pathlib import Path

import cv2
from detectron2.evaluation import DatasetEvaluator

from fundus_plugins.data.structures import best_disc_and_cup
from fundus_plugins.files import atomic_write
from fundus_plugins.photographs.masks import encode_refuge_mask

MASK_FORMATS = ("bmp", "png")


class RefugeMaskWriter(DatasetEvaluator):
    """Writes the best disc and cup of every photograph as `<photograph's name>.<suffix>`, at its own resolution.

    0 is cup, 128 rim, 255 background. A photograph without a detected disc gives an empty mask. Measures nothing.

    Args:
        folder: made when needed; files of the same names are replaced.
        suffix: one of MASK_FORMATS; the challenge asks for bmp.
        photographs: files of all photographs to come, in whichever process, so that two of one name are told at once;
            without them only those of this process are compared, as they come.

    Raises:
        ValueError: another suffix, or two photographs of one name.
    """

    def __init__(self, folder: str, suffix: str, photographs: Iterable[str] = ()):
        if suffix not in MASK_FORMATS:
            raise ValueError(f"TEST.SAVE_MASKS {suffix!r}: expected one of {', '.join(MASK_FORMATS)}")
        self.folder = folder
        self.suffix = suffix
        self._photographs: dict[str, str] = {}
        for photograph in photographs:
            self._stem_of(photograph)

    def reset(self) -> None:
        self._photographs = {}

    def process(self, inputs: list[dict], outputs: list[dict]) -> None:
        for image, output in zip(inputs, outputs):
            stem = self._stem_of(image["file_name"])
            disc, cup, _ = best_disc_and_cup(output["instances"], (image["height"], image["width"]))
            encoded = cv2.imencode(f".{self.suffix}", encode_refuge_mask(disc, cup))[1]
            with atomic_write(os.path.join(self.folder, f"{stem}.{self.suffix}"), "wb") as file:
                file.write(encoded.tobytes())

    def _stem_of(self, photograph: str) -> str:
        stem = Path(photograph).stem
        other = self._photographs.setdefault(stem, photograph)
        if other != photograph:
            raise ValueError(f"TEST.SAVE_MASKS: {other} and {photograph} would give one mask {stem}")
        return stem
